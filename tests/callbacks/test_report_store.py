import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from shared.callbacks.report_store import report_outcome
from shared.runs.ref import RunRef
from tests.support.reports import OUTCOME


@pytest.mark.parametrize(
    "changes",
    [
        {"run": RunRef("other", "smoke_tests", "smoke__1__0a")},
        {"run": RunRef("analytics", "other", "smoke__1__0a")},
        {"run": RunRef("analytics", "smoke_tests", "other")},
    ],
)
def test_a_blob_is_the_runs_own(changes: dict[str, Any]) -> None:
    """Its name comes from the run alone, so that every report of one run meets the same blob."""
    assert replace(OUTCOME, state="failed", detail=None, reported_by="x").name == OUTCOME.name
    assert replace(OUTCOME, **changes).name != OUTCOME.name


@pytest.mark.parametrize("dag_id", ["..", "a/../b", "ü"])
def test_no_name_climbs_out_of_the_container(dag_id: str) -> None:
    """Whatever a DAG is called, the blob lies in one folder of the container."""
    folder, *rest = replace(OUTCOME, run=RunRef("c", dag_id, "r")).name.split("/")
    assert folder.strip(".")
    assert len(rest) == 1


def test_an_outcome_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """It is an object that a query takes apart like that of every other outcome."""
    with caplog.at_level(logging.INFO):
        report_outcome(OUTCOME)
    line = caplog.records[-1].getMessage()
    fields = json.loads(line)
    assert fields["message"] == "ended: run smoke__1__0a of DAG smoke_tests on analytics with success"
    assert (fields["rule"], fields["outcome"], fields["state"]) == ("smoke", "ended", "success")
