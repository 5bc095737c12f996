"""docs/monitoring.md: every member of a line and every hop is on it, and its queries ask for nothing else."""

import json
import logging
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.admission.outage import Outage
from shared.callbacks.report_store import log_report
from shared.deciding.nearest import Unmatched
from shared.delivery.hops import HOPS
from shared.delivery.outcome_log import fields
from shared.delivery.outcomes import AIRFLOW_NOT_ANSWERING, Outcome, OutcomeKind
from shared.delivery.repeats import EVERY, Repeats
from shared.log import CHATTY, LOGGER
from tests.support.clocks import MonotonicClock
from tests.support.paths import ROOT
from tests.support.reports import REPORT

PAGE = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
FULL = Outcome(
    OutcomeKind.PARKED,
    rule="x",
    event_id="x",
    code="NoCapacity",
    reason="x",
    connection="x",
    dag_id="x",
    dag_run_id="x",
    event_type="x",
    source="x",
    cause="x",
    status=200,
    waits=1,
    retry_in=1.0,
    milliseconds={"total": 1.0},
)


def table(heading: str) -> set[str]:
    """Return the names in the first column of the table under a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def logged(caplog: pytest.LogCaptureFixture) -> set[str]:
    """Return the members of all lines that the app can write."""
    caplog.set_level(logging.INFO, logger="updraft")
    log_report(replace(REPORT, run=replace(REPORT.run, event_id="e-1")))
    clock = MonotonicClock()
    repeats = Repeats(clock)
    repeats.note(FULL)
    clock.sleep(EVERY)
    repeats.note(replace(FULL, is_repeat=True))
    LOGGER.error("x", exc_info=ValueError())
    unmatched = replace(FULL, unmatched=Unmatched("x", "x"))
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    return {*fields(unmatched), *(name for line in lines for name in line)} - {"message"}


def test_the_members_on_the_page_are_those_of_the_lines(caplog: pytest.LogCaptureFixture) -> None:
    """The table has every member that a line can have, and no other."""
    assert table("A line") == logged(caplog)


def test_the_hops_on_the_page_are_those_of_the_code() -> None:
    """The table has every hop, in the order in which the log has them."""
    section = PAGE.partition("\n## Where the time went\n")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == HOPS


def test_the_queries_ask_for_what_there_is(caplog: pytest.LogCaptureFixture) -> None:
    """Each of the three queries finds the app's lines, and reads members that they have."""
    queries = re.findall(r"```kusto\n(.+?)```", PAGE, re.DOTALL)
    assert len(queries) == 3
    assert all("""message startswith '{"message"'""" in query for query in queries)
    asked = {name for query in queries for name in re.findall(r"\bo\.(\w+)", query)}
    assert asked <= logged(caplog)
    words = {*re.findall(r'== "(\w+)"', "".join(queries))}
    assert words <= {kind.value for kind in OutcomeKind}


def test_the_words_on_the_pages_are_those_of_the_code() -> None:
    """The cause, the outcomes, the loggers and the conditions of a connection are spelt as in the code."""
    assert f"`{AIRFLOW_NOT_ANSWERING}`" in PAGE
    assert all(f"`{kind.value}`" in PAGE for kind in OutcomeKind)
    assert len(CHATTY) > 0
    assert "once in five minutes" in PAGE
    assert EVERY == 300
    calls = (ROOT / "docs/calls.md").read_text(encoding="utf-8")
    since = datetime(2026, 11, 25, 10, 6, 40, tzinfo=UTC)
    for outage in (Outage(since), Outage(since, status=503), Outage(since, is_tried=True)):
        assert f"| `{outage.condition}` |" in calls
