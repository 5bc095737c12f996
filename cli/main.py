"""The operator's command, `updraft`: its entry point, and how every command ends.

The commands are the modules of `cli.commands`. Only that of the command that runs is imported.
"""

import io
import os
import sys
from collections.abc import Sequence
from typing import Final

import click

from cli.commands import SUMMARIES
from cli.lazy_group import LazyGroup
from cli.output import print_error
from shared.errors import UpdraftError
from shared.version import VERSION

COMPLETION: Final = "_UPDRAFT_COMPLETE"
"""The variable by which a shell asks for completions, in click's format (docs/command-line.md)."""


@click.group(
    cls=LazyGroup,
    package="cli.commands",
    summaries=SUMMARIES,
    help="Start Airflow DAG runs when something happens in Azure: check the rules, and ask why.",
    epilog="`updraft COMMAND --help` says what a command takes. Exit status: 0 where all is well; 1 or 2 as "
    "the command says; 2 for a wrong call, also for none; 130 after Ctrl-C.",
    subcommand_metavar="COMMAND ...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, message="updraft %(version)s")
def updraft() -> None:
    """Do nothing: the command that was named does it all."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The command line without the program's name; by default this process's.

    Returns:
        The exit status: 0 where all is well, 1 or 2 as the command documents, 2 for a wrong call, 130 after
        Ctrl-C.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # an event may hold what this terminal cannot show
    try:
        status = _run([*sys.argv[1:]] if arguments is None else [*arguments])
        sys.stdout.flush()
    except click.exceptions.Exit as ended:  # `--help` and `--version`
        return ended.exit_code
    except (click.UsageError, UpdraftError) as error:
        return print_error(error)
    except BrokenPipeError:
        # the reader, such as `head`, has seen enough; keep the interpreter from complaining at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return status


def _run(arguments: list[str]) -> int:
    """Run a command line, or answer a shell that asks for completions.

    click's own `main` is not used: it would end the process, and end it with 1 after a closed pipe.
    """
    if asked := os.environ.get(COMPLETION):
        from click.shell_completion import shell_complete

        return shell_complete(updraft, {}, "updraft", COMPLETION, asked)
    with updraft.make_context("updraft", arguments) as context:
        status: int = updraft.invoke(context)
    return status


if __name__ == "__main__":
    sys.exit(main())
