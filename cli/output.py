"""What all commands print in the same way: JSON documents, wrong usage, trees, words."""

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

import click

from shared.visible_text import visible

AS_JSON: Final = "cli.as_json"
"""The member of a click context's `meta` that says whether `--json` was given."""
_ENDLESS: Final = 1_000_000
"""Columns: more than any line has."""


def print_json(document: Any) -> None:
    """Write one JSON document to standard output, in the form that every `--json` has."""
    print(json.dumps(document, indent=2))


def print_usage_error(error: click.UsageError, context: click.Context) -> int:
    """Write the usage, what is wrong with a command line and where help is; return the exit status, 2.

    Args:
        error: What is wrong.
        context: The context of the command.
    """
    message = error.format_message()
    if isinstance(error, click.exceptions.NoArgsIsHelpError):  # the message is a whole help
        print(message, file=sys.stderr)
        return 2
    print(context.get_usage(), file=sys.stderr)
    print(printable(message), file=sys.stderr)
    print(f"Try '{context.command_path} --help'.", file=sys.stderr)
    return 2


def printable(text: str) -> str:
    """Return `text` with an escape for each invisible character: a terminal obeys some of them."""
    return visible(text)


def tree_printer() -> tuple[Callable[[Any], None], int] | None:
    """Return a function that prints a rich tree, and the terminal's width; None where there is no terminal.

    The function never breaks a line: the caller breaks texts between words. The terminal breaks a word that
    is longer than a line, such as a run id, so that it can be copied whole.
    """
    if not sys.stdout.isatty():
        return None
    from rich.console import Console

    return Console(highlight=False, width=_ENDLESS).print, Console().width


def plural(count: int, thing: str) -> str:
    """Return `1 rule`, `2 rules`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def listed(names: Iterable[str]) -> str:
    """Return names one after another, or `none`."""
    return ", ".join(names) or "none"
