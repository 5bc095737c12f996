"""`POST outcomes`: run reports. The first report of a run is stored.

`for_airflow/` (`updraft_airflow.callback`) sends them: `run` with `dag_id` and `dag_run_id`, `state`,
`started_at`, `ended_at` and `detail`.
"""

import re
from typing import TYPE_CHECKING, Final

from shared.callbacks.report_store import RunReport, State, log_report
from shared.callbacks.tokens import LONGEST_TOKEN, TYPE
from shared.callers import check_may_report, report_entry
from shared.callers.jws_header import read_header
from shared.errors import UnusableValue
from shared.http_api.callers import Callers
from shared.http_api.refusals import answered
from shared.runs.ref import RunRef
from shared.values.dag_ids import dag_id_problem
from shared.values.json_text import JsonObject
from shared.values.storable import clean_text
from shared.values.times import now_text, parse_time, time_text
from shared.web import CallRefused, Reply, Request, bearer, read_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.callbacks.report_store import BlobRunReports
    from shared.callbacks.tokens import ReverseTokens

REPORT_LIMIT: Final = 16_384
"""Bytes of a report."""

_STATES: Final[dict[str, State]] = {"success": "success", "failed": "failed"}
_RUN_ID: Final = re.compile(r"[A-Za-z0-9_.~:+-]{1,250}")
_DETAIL_KEPT: Final = 1_000


class RunReportsEndpoint:
    """Receives run reports; safe to use from any thread.

    Args:
        callers: Checks token and rate.
        tokens: Returns the verifier of run tokens.
        reports: Stores the reports.
    """

    def __init__(
        self,
        callers: Callers,
        *,
        tokens: "Callable[[], ReverseTokens]",
        reports: "BlobRunReports",
    ) -> None:
        self._callers = callers
        self._tokens = tokens
        self._reports = reports

    @answered
    def report(self, request: Request) -> Reply:
        """Store the report of a run; answers 201, or 200 if the same was reported before.

        Raises:
            CallRefused: 409 if another state was reported before; 400, 401, 403, 413, 415 or 429 as for
                each call.
            ConfigurationError: Callers or the address of this app are not configured.
            StorageUnavailable: It is not stored; send the report again.
        """
        token = bearer(request)
        if _is_reverse(token):
            return self._keep(self._of_run(request, self._tokens().verify(token)))
        return self._keep(self._of_identity(request))

    def _of_run(self, request: Request, run: RunRef) -> RunReport:
        """Read the report of a run with its own token."""
        self._callers.rates.spend_run(run)
        body = read_object(request, limit=REPORT_LIMIT)
        if (run.dag_id, run.dag_run_id) != _named(body):
            raise CallRefused(403, "wrong_run", "the token is for another run than the reported run")
        return _report(body, run, "run")

    def _of_identity(self, request: Request) -> RunReport:
        """Read the report of an identity in `callers`."""
        with self._callers.admitted(request) as caller:
            identity = caller.identity
            check_may_report(caller.entries, identity)
            body = read_object(request, limit=REPORT_LIMIT)
            dag_id, run_id = _named(body)
            entry = report_entry(caller.entries, identity, dag_id=dag_id)
            report = _report(body, RunRef(entry.connection or "", dag_id, run_id), identity.object_id)
            self._callers.rates.spend(entry, identity)
        return report

    def _keep(self, report: RunReport) -> Reply:
        kept = self._reports.record(report)
        if kept.get("state") != report.state:
            raise CallRefused(
                409,
                "already_reported",
                f"the run's end was reported before, as {str(kept.get('state'))[:40]}",
            )
        first = kept == report.to_document()
        if first:
            log_report(report)
        run: JsonObject = {"dag_id": report.run.dag_id, "dag_run_id": report.run.dag_run_id}
        return Reply(
            201 if first else 200,
            {"run": run, "state": report.state, "reported_at": str(kept.get("reported_at"))},
        )


def _is_reverse(token: str) -> bool:
    """Return whether the header of a token has the type of a run token, which is not verified yet."""
    header = read_header(token, longest=LONGEST_TOKEN)
    return header is not None and header.get("typ") == TYPE


def _named(body: JsonObject) -> tuple[str, str]:
    run = body.get("run")
    dag_id, run_id = (run.get("dag_id"), run.get("dag_run_id")) if isinstance(run, dict) else (None, None)
    if not isinstance(dag_id, str) or dag_id_problem(dag_id) is not None:
        raise CallRefused(400, "bad_body", "run.dag_id has to be a DAG's id")
    if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id):
        raise CallRefused(400, "bad_body", "run.dag_run_id has to be a run's id")
    return dag_id, run_id


def _report(body: JsonObject, run: RunRef, reporter: str) -> RunReport:
    state = _STATES.get(str(body.get("state")))
    if state is None:
        raise CallRefused(400, "bad_body", "state has to be success or failed")
    detail = body.get("detail")
    if not isinstance(detail, str | None):
        raise CallRefused(400, "bad_body", "detail has to be a string")
    return RunReport(
        run=run,
        state=state,
        reported_by=reporter,
        reported_at=now_text(),
        started_at=_time(body, "started_at"),
        ended_at=_time(body, "ended_at"),
        detail=clean_text(detail)[:_DETAIL_KEPT] if detail else None,
    )


def _time(body: JsonObject, name: str) -> str | None:
    value = body.get(name)
    if value is None:
        return None
    try:
        return time_text(parse_time(value if isinstance(value, str) else ""))
    except UnusableValue as error:
        raise CallRefused(400, "bad_body", f"{name}: {error}") from None
