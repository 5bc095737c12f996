"""`updraft explain`: what the rules make of an event, and why."""

import argparse
import json
from dataclasses import replace

from cli.explain_view import View
from cli.explained import Explained, explain_body, read_body
from cli.output import print_problems, tree_printer
from cli.rules_file import Subparsers, add_kind_option, add_rules_option, load, via_of
from shared.errors import RulesError


def add_parser(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "explain",
        help="say what the rules make of an event, and why",
        description="For every event and every rule: whether the rule matched, the first condition that "
        "failed with the value it saw, and for a match the exact request that Airflow would get. "
        "Nothing is sent.",
        epilog="Exit status: 0; 1 where the rules have mistakes; 2 where an input cannot be read as an event "
        "(the others are still explained).",
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="a file with an event or an array of events, in Event Grid's schema or as CloudEvents; - for "
        "standard input",
    )
    add_rules_option(parser)
    add_kind_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Explain the events of the files.

    Returns:
        0; 1 where the rules have mistakes; 2 where an input cannot be read as an event.
    """
    try:
        rules = load(args.rules)
    except RulesError as error:
        print_problems(error)
        return 1
    explained = [
        replace(each, file=file)
        for file in args.files
        for each in explain_body(read_body(file), rules, args.kind, via_of(args))
    ]
    if args.json:
        print(json.dumps({"events": [each.to_json() for each in explained]}, indent=2))
    else:
        _show(explained, View({rule.name: rule.description for rule in rules.rules}, len(args.files) > 1))
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
