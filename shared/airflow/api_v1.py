"""Airflow 2's REST API v1, as far as starting a run needs it.

The differences from v2, as observed on Airflow 2.11: it refuses a null `logical_date`, and a run without one
gets the current time; it answers 500 to a run id with characters that it does not allow, which would look
like an outage; it has no `run_after`; and 409 has two meanings: it quotes the run id only if the id is taken.
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
"""The default of `[scheduler] allowed_run_id_pattern`, and the column's width."""
_MOMENTS: Final = 3


class AirflowV1(AirflowApi):
    """Sends requests to one Airflow 2; see `AirflowApi`."""

    version = "v1"

    def start_run(self, request: "RunRequest", *, within: float | None = None) -> AirflowResponse:
        """Request a DAG run; the body has no `logical_date` if the run has none.

        Two different runs may get the same current time as their date, which is rare: the request is sent
        again and gets a later time.
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
            sent=False, error="other runs of the DAG had the same logical date, repeatedly; try again later"
        )

    def _search(self, prefix: str) -> str:  # noqa: ARG002 - as v2 has it
        """Return nothing: Airflow 2 cannot search for ids."""
        return ""


def _why_no_run(request: "RunRequest") -> str:
    """Return why Airflow 2 can never start this run; empty if it can."""
    if not _RUN_ID.fullmatch(request.dag_run_id):
        return f"the run id {request.dag_run_id!r} is not allowed in Airflow 2"
    if request.run_after is not None:
        return "Airflow 2 has no run_after; remove it from the rule"
    if request.logical_date is not None and not _is_moment(request.logical_date):
        return f"the logical date {request.logical_date!r} is not an RFC 3339 date with a time zone"
    return ""


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
