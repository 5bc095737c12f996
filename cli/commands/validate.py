"""`updraft validate`: check rules.yaml, also against samples and against each Airflow."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.event_files import SUFFIXES, read_body
from cli.explain.explained import Explained, explain_body
from cli.findings import Finding, document, print_findings, split
from cli.options import FOLDER, json_option, kind_options, local_option, rules_option
from cli.output import listed, plural, print_json, printable
from cli.rules_file import load
from cli.rules_problems import print_warnings, problems_json

if TYPE_CHECKING:
    from cli.checks.live_checks import Live
    from shared.event.via import Via
    from shared.rules import Rules
    from shared.values.json_text import JsonObject


@click.command(
    "validate",
    help="Report all errors of a rules file at once, each with its line and what to write. With --samples, "
    "also report which rules match each sample, which rules match none, and which runs cannot be rendered. "
    "With --live, also ask the Airflow of each rule. Nothing is started or changed there.",
    epilog="Exit status: 0 if there is no error (warnings are allowed), 1 otherwise.",
)
@rules_option
@click.option(
    "--samples",
    metavar="DIR",
    type=FOLDER,
    help="a folder with events in .json, .jsonl and .ndjson files",
)
@kind_options
@json_option
@click.option(
    "--live",
    is_flag=True,
    help="ask each Airflow whether the DAGs exist, can be imported, are not paused, and accept the conf of "
    "the samples; application settings are read from the environment",
)
@local_option
def command(
    *, rules_file: str, samples: str | None, kind: str | None, via: "Via | None", live: bool, as_json: bool
) -> int:
    """Check the rules and the samples.

    Returns:
        0 if there is no error, 1 otherwise.

    Raises:
        RulesError: The rules have mistakes.
    """
    rules = load(rules_file, os.environ if live else None)
    problems: list[str] = []
    events: list[Sample] = []
    if samples is not None:
        events = read_samples(Path(samples), rules, kind, via)
        problems = list(sample_problems(rules, events, samples))
    if as_json:
        return _print_document(rules, events, problems, _live(rules, events) if live else None)
    print_warnings(rules.warnings)
    for event in events:
        print(printable(event.line()))
    sys.stdout.flush()  # before the answers of Airflow, which may take seconds
    errors, warnings = _show_live(_live(rules, events)) if live else (0, 0)
    print_findings((Finding("SampleProblem", problem) for problem in problems), mark=True)
    errors += len(problems)
    warnings += len(rules.warnings)
    if errors:
        print(plural(errors, "error"), file=sys.stderr)
        return 1
    found = f"{plural(warnings, 'warning')}" if warnings else "nothing wrong"
    print(f"{rules_file}: {plural(len(rules.rules), 'rule')}, {found}")
    return 0


def _live(rules: "Rules", samples: "Sequence[Sample]") -> "Live":
    """Ask the Airflows of the rules."""
    from cli.checks.live_checks import live_checks

    confs: dict[str, list[tuple[str, JsonObject]]] = {}
    for sample in samples:
        for decision in sample.explained.decisions:
            if decision.request is not None:
                confs.setdefault(decision.rule, []).append((sample.file, decision.request.conf))
    return live_checks(rules, os.environ, confs)


def _show_live(live: "Live") -> tuple[int, int]:
    """Print the results for the Airflows, and return the number of errors and of warnings."""
    for rule in live.ready:
        print(printable(rule.line()))
    sys.stdout.flush()  # before the errors, if both go to one file
    errors, warnings = split(live.findings)
    print_findings([*errors, *warnings], mark=True)
    return len(errors), len(warnings)


def _print_document(
    rules: "Rules", samples: "Sequence[Sample]", problems: Sequence[str], live: "Live | None"
) -> int:
    """Print everything as one document, and return the exit status."""
    errors, warnings = split(live.findings if live is not None else [])
    found = document(
        [each.to_json() for each in (*(Finding("SampleProblem", text) for text in problems), *errors)],
        [*problems_json(rules.warnings), *(warning.to_json() for warning in warnings)],
        rules=[rule.name for rule in rules.rules],
        samples=[sample.to_json() for sample in samples],
        live=[rule.to_json() for rule in live.ready] if live is not None else None,
    )
    print_json(found)
    return 0 if found["ok"] else 1


@dataclass(frozen=True, slots=True)
class Sample:
    """One event of the samples.

    Attributes:
        file: The file that it came from.
        explained: The decision of each rule.
    """

    file: str
    explained: Explained

    def hits(self) -> list[str]:
        """Return the rules that match the sample."""
        return [decision.rule for decision in self.explained.decisions if decision.matched]

    def to_json(self) -> "JsonObject":
        """Return the sample's member of the `--json` document."""
        explained = self.explained
        return {
            "file": self.file,
            "id": explained.id,
            "type": explained.type,
            "error": explained.error,
            "hits": [*self.hits()],
        }

    def line(self) -> str:
        """Return the sample's line in the report."""
        if self.explained.error is not None:
            return f"{self.file}: not an event: {self.explained.error}"
        return f"{self.file}: {self.explained.type} {self.explained.id}: hits {listed(self.hits())}"


def read_samples(folder: Path, rules: "Rules", kind: str | None, via: "Via | None" = None) -> list[Sample]:
    """Explain every event of the files in a folder and the folders in it, ordered by name.

    Args:
        folder: The folder.
        rules: The rules.
        kind: The kind of a body without an event envelope whose members do not show it.
        via: How the events reached the app; None for the `via` of each rule, and for the hook of a body.
    """
    return [
        Sample(str(file), explained)
        for file in sorted(folder.rglob("*"))
        if file.suffix in SUFFIXES
        for explained in explain_body(read_body(str(file)), rules, kind, via, as_asked=True)
    ]


def sample_problems(rules: "Rules", samples: Sequence[Sample], folder: str) -> Iterator[str]:
    """Yield the errors of the samples.

    Args:
        rules: The rules.
        samples: The samples.
        folder: Their folder, for the messages.
    """
    if not samples:
        found = (
            "there is no sample (*.json, *.jsonl) in it"
            if Path(folder).is_dir()
            else "there is no such folder"
        )
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
