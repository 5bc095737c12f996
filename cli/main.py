"""The operator's command, `updraft`: one module a command, in the order of `COMMANDS`.

A command is a module of `cli.commands` with two functions, imported when the command line is read:

    add_parser(subparsers) -> None    registers a parser under the module's own name
    run(args) -> int                  carries the command out and returns the exit status

A module may cost nothing at import but definitions; what only its work needs is imported in `run`.
"""

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Final

from shared.errors import UpdraftError
from shared.version import VERSION

COMMANDS: Final = ("explain", "validate", "schema", "subscription", "publish", "replay", "doctor")
"""The commands, in the order in which `--help` shows them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The command line without the program's name; by default this process's.

    Returns:
        The exit status: 0 where all is well, 1 or 2 as the command documents, 130 after Ctrl-C.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # an event may hold what this terminal cannot show
    modules = _modules()
    args = _parser(modules).parse_args(arguments)
    try:
        status: int = modules[args.command].run(args)
        sys.stdout.flush()
    except UpdraftError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        # the reader, such as `head`, has seen enough; keep the interpreter from complaining at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return status


def _modules() -> dict[str, ModuleType]:
    """Return the commands, by name."""
    return {name: importlib.import_module(f"cli.commands.{name}") for name in COMMANDS}


def _parser(modules: dict[str, ModuleType]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="updraft",
        description="Start Airflow DAG runs when something happens in Azure: check the rules, and ask why.",
    )
    parser.add_argument("--version", action="version", version=f"updraft {VERSION}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in modules.values():
        module.add_parser(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
