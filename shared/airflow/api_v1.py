"""Airflow 2's REST API v1, as far as starting a run needs it.

Where it differs from v2, as observed on Airflow 2.11: a null `logical_date` is refused, and without one the
run takes the present moment; a run id with characters that it does not allow is answered 500, which would
look like an outage; there is no `run_after`; and 409 has two meanings, told apart by whether it quotes the
run id.
"""

import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.airflow.response import AirflowResponse, Question, why_unsendable
from shared.airflow.shapes import is_date_conflict
from shared.airflow.transport import NEWEST, NO_RUN, Transport, segment

if TYPE_CHECKING:
    from shared.runs.request import RunRequest
    from shared.values.json_text import JsonObject

_RUN_ID: Final = re.compile(r"[A-Za-z0-9_.~:+-]{1,250}")
"""`[scheduler] allowed_run_id_pattern` as it is by default, and the column's width."""
_MOMENTS: Final = 3


class AirflowV1:
    """Asks one Airflow 2.

    Args:
        transport: How it is reached.
        clock: Returns monotonic seconds.
    """

    api: Final = "v1"

    def __init__(self, transport: Transport, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._clock = clock

    def start_run(self, request: "RunRequest", *, within: float | None = None) -> AirflowResponse:
        """Ask for a DAG run; `logical_date` is left out of the body where the run has none.

        Two runs that take the same moment as their date are rare and not the same run: the request is sent
        again, and takes another moment.

        Args:
            request: The run.
            within: Seconds that the request may take at most, where that is less than the connection's own.

        Raises:
            CredentialError: There is no token to ask with; nothing was sent.
        """
        if reason := _why_no_run(request):
            return AirflowResponse(sent=False, invalid=reason)
        body: JsonObject = {"dag_run_id": request.dag_run_id, "conf": request.conf}
        if request.note is not None:
            body["note"] = request.note
        if request.logical_date is not None:
            body["logical_date"] = request.logical_date
        path = f"/api/v1/dags/{segment(request.dag_id)}/dagRuns"
        question = Question("start", "v1", request.dag_id, request.dag_run_id)
        deadline = None if within is None else self._clock() + within
        for _ in range(_MOMENTS):
            left = None if deadline is None else deadline - self._clock()
            answer = self._transport.ask("POST", path, body, question=question, within=left)
            if request.logical_date is not None or not is_date_conflict(answer):
                return answer
        return AirflowResponse(
            sent=False, error="other runs of the DAG took the same moment as their logical date, repeatedly"
        )

    def try_start(self, dag_id: str, *, within: float | None = None) -> AirflowResponse:
        """Ask for a run in a way that is always refused; arguments and errors as `start_run`.

        Who may start runs of the DAG is checked before the body: 403 for who may not, and
        otherwise 400 for its unknown key.
        """
        path = f"/api/v1/dags/{segment(dag_id)}/dagRuns"
        question = Question("refusal", "v1", dag_id)
        return self._transport.ask("POST", path, NO_RUN, question=question, within=within)

    def get_run(self, dag_id: str, dag_run_id: str, *, within: float | None = None) -> AirflowResponse:
        """Look a run up by its id; arguments and errors as `start_run`."""
        path = f"/api/v1/dags/{segment(dag_id)}/dagRuns/{segment(dag_run_id)}"
        question = Question("run", "v1", dag_id, dag_run_id)
        return self._transport.ask("GET", path, question=question, within=within)

    def get_dag(self, dag_id: str, *, within: float | None = None) -> AirflowResponse:
        """Look a DAG up by its id; arguments and errors as `start_run`."""
        question = Question("dag", "v1", dag_id)
        return self._transport.ask("GET", f"/api/v1/dags/{segment(dag_id)}", question=question, within=within)

    def newest_runs(
        self,
        dag_id: str,
        prefix: str,  # noqa: ARG002 - as v2 has it
        *,
        within: float | None = None,
    ) -> AirflowResponse:
        """Return a DAG's newest runs, newest first, of any id: Airflow 2 cannot be asked for some of them.

        Arguments and errors are those of `start_run`.
        """
        query = f"order_by=-id&limit={NEWEST}"
        path = f"/api/v1/dags/{segment(dag_id)}/dagRuns?{query}"
        return self._transport.ask("GET", path, question=Question("runs", "v1", dag_id), within=within)

    def get(self, path: str, *, within: float | None = None) -> AirflowResponse:
        """Ask for what is at a path below `/api/v1`, already quoted; errors as `start_run`."""
        question = Question("other", "v1")
        return self._transport.ask("GET", f"/api/v1{path}", question=question, within=within)


def _why_no_run(request: "RunRequest") -> str:
    """Return why Airflow 2 can never start this run; empty where it may."""
    if not _RUN_ID.fullmatch(request.dag_run_id):
        return f"the run id {request.dag_run_id!r} is not one that Airflow 2 takes"
    if request.run_after is not None:
        return "Airflow 2 knows no run_after; take it out of the rule"
    if request.logical_date is not None and not _is_moment(request.logical_date):
        return (
            f"not a DAG run: the logical date {request.logical_date!r} is no RFC 3339 date with a time zone"
        )
    return why_unsendable({"conf": request.conf})


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
