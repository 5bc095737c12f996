"""`updraft explain`: what the rules make of an event, and why."""

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cli.explain_view import View
from cli.explained import Explained, explain_body, read_body
from cli.options import FILE, json_option, kind_options, rules_option, way
from cli.output import print_json, tree_printer
from cli.rules_file import load

if TYPE_CHECKING:
    from shared.event.via import Via


@click.command(
    "explain",
    help="For every event and every rule: whether the rule matched, the first condition that failed with the "
    "value it saw, and for a match the exact request that Airflow would get. Nothing is sent.",
    epilog="Exit status: 0; 1 where the rules have mistakes; 2 where an input cannot be read as an event "
    "(the others are still explained).",
)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=FILE,
    help="a file with an event or an array of events, in Event Grid's schema or as CloudEvents; - for "
    "standard input",
)
@rules_option
@kind_options
@json_option
def command(
    *, files: tuple[str, ...], rules_file: str, kind: str | None, via: "Via | None", as_json: bool
) -> int:
    """Explain the events of the files.

    Returns:
        0; 2 where an input cannot be read as an event.

    Raises:
        RulesError: The rules have mistakes.
    """
    rules = load(rules_file)
    explained = [
        replace(each, file=file)
        for file in files
        for each in explain_body(read_body(file), rules, kind, way(kind, via))
    ]
    if as_json:
        print_json({"events": [each.to_json() for each in explained]})
    else:
        _show(explained, View({rule.name: rule.description for rule in rules.rules}, len(files) > 1))
    return 2 if any(each.error is not None for each in explained) else 0


def _show(explained: list[Explained], view: View) -> None:
    """Print every event for a person, a blank line between two."""
    if not explained:
        print("there is no event in an empty array")
    show = tree_printer()
    for number, each in enumerate(explained):
        if number:
            print()
        if show is not None:
            show(view.tree(each))
        else:
            print("\n".join(view.lines(each)))
