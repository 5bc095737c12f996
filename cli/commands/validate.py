"""`updraft validate`: every mistake of rules.yaml at once, and what the rules make of samples."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.explained import Explained, explain_body, read_body
from cli.options import FOLDER, kind_options, rules_option, way
from cli.output import listed, plural, print_problems, print_warnings, printable
from cli.rules_file import load
from shared.errors import RulesError

if TYPE_CHECKING:
    from shared.event.via import Via
    from shared.rules import Rules
    from shared.values.json_text import JsonObject


@click.command(
    "validate",
    help="Report every mistake of a rules file at once, each with file, line and column, what was found and "
    "what was meant. With samples, also which rules each of them hits, the rules that none hits, and the "
    "runs that could not be asked for. With --live, the Airflows are asked, too; nothing is started or "
    "changed in them.",
    epilog="Exit status: 0 where nothing is wrong, warnings aside, 1 otherwise.",
)
@rules_option
@click.option(
    "--samples", metavar="DIR", type=FOLDER, help="a folder of events, one JSON file each or an array"
)
@kind_options
@click.option(
    "--live",
    is_flag=True,
    help="ask each Airflow whether the DAGs exist, can be imported, are not paused, and would take the conf "
    "that the samples give; application settings are read from the environment",
)
def command(*, rules_file: str, samples: str | None, kind: str | None, via: "Via | None", live: bool) -> int:
    """Check the rules, and the samples where there are any.

    Returns:
        0 where nothing is wrong, 1 otherwise.

    Raises:
        RulesError: The rules have mistakes.
    """
    try:
        rules = load(rules_file, os.environ if live else None)
    except RulesError as error:
        if not live:
            raise
        print_problems(error)
        print("with --live, application settings are read from the environment", file=sys.stderr)
        return 1
    print_warnings(rules.warnings)
    problems: list[str] = []
    events: list[Sample] = []
    if samples is not None:
        events = read_samples(Path(samples), rules, kind, way(kind, via))
        for event in events:
            print(printable(event.line()))
        problems = list(sample_problems(rules, events, samples))
    if live:
        problems += _live_problems(rules, events)
    sys.stdout.flush()  # before the problems, where both go to one file
    for problem in problems:
        print(printable(problem), file=sys.stderr)
    if problems:
        print(f"{plural(len(problems), 'problem')} found", file=sys.stderr)
        return 1
    found = f"{plural(len(rules.warnings), 'warning')}" if rules.warnings else "nothing wrong"
    print(f"{rules_file}: {plural(len(rules.rules), 'rule')}, {found}")
    return 0


def _live_problems(rules: "Rules", samples: "Sequence[Sample]") -> list[str]:
    """Print what the Airflows have nothing against, and return what they have."""
    from cli.live_checks import LiveAirflows, live_checks

    confs: dict[str, list[tuple[str, JsonObject]]] = {}
    for sample in samples:
        for decision in sample.explained.decisions:
            if decision.request is not None:
                confs.setdefault(decision.rule, []).append((sample.file, decision.request.conf))
    problems: list[str] = []
    for check in live_checks(rules, LiveAirflows(rules, os.environ), confs):
        if not check.problems:
            print(printable(check.line()))
        problems += check.problems
    return problems


@dataclass(frozen=True, slots=True)
class Sample:
    """One event of the samples.

    Attributes:
        file: The file that it came from.
        explained: What every rule says of it.
    """

    file: str
    explained: Explained

    def hits(self) -> list[str]:
        """Return the rules that the sample hits."""
        return [decision.rule for decision in self.explained.decisions if decision.matched]

    def line(self) -> str:
        """Return the sample's line in the report."""
        if self.explained.error is not None:
            return f"{self.file}: not an event: {self.explained.error}"
        return f"{self.file}: {self.explained.type} {self.explained.id}: hits {listed(self.hits())}"


def read_samples(folder: Path, rules: "Rules", kind: str | None, via: "Via | None" = None) -> list[Sample]:
    """Explain every event of the JSON files in a folder and the folders in it, ordered by name.

    Args:
        folder: The folder.
        rules: The rules.
        kind: How to read bodies without an event envelope.
        via: How the events come; None for the way that each rule asks for.
    """
    return [
        Sample(str(file), explained)
        for file in sorted(folder.rglob("*.json"))
        for explained in explain_body(read_body(str(file)), rules, kind, via, as_asked=True)
    ]


def sample_problems(rules: "Rules", samples: Sequence[Sample], folder: str) -> Iterator[str]:
    """Yield what is wrong between rules and samples.

    Args:
        rules: The rules.
        samples: What they were tried on.
        folder: Where the samples are, for the messages.
    """
    if not samples:
        found = "there is no sample (*.json) in it" if Path(folder).is_dir() else "there is no such folder"
        yield f"{folder}: {found}"
        return
    hit: set[str] = set()
    for sample in samples:
        hit.update(sample.hits())
        if sample.explained.error is not None:
            yield f"{sample.file}: not an event: {sample.explained.error}"
        for decision in sample.explained.decisions:
            if decision.matched and decision.request is None:
                why = f"matches, but cannot be rendered: {decision.reason}"
                yield f"{sample.file}: rule `{decision.rule}` {why}"
    for rule in rules.rules:
        if rule.enabled and rule.name not in hit:
            yield f"rule `{rule.name}`: none of the {plural(len(samples), 'sample')} hits it"
