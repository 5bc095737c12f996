"""The command line as a whole: help, wrong usage, completion, and the import of only the named command."""

import io
import json
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from cli.commands import SUMMARIES
from cli.main import COMPLETION, main, updraft
from local.processes import programs
from tests.support.paths import ROOT

OPTIONS: Final = {
    "explain": {"--local", "--rules", "--rule", "--matches", "--as", "--via", "--json"},
    "validate": {"--local", "--rules", "--samples", "--as", "--via", "--live", "--json"},
    "schema": {"--local"},
    "subscription": {"--local", "--rules", "--storage", "--bicep"},
    "publish": {"--local", "--topic", "--new", "--wait", "--timeout", "--source", "--rules", "--json"},
    "hook": {"--local", "--url", "--secret-file", "--key-file", "--json"},
    "replay": {"--local"},
    "replay list": {"--local", "--rule", "--reason", "--since", "--replayed", "--json"}
    | {"--container", "--poison", "--account"},
    "replay show": {"--local", "--container", "--poison", "--account", "--json"},
    "replay send": {"--local", "--rule", "--reason", "--since", "--all", "--again", "--dry-run", "--json"}
    | {"--container", "--poison", "--account", "--wait", "--timeout", "--rules"},
    "doctor": {"--local", "--rules", "--connection", "--json"},
}
"""The options of every command and every action of a command."""
HEAVY: Final = {"azure", "jinja2", "jwt", "pydantic", "requests", "rich", "urllib3", "yaml"}
"""Libraries that only the work of a command needs."""


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command and every action of a command, by what is typed."""
    context = click.Context(updraft)
    for name in updraft.list_commands(context):
        command = updraft.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {action}", inner) for action, inner in command.commands.items())


def words(text: str) -> str:
    """Return a text without spaces, so that it does not depend on where its lines break."""
    return "".join(text.split())


def test_every_module_is_a_command() -> None:
    """The table of commands, the modules of `cli/commands` and the names of the commands agree."""
    modules = {path.stem for path in (ROOT / "cli/commands").glob("*.py")} - {"__init__"}
    assert modules == SUMMARIES.keys() == {name for name, _ in commands() if " " not in name}
    assert all(command.name == name.rpartition(" ")[2] for name, command in commands())


def test_the_options_are_these() -> None:
    """An option is not renamed, added or lost without this list."""
    found = {
        name: {opt for param in command.params if isinstance(param, click.Option) for opt in param.opts}
        for name, command in commands()
    }
    assert found == OPTIONS


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_explains_itself(name: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The help has the description, each option and argument with its explanation, and the exit statuses."""
    assert main([*name.split(), flag]) == 0
    captured = capsys.readouterr()
    shown = words(captured.out)
    assert captured.err == ""
    assert captured.out.startswith(f"Usage: updraft {name} ")
    command = dict(commands())[name]
    assert command.help
    assert words(command.help) in shown
    assert words(command.epilog or "") in shown
    assert ("Exitstatus:0" in shown) == (" " not in name and name != "schema")
    for param in command.params:
        assert param.help, param.name
        assert words(param.help) in shown
        for opt in param.opts if isinstance(param, click.Option) else ():
            assert opt in shown


