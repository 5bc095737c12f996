"""docs/rules.md: every example on it does what it says."""

import ast
import json
import re
from typing import Any

import pytest

from shared.deciding.decide import Decision, explain
from shared.event import Event, read_events
from shared.rules import load_rules
from shared.rules.json_schema import rules_schema
from shared.rules.templates import compile_template, event_scope
from shared.rules.templates.filters import FILTERS
from tests.support.paths import ROOT

PAGE = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+) ([\w-]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CONNECTION = (
    "connections: {main: {url: 'https://airflow.example', auth: {kind: entra, scope: s}}}\nrules:\n- "
)


def examples() -> list[dict[str, str]]:
    """Return the page's examples: rules, an event, and the result."""
    found: list[dict[str, str]] = []
    for _, kind, text in BLOCKS:
        if kind in {"rule", "rules"}:
            whole = text if kind == "rules" else CONNECTION + text.replace("\n", "\n  ")
            found.append({"rules": whole, "kind": kind})
        else:
            found[-1][kind] = text
    return found


def decision(example: dict[str, str]) -> Decision:
    """Return what the example's rule says of the example's event."""
    rules = load_rules(example["rules"], file="docs/rules.md", settings={})
    [event] = read_events(example["event"])
    assert isinstance(event, Event)
    [decided] = explain(event, rules)
    return decided


@pytest.mark.parametrize(
    "example", examples(), ids=lambda example: example["rules"].split("name: ")[1].split()[0]
)
def test_each_example_gives_what_it_shows(example: dict[str, str]) -> None:
    """The event matches the rule and gives the conf, or the run id, that the page shows."""
    request = decision(example).request
    assert request is not None
    conf = dict(request.conf)
    assert "conf" in example or "run-id" in example
    if "conf" in example:
        shown = json.loads(example["conf"])
        if "_updraft" not in shown:  # the page's first example has it, and the others leave it out
            del conf["_updraft"]
        assert conf == shown
    if "run-id" in example:
        assert request.dag_run_id == example["run-id"].strip()


def test_the_page_has_examples() -> None:
    """The page's blocks were found at all."""
    assert len(examples()) >= 5


DATA: dict[str, Any] = {
    "tags": ["a", "b"],
    "text": '{"n": 1}',
    "files": [{"url": "u1"}, {"url": "u2"}],
    "name": "New Site (EU)",
}
EVENT = Event(
    id="1",
    source="/orders",
    type="Contoso.Done",
    subject="/orders/new.csv",
    time="2026-03-01T23:30:00+02:00",
    data=DATA,
)
FILTER_ROWS = re.findall(r"^\| (`[^|]*?`.*?) \| `(\{\{.*?\}\})` \| `(.*?)` \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("names", "source", "expected"), FILTER_ROWS)
def test_each_filter_gives_what_the_table_shows(names: str, source: str, expected: str) -> None:
    """The table's examples are true."""
    scope = event_scope(EVENT, None, rule="r", description="")
    value = compile_template(source.replace("\\|", "|")).render(scope)
    assert value == ast.literal_eval(expected)


def test_every_filter_is_on_the_page() -> None:
    """The table lists the filters that there are, and no others."""
    listed = {name for names, _, _ in FILTER_ROWS for name in re.findall(r"`(\w+)`", names)}
    assert listed == {*FILTERS, "default", "d"}


def test_every_key_is_on_the_page() -> None:
    """Each key of the schema is explained."""
    definitions: Any = rules_schema()["$defs"]
    for part in ("Connection", "RuleSpec", "When", "SubjectMatch", "Start"):
        for key in definitions[part]["properties"]:
            assert f"`{key}`" in PAGE or f"`{key}:" in PAGE, key
