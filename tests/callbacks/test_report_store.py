import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from shared.callbacks.report_store import log_report
from shared.runs.ref import RunRef
from tests.support.reports import REPORT


@pytest.mark.parametrize(
    "changes",
    [
        {"run": RunRef("other", "smoke_tests", "smoke__1__0a")},
        {"run": RunRef("analytics", "other", "smoke__1__0a")},
        {"run": RunRef("analytics", "smoke_tests", "other")},
    ],
)
def test_a_blob_is_the_runs_own(changes: dict[str, Any]) -> None:
    """Its name depends only on the run, so that every report of one run has the same blob."""
    assert replace(REPORT, state="failed", detail=None, reported_by="x").name == REPORT.name
    assert replace(REPORT, **changes).name != REPORT.name


@pytest.mark.parametrize("dag_id", ["..", "a/../b", "ü"])
def test_no_name_climbs_out_of_the_container(dag_id: str) -> None:
    """The blob of a DAG with any id is in one folder of the container."""
    folder, *rest = replace(REPORT, run=RunRef("c", dag_id, "r")).name.split("/")
    assert folder.strip(".")
    assert len(rest) == 1


def test_a_report_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The log line has members for queries, and does not count as a delivery's outcome."""
    with caplog.at_level(logging.INFO):
        log_report(REPORT)
    line = caplog.records[-1].getMessage()
    fields = json.loads(line)
    assert fields["message"] == "ended: run smoke__1__0a of DAG smoke_tests on analytics with success"
    assert (fields["rule"], fields["report"], "outcome" in fields) == ("smoke", "success", False)


def test_a_report_names_the_event_where_it_is_known(caplog: pytest.LogCaptureFixture) -> None:
    """A run's own token names its event; a report by an identity has none, and its line has none."""
    run = replace(REPORT.run, event_id="e-1\u202e")
    with caplog.at_level(logging.INFO):
        log_report(replace(REPORT, run=run))
        log_report(REPORT)
    known, unknown = (json.loads(record.getMessage()) for record in caplog.records)
    assert known["event"] == "e-1\\u202e"
    assert known["message"].endswith("with success, for event e-1\\u202e")
    assert "event" not in unknown
