"""Airflow 2's REST API v1, as far as starting a run needs it.

Where it differs from v2, as observed on Airflow 2.11: a null `logical_date` is refused, and without one the
run takes the present moment; a run id with characters that it does not allow is answered 500, which would
look like an outage; there is no `run_after`; and 409 has two meanings, told apart by whether it quotes the
run id.
"""

import re
import time
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.airflow.api import AirflowApi
from shared.airflow.response import AirflowResponse
from shared.airflow.shapes import is_date_conflict

if TYPE_CHECKING:
    from shared.runs.request import RunRequest
    from shared.values.json_text import JsonObject

_RUN_ID: Final = re.compile(r"[A-Za-z0-9_.~:+-]{1,250}")
"""`[scheduler] allowed_run_id_pattern` as it is by default, and the column's width."""
_MOMENTS: Final = 3


class AirflowV1(AirflowApi):
    """Asks one Airflow 2; see `AirflowApi`."""

    version = "v1"

    def start_run(self, request: "RunRequest", *, within: float | None = None) -> AirflowResponse:
        """Ask for a DAG run; `logical_date` is left out of the body where the run has none.

        Two runs that take the same moment as their date are rare and not the same run: the request is sent
        again, and takes another moment.
        """
        if reason := _why_no_run(request):
            return AirflowResponse(sent=False, invalid=reason)
        body: JsonObject = {"dag_run_id": request.dag_run_id, "conf": request.conf}
        if request.note is not None:
            body["note"] = request.note
        if request.logical_date is not None:
            body["logical_date"] = request.logical_date
        deadline = None if within is None else time.monotonic() + within
        for _ in range(_MOMENTS):
            left = None if deadline is None else deadline - time.monotonic()
            answer = self._start(request, body, left)
            if request.logical_date is not None or not is_date_conflict(answer):
                return answer
        return AirflowResponse(
            sent=False, error="other runs of the DAG took the same moment as their logical date, repeatedly"
        )

    def _search(self, prefix: str) -> str:  # noqa: ARG002 - as v2 has it
        """Search for nothing: Airflow 2 lists runs of any id."""
        return ""


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
    return ""


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