@pytest.mark.parametrize(
    ("arguments", "status"),
    [((), 2), (("--local",), 2), (("--help",), 0), (("--local", "help"), 0), (("-h",), 0)],
)
def test_the_commands_are_listed(
    arguments: tuple[str, ...], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """`updraft` alone lists the commands as `--help` does, and is wrong usage."""
    assert main(arguments) == status
    captured = capsys.readouterr()
    listed = words(captured.err if status else captured.out)
    assert (captured.out if status else captured.err) == ""
    for name, summary in SUMMARIES.items():
        assert words(f"{name} {summary}") in listed


def test_a_group_alone_lists_its_actions(capsys: pytest.CaptureFixture[str]) -> None:
    """`updraft replay` without an action is wrong usage, and lists the actions."""
    assert main(["replay"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "list  count dead letters, and list them" in captured.err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` is one line."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("updraft 0.")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("explan x", "No such command 'explan'"),
        ("explan x", "'explain'"),
        ("hlep", "Did you mean 'help'?"),
        ("--local explan x", "'explain'"),
        ("nothing-like-it", "No such command 'nothing-like-it'."),
        ("--versoin", "Did you mean '--version'?"),
        ("validate --ruls x", "No such option '--ruls'. (Did you mean one of: '--as', '--rules'?)"),
        ("replay lst", "Did you mean 'list'?"),
        ("replay send --dry", "Did you mean '--dry-run'?"),
        ("explain", "Missing argument 'FILE...'."),
        ("explain --as kud x", "'kud' is not one of 'acr', 'azure-devops', 'github', 'kudu'"),
        ("explain --via call x", "'call' is not one of 'queue', "),
        ("schema more", "unexpected extra argument (more)"),
        ("help valdate", "Did you mean 'validate'?"),
        ("replay show", "Missing argument 'NAME|ID'."),
        ("replay send", "say what to send: names or event ids, --rule, --reason, --since, or --all"),
        ("replay list --since yesterday", "'yesterday' is neither a time such as 2026-11-01T12:00Z nor"),
        ("replay list --poison --container x", "--poison is not allowed with --container"),
    ],
)
def test_a_wrong_call(line: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with 2 and three lines: the usage, the mistake with the nearest name, and where help is."""
    assert main(line.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    usage, message, more = captured.err.splitlines()
    assert usage.startswith("Usage: updraft ")
    assert says in message
    assert more.startswith("Try 'updraft")
    assert more.endswith(" --help'.")


@pytest.mark.parametrize("line", ["explain --rules", "replay send --rule", "doctor --connection"])
def test_an_option_without_its_value(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the option, and the usage is the usage of its command."""
    assert main(line.split()) == 2
    usage, message, more = capsys.readouterr().err.splitlines()
    command, _, option = line.rpartition(" ")
    assert usage.startswith(f"Usage: updraft {command} ")
    assert message == f"Option '{option}' requires an argument."
    assert more == f"Try 'updraft {command} --help'."


@pytest.mark.parametrize("name", ["", *OPTIONS])
def test_help_is_a_word_too(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`updraft help COMMAND` prints what `updraft COMMAND --help` prints."""
    assert main([*name.split(), "--help"]) == 0
    expected = capsys.readouterr()
    assert main(["help", *name.split()]) == 0
    assert capsys.readouterr() == expected


def test_each_command_is_listed_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """At 80 columns no summary goes on in a second line."""
    assert main([]) == 2
    lines = capsys.readouterr().err.splitlines()
    for name, summary in SUMMARIES.items():
        assert any(line.split() == [name, *summary.split()] for line in lines), name


def test_a_wrong_call_cannot_write_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters of the command line are escaped, because it may have been pasted."""
    for line in (["\x1b[2J"], ["schema", "\x1b[2J"], ["replay", "list", "--since", "\x1b[2J"]):
        assert main(line) == 2
        assert "\x1b" not in capsys.readouterr().err


def test_ctrl_c_ends_with_130(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that is interrupted while it waits for its input prints nothing."""

    class Interrupted(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readall(self) -> bytes:
            raise KeyboardInterrupt

    rules = tmp_path / "rules.yaml"
    rules.write_text("connections: {a: {url: 'https://x', auth: {kind: entra, scope: s}}}\nrules: []")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Interrupted())))
    assert main(["explain", "--rules", str(rules), "-"]) == 130
    assert capsys.readouterr() == ("", "")


# --- Completion ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(
    shell: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script that the shell evaluates asks this command for completions."""
    monkeypatch.setenv(COMPLETION, f"{shell}_source")
    assert main([]) == 0
    script = capsys.readouterr().out
    assert f"{COMPLETION}={shell}_complete" in script


def test_an_unknown_shell_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit status is 1, and no script is printed."""
    monkeypatch.setenv(COMPLETION, "tcsh_source")
    assert main([]) == 1


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("updraft ", [*SUMMARIES]),
        ("updraft s", ["schema", "subscription"]),
        ("updraft --v", ["--version"]),
        ("updraft replay ", ["list", "send", "show"]),
        ("updraft replay send --d", ["--dry-run"]),
        ("updraft explain --as k", ["kudu"]),
        ("updraft nothing", []),
    ],
)
def test_a_shell_is_offered_what_fits(
    typed: str, offered: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The completions are commands, actions, options and their values."""
    monkeypatch.setenv(COMPLETION, "bash_complete")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
    assert main([]) == 0
    lines = capsys.readouterr().out.split()
    assert [line.removeprefix("plain,") for line in lines] == offered


@pytest.mark.slow
def test_bash_completes(tmp_path: Path) -> None:
    """The script works in a real bash."""
    command = tmp_path / "updraft"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m cli.main "$@"\n')
    command.chmod(0o755)
    script = (
        f'eval "$({COMPLETION}=bash_source updraft)"; COMP_WORDS=(updraft va); COMP_CWORD=1\n'
        'complete -p updraft; _updraft_completion updraft; echo "${COMPREPLY[@]}"'
    )
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = programs.run(["bash", "-c", script], cwd=ROOT, env={**os.environ, "PATH": path}, check=True)
    registered, completed = done.stdout.splitlines()
    assert "_updraft_completion updraft" in registered
    assert completed == "validate"


# --- What is imported ----------------------------------------------------------------------------------


def loaded_by(arguments: list[str], **environment: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after a call."""
    script = (
        "import contextlib, io, json, sys\nfrom cli.main import main\n"
        "with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())), "
        "contextlib.redirect_stderr(io.StringIO()):\n"
        f"    main({arguments!r})\nprint(json.dumps(sorted(sys.modules)))"
    )
    done = programs.run(
        [sys.executable, "-c", script], cwd=ROOT, env={**os.environ, **environment}, check=True
    )
    return set(json.loads(done.stdout))


@pytest.mark.slow
@pytest.mark.parametrize("line", ["", "--help", "--version", *(f"{name} --help" for name in OPTIONS)])
def test_only_the_named_command_is_imported(line: str) -> None:
    """Help and version import no other command and no library for the work of a command."""
    loaded = loaded_by(line.split())
    named = {name.removeprefix("cli.commands.") for name in loaded if name.startswith("cli.commands.")}
    assert named == SUMMARIES.keys() & {*line.split()}
    assert not {name.split(".")[0] for name in loaded} & HEAVY


@pytest.mark.slow
def test_completing_a_command_imports_none() -> None:
    """A completion takes the names from the table of commands."""
    asked = {COMPLETION: "bash_complete", "COMP_WORDS": "updraft ", "COMP_CWORD": "1"}
    assert not {name for name in loaded_by([], **asked) if name.startswith("cli.commands.")}


@pytest.mark.slow
def test_the_version_needs_no_settings() -> None:
    """`updraft --version` imports nothing that reads settings, times or rules, so it is quick."""
    loaded = loaded_by(["--version"])
    assert {name for name in loaded if name.startswith("cli.")} == {
        "cli.commands",
        "cli.lazy_group",
        "cli.local_settings",
        "cli.main",
        "cli.output",
    }
    assert "shared.settings" not in loaded
