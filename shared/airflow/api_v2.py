"""Airflow 3's REST API v2: the differences from v1."""

from typing import TYPE_CHECKING

from shared.airflow.api import AirflowApi
from shared.airflow.response import AirflowResponse

if TYPE_CHECKING:
    from shared.runs.request import RunRequest


class AirflowV2(AirflowApi):
    """Sends requests to one Airflow 3; see `AirflowApi`."""

    version = "v2"

    def start_run(self, request: "RunRequest", *, within: float | None = None) -> AirflowResponse:
        """Request a DAG run; API v2 requires `logical_date` in the body, also if it is null."""
        from pydantic_core import ValidationError, to_jsonable_python

        from shared.airflow.official_client import slim_client

        try:
            body = slim_client().TriggerDAGRunPostBody(
                dag_run_id=request.dag_run_id,
                note=request.note,
                logical_date=request.logical_date,
                run_after=request.run_after,
            )
        except ValidationError as exc:
            problems = "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in exc.errors())
            return AirflowResponse(sent=False, invalid=f"not a DAG run: {problems}")
        # The conf is JSON already; the model would copy it twice.
        return self._start(request, {**to_jsonable_python(body.to_dict()), "conf": request.conf}, within)

    def _search(self, prefix: str) -> str:
        """Search by both parameters: Airflow before 3.3 has only `run_id_pattern`, which finds more."""
        return f"run_id_prefix_pattern={prefix}&run_id_pattern={prefix}&"
