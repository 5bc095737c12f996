"""What a command prints: JSON documents, problems, errors, progress, words."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import click

from shared.errors import Problem, RulesError, UpdraftError
from shared.visible_text import visible

AS_JSON: Final = "cli.as_json"
"""The member of a click context's `meta` that says whether `--json` was given."""
_ENDLESS: Final = 1_000_000
"""Columns that no line of ours has."""


def with_progress[T](items: Iterable[T], doing: str, total: int) -> Iterator[T]:
    """Yield the items, and show on standard error how far it is, where that is a terminal.

    Args:
        items: The items.
        doing: What is being done with them, in one word.
        total: How many there are.
    """
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(doing, total=total)
        for item in items:
            yield item
            bar.advance(task)


def print_json(document: Any) -> None:
    """Write one JSON document to standard output, in the form that every `--json` has."""
    print(json.dumps(document, indent=2))


def print_error(error: UpdraftError) -> int:
    """Write why a command failed to standard error, and return its exit status, 1.

    Args:
        error: Mistakes of a rules file, or another failure.
    """
    if isinstance(error, RulesError):
        print_problems(error)
    else:
        print(error, file=sys.stderr)  # it has made its lines visible
    return 1


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


def print_problems(error: RulesError) -> None:
    """Write every mistake of a rules file to standard error, each with its line and what to write."""
    from cli import rules_problems

    rules_problems.print_problems(error.problems, error.warnings)


def print_problems_of_settings(error: RulesError) -> None:
    """Write the mistakes of a file that was read with application settings, and where those come from."""
    print_problems(error)
    if any("application setting" in problem.message for problem in error.problems):
        print("application settings are read from the environment: `export NAME=value`", file=sys.stderr)


def print_warnings(warnings: Sequence[Problem]) -> None:
    """Write what may be a mistake of a rules file to standard error, as `print_problems`."""
    from cli import rules_problems

    rules_problems.print_warnings(warnings)


def printable(text: str) -> str:
    """Return `text` with an escape for each invisible character: a terminal obeys some of them."""
    return visible(text)


def tree_printer() -> tuple[Callable[[Any], None], int] | None:
    """Return a function that prints a rich tree, and the terminal's width; None where there is no terminal.

    The function never breaks a line: who makes the tree breaks its texts between words. A word that is longer
    than the terminal, such as a run id, is left to the terminal, so that it can be copied whole.
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
