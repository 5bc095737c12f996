"""`updraft subscription`: the filter of an Event Grid subscription that lets through what the rules need."""

import argparse
import json
import sys

from cli.rules_file import Subparsers, add_rules_option, listed, load, print_problems
from shared.errors import RulesError
from shared.json_types import Json
from shared.suggest import did_you_mean


def add_parser(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "subscription",
        help="print the Event Grid filter that lets through what the rules need",
        description="Print the `filter` of an Event Grid subscription that lets through every event that the "
        "rules match and few others, so that Event Grid does the coarse filtering. Where its limits, or the "
        "rules together, allow no narrower filter, more events come through, never fewer. One subscription "
        "for each rule is the narrowest: name the rule.",
        epilog="Exit status: 0; 1 where the rules have mistakes, or a named rule does not exist.",
    )
    parser.add_argument("rules_named", nargs="*", metavar="RULE", help="rules by name (default: all enabled)")
    add_rules_option(parser)
    parser.add_argument("--bicep", action="store_true", help="print Bicep instead of JSON")


def run(args: argparse.Namespace) -> int:
    """Print the filter.

    Returns:
        0; 1 where the rules have mistakes, or a named rule does not exist, or there is none.
    """
    from shared.rules.subscription import subscription_filter  # noqa: PLC0415 - imports pydantic

    try:
        rules = load(args.rules)
    except RulesError as error:
        print_problems(error)
        return 1
    known = [rule.name for rule in rules.rules]
    unknown = [name for name in args.rules_named if rules.named(name) is None]
    for name in unknown:
        print(
            f"there is no rule `{name}`{did_you_mean(name, known)}; there are {listed(known)}",
            file=sys.stderr,
        )
    wanted = [
        rule
        for rule in rules.rules
        if rule.name in args.rules_named or (not args.rules_named and rule.enabled)
    ]
    if not wanted and not unknown:
        print("no rule is enabled, so no event is needed", file=sys.stderr)
    if unknown or not wanted:
        return 1
    found = subscription_filter(wanted)
    print("filter: " + to_bicep(found) if args.bicep else json.dumps(found, indent=2))
    return 0


def to_bicep(value: Json, indent: int = 0) -> str:
    """Return a JSON value as Bicep writes it.

    Source: https://learn.microsoft.com/azure/azure-resource-manager/bicep/data-types.
    """
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        lines = [f"{inner}{name}: {to_bicep(item, indent + 2)}" for name, item in value.items()]
        return "\n".join(["{", *lines, " " * indent + "}"])
    if isinstance(value, list):
        lines = [f"{inner}{to_bicep(item, indent + 2)}" for item in value]
        return "\n".join(["[", *lines, " " * indent + "]"])
    if isinstance(value, str):
        return "'" + _escaped(value) + "'"
    if isinstance(value, float):
        return f"json('{value!r}')"  # Bicep has whole numbers only
    return json.dumps(value)


def _escaped(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    plain = plain.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return "".join(each if each.isprintable() else f"\\u{{{ord(each):x}}}" for each in plain)
