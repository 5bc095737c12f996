"""`updraft explain`: show which rules match an event, and why."""

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cli.event_files import read_body
from cli.explain.explained import Explained, explain_body
from cli.explain.selection import Selection
from cli.explain.view import View
from cli.findings import document
from cli.options import FILE, json_option, kind_options, local_option, rules_option
from cli.output import print_json, tree_printer
from cli.rules_file import load

if TYPE_CHECKING:
    from shared.event.via import Via


@click.command(
    "explain",
    help="Explain what each rule does with each event: whether it matches, and if not, the first condition "
    "that failed with the value of the event. For a match, print the exact request to Airflow. Nothing is "
    "sent.",
    epilog="If more than ten rules do not match, their number is printed instead of their reasons. "
    "Exit status: 0. 1 if the rules have errors, or no rule has the name in --rule. 2 if an input is not an "
    "event; the other inputs are still explained.",
)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=FILE,
    help="a file with an event, an array of events, or one event a line: in Event Grid's schema, "
    "CloudEvents, or bodies of hooks; - for standard input",
)
@rules_option
@click.option(
    "--rule",
    "patterns",
    metavar="NAME",
    multiple=True,
    help="show only this rule; `*` matches any characters, and the option can be repeated",
)
@click.option("--matches", is_flag=True, help="show only the rules that match")
@kind_options
@json_option
@local_option
def command(
    *,
    files: tuple[str, ...],
    rules_file: str,
    patterns: tuple[str, ...],
    matches: bool,
    kind: str | None,
    via: "Via | None",
    as_json: bool,
) -> int:
    """Explain the events of the files.

    Returns:
        0; 2 if an input is not an event.

    Raises:
        RulesError: The rules have mistakes.
        UpdraftError: No rule has a name in `--rule`.
    """
    rules = load(rules_file)
    selection = Selection(patterns, matches)
    selection.check([rule.name for rule in rules.rules])
    explained = [
        replace(selection.of(each), file=file)
        for file in files
        for each in explain_body(read_body(file), rules, kind, via)
    ]
    if as_json:
        wrong = [each for each in explained if each.error is not None]
        print_json(
            document(
                [{"code": "NotAnEvent", "message": each.error, "file": each.file} for each in wrong],
                events=[selection.folded(each, len(each.decisions))[0].to_json() for each in explained],
            )
        )
    else:
        _show(
            explained, selection, View({rule.name: rule.description for rule in rules.rules}, len(files) > 1)
        )
    return 2 if any(each.error is not None for each in explained) else 0


def _show(explained: list[Explained], selection: Selection, view: View) -> None:
    """Print every event for people, with a blank line between two."""
    if not explained:
        print("there is no event in an empty array")
    terminal = tree_printer()
    for number, each in enumerate(explained):
        shown, left_out = selection.folded(each)
        if number:
            print()
        if terminal is not None:
            show, width = terminal
            show(view.tree(shown, left_out, width))
        else:
            print("\n".join(view.lines(shown, left_out)))
