"""The commands in messages: with `--local` where the call has it, and with the file of the call."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import local_settings
from cli.main import main
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request
from tests.support.paths import EXAMPLE_RULES, SAMPLES

KUDU = str(SAMPLES / "kudu/success_in_slot.json")


class Answering(LoopbackServer):
    """An app with one answer."""

    outcome = "rejected"

    def handle(self, request: Request) -> Reply:
        """Take the body in."""
        del request
        return Reply(202, {"outcomes": {self.outcome: 1}})


@pytest.fixture
def app() -> Iterator[Answering]:
    """The app of the local stack."""
    with Answering() as running:
        yield running


@pytest.fixture
def env(tmp_path: Path, app: Answering, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file of a local stack that runs, and an environment without settings."""
    file = tmp_path / "env"
    names = (
        "UPDRAFT_URL",
        "UPDRAFT_TOPIC_ENDPOINT",
        "UPDRAFT_AIRFLOW_URL",
        "AzureWebJobsStorage__accountName",
    )
    monkeypatch.setattr(local_settings, "FILE", file)
    monkeypatch.setattr(os, "environ", {name: os.environ[name] for name in os.environ if name not in names})
    file.write_text(f"export UPDRAFT_URL={shlex.quote(app.url)}\nexport UPDRAFT_RULES={EXAMPLE_RULES}\n")
    return file


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.usefixtures("env")
def test_the_option_stands_before_or_after_the_command(
    capsys: pytest.CaptureFixture[str], *, before: bool
) -> None:
    """Both read the settings before `--rules`, and the commands in messages have the option as well."""
    line = ["hook", "kudu", KUDU]
    assert main(["--local", *line] if before else [*line, "--local"]) == 1
    assert "read the reason: `updraft --local replay list`" in capsys.readouterr().err
    assert main(["--local", "validate"] if before else ["validate", "--local"]) == 0
    assert str(EXAMPLE_RULES) in capsys.readouterr().out


@pytest.mark.usefixtures("env")
def test_an_action_takes_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    """`replay` and its actions have the option; a message does not name the stack that is already used."""
    for line in ("--local replay list", "replay --local list", "replay list --local"):
        assert main(line.split()) == 1
        assert "local stack" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        f"hook kudu {KUDU}",
        "publish examples/events/blob_created.json",
        "replay list --reason X",
        f"doctor --rules {EXAMPLE_RULES}",
        f"validate --rules {EXAMPLE_RULES} --live",
    ],
)
@pytest.mark.usefixtures("env")
def test_a_missing_setting_points_to_the_stack(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message has this call with `--local`, ready to paste, if a local stack runs."""
    assert main(line.split()) in {1, 2}
    assert f"or use the running local stack: `updraft --local {line}`" in capsys.readouterr().err


def test_without_a_stack_none_is_named(env: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message of a missing setting does not name a stack that does not run."""
    env.unlink()
    assert main(["hook", "kudu", KUDU]) == 2
    assert "local stack" not in capsys.readouterr().err


@pytest.mark.usefixtures("env")
def test_a_hint_has_the_file_of_the_call(app: Answering, capsys: pytest.CaptureFixture[str]) -> None:
    """A started run leads to the rules that match this file; a hook's body leads to `hook` with this file."""
    app.outcome = "started"
    assert main(["--local", "hook", "kudu", KUDU]) == 0
    explain = f"updraft --local explain --matches --as kudu {KUDU}"
    assert f"1 started\n  its rules and runs: `{explain}`\n" in capsys.readouterr().out
    assert main(shlex.split(explain)[1:]) == 0
    capsys.readouterr()
    assert main(["--local", "publish", KUDU]) == 2
    assert f"`updraft --local hook kudu {KUDU}` posts it" in capsys.readouterr().err


def test_an_app_that_is_stopped_has_its_start_command(env: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--local`, a refused connection names the command that starts the app."""
    env.write_text("export UPDRAFT_URL=http://127.0.0.1:9\n")
    assert main(["--local", "hook", "kudu", KUDU]) == 2
    assert "Connection refused; start the app: `.venv/bin/python -m local.part start app`" in (
        capsys.readouterr().err
    )


def test_the_airflow_of_the_stack_has_a_page(
    env: Path, identity: IdentityEndpoint, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With `--local`, the fix has the address of Airflow, not a command that this shell does not have."""
    rules = tmp_path / "rules.yaml"
    with AirflowStub(("smoke_tests", "load_orders")) as stub:
        auth = "{kind: entra, scope: 'api://airflow/.default'}"
        rules.write_text(
            f"connections: {{main: {{url: '{stub.url}', auth: {auth}}}}}\nrules:\n"
            "  - {name: a, when: {types: [T]}, start: {dag: smoke_tests}}\n"
            "  - {name: b, when: {types: [T]}, start: {dag: load_orders}}\n"
        )
        stub.broken, stub.paused = {"smoke_tests": "SyntaxError: x"}, {"load_orders"}
        settings = identity.environment() | {"UPDRAFT_RULES": str(rules)}
        env.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()))
        assert main(["--local", "validate", "--live"]) == 1
        err = capsys.readouterr().err
        assert f"fix: fix the file, and look for its error at {stub.url} (Dag Import Errors)\n" in err
        assert f"fix: unpause it at {stub.url}/dags/load_orders\n" in err
        assert "`airflow " not in err


def test_a_document_for_a_stack_that_does_not_run(env: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` holds in any order: the error of `--local` is a document."""
    env.unlink()
    for line in ("--local validate --json", "validate --local --json", "validate --json --local"):
        assert main(line.split()) == 1
        assert capsys.readouterr().out.startswith('{\n  "ok": false')
