"""`updraft validate`: every mistake of rules.yaml at once, and what the rules make of samples."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cli.explain import Explained, explain_body, read_body
from cli.rules_file import (
    Subparsers,
    add_kind_option,
    add_rules_option,
    listed,
    load,
    plural,
    print_problems,
    printable,
)
from shared.errors import RulesError

if TYPE_CHECKING:
    from shared.json_types import Json
    from shared.rules import Rules


def add_parser(subparsers: Subparsers) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "validate",
        help="check rules.yaml before it ships",
        description="Report every mistake of a rules file at once, each with file, line and column, what was "
        "found and what was meant. With samples, also which rules each of them hits, the rules that none "
        "hits, and the runs that could not be asked for.",
        epilog="Exit status: 0 where nothing is wrong, 1 otherwise.",
    )
    add_rules_option(parser)
    parser.add_argument(
        "--samples", metavar="DIR", type=Path, help="a folder of events, one JSON file each or an array"
    )
    add_kind_option(parser)


def run(args: argparse.Namespace) -> int:
    """Check the rules, and the samples where there are any.

    Returns:
        0 where nothing is wrong, 1 otherwise.
    """
    try:
        rules = load(args.rules)
    except RulesError as error:
        print_problems(error)
        return 1
    problems: list[str] = []
    if args.samples is not None:
        samples = read_samples(args.samples, rules, args.kind)
        for sample in samples:
            print(printable(sample.line()))
        problems = list(sample_problems(rules, samples, str(args.samples)))
    for problem in problems:
        print(printable(problem), file=sys.stderr)
    if problems:
        print(f"{plural(len(problems), 'problem')} found", file=sys.stderr)
        return 1
    print(f"{args.rules}: {plural(len(rules.rules), 'rule')}, nothing wrong")
    return 0


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


def read_samples(folder: Path, rules: "Rules", kind: str | None) -> list[Sample]:
    """Explain every event of the JSON files in a folder and the folders in it, ordered by name."""
    return [
        Sample(str(file), explained)
        for file in sorted(folder.rglob("*.json"))
        for explained in explain_body(read_body(str(file)), rules, kind)
    ]


def sample_problems(rules: "Rules", samples: Sequence[Sample], folder: str) -> Iterator[str]:
    """Yield what is wrong between rules and samples.

    Args:
        rules: The rules.
        samples: What they were tried on.
        folder: Where the samples are, for the messages.
    """
    if not samples:
        yield f"{folder}: there is no sample (*.json) in it"
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


# --- the live half: what only an Airflow can say ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DagState:
    """What an Airflow says of a DAG.

    Attributes:
        exists: Whether the Airflow knows it.
        paused: Whether its runs would wait.
        import_error: Why its file cannot be read, if it cannot.
        params: The JSON Schema of each of its params, by name.
    """

    exists: bool
    paused: bool = False
    import_error: str | None = None
    params: "dict[str, Json] | None" = None


class AsksAirflow(Protocol):
    """Asks an Airflow about a DAG."""

    def dag(self, connection: str, dag_id: str) -> DagState:
        """Return what the Airflow behind a connection says of a DAG.

        Raises:
            UpdraftError: The Airflow cannot be asked.
        """
        ...


def live_problems(rules: "Rules", airflow: AsksAirflow) -> Iterator[str]:
    """Yield what the Airflows say against the rules: a DAG that does not exist, is paused or is broken.

    Args:
        rules: The rules.
        airflow: Whom to ask.
    """
    for rule in rules.rules:
        if not rule.enabled:
            continue
        dag = rule.spec.start.dag
        state = airflow.dag(rule.connection, dag)
        where = f"rule `{rule.name}`: connection `{rule.connection}`:"
        if state.import_error is not None:
            yield f"{where} the file of DAG `{dag}` cannot be imported: {state.import_error}"
        elif not state.exists:
            yield f"{where} there is no DAG `{dag}`"
        elif state.paused:
            yield f"{where} DAG `{dag}` is paused, so its runs would wait"
