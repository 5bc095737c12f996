"""Reports of how runs ended: who may make them, what they say, and that the first one counts.

The format is that of `for_airflow/` (`updraft_airflow.callback`): `run` with `dag_id` and `dag_run_id`,
`state`, `started_at`, `ended_at` and `detail`.
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
    """Takes reports; safe to use from any thread.

    Args:
        callers: Lets callers in.
        tokens: Gives what runs' own tokens are verified with.
        reports: Where they are kept.
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
        """Keep the report of a run; answers 201, or 200 where the same was reported before.

        Raises:
            CallRefused: 409 where another state was reported before; 400, 401, 403, 413, 415 or 429 as for
                every call.
            ConfigurationError: Callers, or the address of this app, are not set up.
            StorageUnavailable: It is not kept; the report must come again.
        """
        token = bearer(request)
        if _is_reverse(token):
            return self._keep(self._of_run(request, self._tokens().verify(token)))
        return self._keep(self._of_identity(request))

    def _of_run(self, request: Request, run: RunRef) -> RunReport:
        """Read the report of a run that has proved itself with its own token."""
        self._callers.rates.spend_run(run)
        said = read_object(request, limit=REPORT_LIMIT)
        if (run.dag_id, run.dag_run_id) != _named(said):
            raise CallRefused(403, "wrong_run", "the token is for another run than the one that is reported")
        return _report(said, run, "run")

    def _of_identity(self, request: Request) -> RunReport:
        """Read a report by an identity that `callers` lets report."""
        with self._callers.admitted(request) as caller:
            identity = caller.identity
            check_may_report(caller.entries, identity)
            said = read_object(request, limit=REPORT_LIMIT)
            dag_id, run_id = _named(said)
            entry = report_entry(caller.entries, identity, dag_id=dag_id)
            report = _report(said, RunRef(entry.connection or "", dag_id, run_id), identity.object_id)
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
    """Tell which of the two kinds a token says that it is; nothing is believed by this, each is verified."""
    header = read_header(token, longest=LONGEST_TOKEN)
    return header is not None and header.get("typ") == TYPE


def _named(said: JsonObject) -> tuple[str, str]:
    run = said.get("run")
    dag_id, run_id = (run.get("dag_id"), run.get("dag_run_id")) if isinstance(run, dict) else (None, None)
    if not isinstance(dag_id, str) or dag_id_problem(dag_id) is not None:
        raise CallRefused(400, "bad_body", "run.dag_id has to be a DAG's id")
    if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id):
        raise CallRefused(400, "bad_body", "run.dag_run_id has to be a run's id")
    return dag_id, run_id


def _report(said: JsonObject, run: RunRef, reporter: str) -> RunReport:
    state = _STATES.get(str(said.get("state")))
    if state is None:
        raise CallRefused(400, "bad_body", "state has to be success or failed")
    detail = said.get("detail")
    if not isinstance(detail, str | None):
        raise CallRefused(400, "bad_body", "detail has to be a string")
    return RunReport(
        run=run,
        state=state,
        reported_by=reporter,
        reported_at=now_text(),
        started_at=_time(said, "started_at"),
        ended_at=_time(said, "ended_at"),
        detail=clean_text(detail)[:_DETAIL_KEPT] if detail else None,
    )


def _time(said: JsonObject, name: str) -> str | None:
    value = said.get(name)
    if value is None:
        return None
    try:
        return time_text(parse_time(value if isinstance(value, str) else ""))
    except UnusableValue as error:
        raise CallRefused(400, "bad_body", f"{name}: {error}") from None
