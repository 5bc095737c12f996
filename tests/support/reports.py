"""A report of how a run ended."""

from shared.callbacks.report_store import RunReport
from shared.runs.ref import RunRef

REPORT = RunReport(
    run=RunRef("analytics", "smoke_tests", "smoke__1__0a"),
    state="success",
    reported_by="run",
    reported_at="2026-01-01T00:05:00.000Z",
    started_at="2026-01-01T00:00:00Z",
    ended_at="2026-01-01T00:05:00Z",
    detail="all is well",
)
