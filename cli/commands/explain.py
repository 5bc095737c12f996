"""`updraft explain`: what the rules make of an event, and why."""

import argparse
import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cli.explain_view import View
from cli.rules_file import (
    Subparsers,
    add_kind_option,
    add_rules_option,
    load,
    print_problems,
    tree_printer,
)
from shared.errors import RulesError
from shared.json_types import Json, JsonObject

if TYPE_CHECKING:
    from shared.deciding.decide import Decision
    from shared.rules import Rules


@dataclass(frozen=True, slots=True)
class Explained:
    """One event, or what should have been one, with every rule's decision."""

    id: str | None
    type: str | None
    source: str | None
    error: str | None
    decisions: "list[Decision]"
    file: str | None = None

    def to_json(self) -> JsonObject:
        """Return the event's part of the `--json` document, whose shape is stable."""
        return {
            "id": self.id,
            "type": self.type,
            "source": self.source,
            "error": self.error,
            "decisions": [_decision_json(decision) for decision in self.decisions],
        }


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
        for each in explain_body(read_body(file), rules, args.kind)
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


def explain_body(body: bytes | OSError, rules: "Rules", kind: str | None) -> list[Explained]:
    """Explain every event of one body; what cannot be read has its error instead of decisions.

    Args:
        body: The body, or why it could not be had.
        rules: The rules to ask.
        kind: How to read a body without an event envelope.
    """
    from shared.deciding.decide import explain  # noqa: PLC0415 - only the command itself needs it
    from shared.event import Unreadable, read_events  # noqa: PLC0415 - as above

    if isinstance(body, OSError):
        return [Explained(None, None, None, f"the file cannot be read: {body.strerror or body}", [])]
    return [
        Explained(event.id, event.type, event.source, event.error, [])
        if isinstance(event, Unreadable)
        else Explained(event.id, event.type, event.source, None, explain(event, rules))
        for event in read_events(body, kind=kind)
    ]


def read_body(file: str) -> bytes | OSError:
    """Return what a file holds (`-`: standard input), or why it cannot be read."""
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        return error


def _decision_json(decision: "Decision") -> JsonObject:
    request: Json = None
    if decision.request is not None:
        request = asdict(decision.request)
        del request["rule"]
        order = ("connection", "dag_id", "dag_run_id", "conf", "note", "logical_date", "run_after")
        request = {name: request[name] for name in order}
    return {
        "rule": decision.rule,
        "matched": decision.matched,
        "reason": decision.reason,
        "request": request,
    }
