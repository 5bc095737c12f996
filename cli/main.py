"""The entry point of `updraft`, and the exit status of every command.

The commands are the modules of `cli.commands`. Only the module of the command that runs is imported.
"""

import io
import os
import sys
from collections.abc import Sequence
from typing import Final

import click

from cli.commands import SUMMARIES
from cli.lazy_group import LazyGroup
from cli.local_settings import LOCAL_HELP, go_local
from cli.output import AS_JSON, print_usage_error
from shared.errors import UpdraftError
from shared.version import VERSION

COMPLETION: Final = "_UPDRAFT_COMPLETE"
"""The variable by which a shell asks for completions, in click's format (docs/command-line.md)."""


@click.group(
    cls=LazyGroup,
    package="cli.commands",
    summaries=SUMMARIES,
    help="The operator's tool of Updraft, which starts Airflow DAG runs for events from Azure. It checks "
    "rules, explains what they do with events, sends events, and finds what keeps runs from starting.",
    epilog="`updraft COMMAND --help` and `updraft help COMMAND` describe a command. Exit status: 0 if all is "
    "well; 1 or 2 as the command describes; 2 for wrong usage, also without a command; 130 after Ctrl-C.",
    subcommand_metavar="COMMAND ...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, message="updraft %(version)s")
@click.option("--local", is_flag=True, help=LOCAL_HELP)
def updraft(*, local: bool) -> None:
    """Prepare the command that was named, which does the rest."""
    if local:
        go_local(click.get_current_context())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The command line without the program's name; by default this process's.

    Returns:
        The exit status: 0 if all is well, 1 or 2 as the command documents, 2 for wrong usage, 130 after
        Ctrl-C.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for characters that this terminal cannot show
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        status = _run([*arguments])
        sys.stdout.flush()
    except click.exceptions.Exit as ended:  # `--help` and `--version`
        return ended.exit_code
    except click.UsageError as error:
        return print_usage_error(error, error.ctx or _context_of(arguments))
    except BrokenPipeError:
        # the reader, such as `head`, is gone; the interpreter must not report that at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return status


def _run(arguments: list[str]) -> int:
    """Run a command line, or answer a shell that asks for completions.

    click's own `main` is not used, because it ends the process, with status 1 after a closed pipe.
    """
    if asked := os.environ.get(COMPLETION):
        from click.shell_completion import shell_complete

        return shell_complete(updraft, {}, "updraft", COMPLETION, asked)
    with updraft.make_context("updraft", arguments, obj=(*arguments,)) as context:
        try:
            status: int = updraft.invoke(context)
        except UpdraftError as error:
            from cli.findings import print_failure

            return print_failure(error, as_json=context.meta.get(AS_JSON, "--json" in arguments))
    return status


def _context_of(arguments: Sequence[str]) -> click.Context:
    """Return the context of the command that a command line names, or of the group before an unknown name."""
    context = click.Context(updraft, info_name="updraft")
    for word in arguments:
        group = context.command
        named = group.get_command(context, word) if isinstance(group, click.Group) else None
        if named is None:
            break
        context = click.Context(named, parent=context, info_name=word)
    return context


if __name__ == "__main__":
    sys.exit(main())
