"""Airflow 3's REST API v2, as far as starting a run needs it."""

from typing import TYPE_CHECKING, Final

from shared.airflow.response import AirflowResponse, Question, why_unsendable
from shared.airflow.transport import NEWEST, NO_RUN, Transport, segment

if TYPE_CHECKING:
    from shared.runs.request import RunRequest


class AirflowV2:
    """Asks one Airflow 3.

    Args:
        transport: How it is reached.
    """

    api: Final = "v2"

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def start_run(self, request: "RunRequest", *, within: float | None = None) -> AirflowResponse:
        """Ask for a DAG run. `logical_date` is always in the body: API v2 demands the key, null or not.

        Args:
            request: The run.
            within: Seconds that the request may take at most, where that is less than the connection's own.

        Raises:
            CredentialError: There is no token to ask with; nothing was sent.
        """
        from pydantic_core import to_jsonable_python  # noqa: PLC0415 - loaded with the rules by now

        from shared.airflow.official_client import slim_client  # noqa: PLC0415 - costly, and only acting needs it

        fields = {
            "dag_run_id": request.dag_run_id,
            "conf": request.conf,
            "note": request.note,
            "logical_date": request.logical_date,
            "run_after": request.run_after,
        }
        if reason := why_unsendable({"conf": request.conf}):
            return AirflowResponse(sent=False, invalid=reason)
        try:
            body = to_jsonable_python(slim_client().TriggerDAGRunPostBody(**fields).to_dict())
        except ValueError as exc:  # pydantic's ValidationError is one
            return AirflowResponse(sent=False, invalid=f"not a DAG run: {exc}")
        path = f"/api/v2/dags/{segment(request.dag_id)}/dagRuns"
        question = Question("start", "v2", request.dag_id, request.dag_run_id)
        return self._transport.ask("POST", path, body, question=question, within=within)

    def try_start(self, dag_id: str, *, within: float | None = None) -> AirflowResponse:
        """Ask for a run in a way that is always refused; arguments and errors as `start_run`.

        Who may start runs of the DAG is checked before the body: 403 for who may not, and
        otherwise 422 for its missing `logical_date`.
        """
        path = f"/api/v2/dags/{segment(dag_id)}/dagRuns"
        question = Question("refusal", "v2", dag_id)
        return self._transport.ask("POST", path, NO_RUN, question=question, within=within)

    def get_run(self, dag_id: str, dag_run_id: str, *, within: float | None = None) -> AirflowResponse:
        """Look a run up by its id; arguments and errors as `start_run`."""
        path = f"/api/v2/dags/{segment(dag_id)}/dagRuns/{segment(dag_run_id)}"
        question = Question("run", "v2", dag_id, dag_run_id)
        return self._transport.ask("GET", path, question=question, within=within)

    def get_dag(self, dag_id: str, *, within: float | None = None) -> AirflowResponse:
        """Look a DAG up by its id; arguments and errors as `start_run`."""
        question = Question("dag", "v2", dag_id)
        return self._transport.ask("GET", f"/api/v2/dags/{segment(dag_id)}", question=question, within=within)

    def newest_runs(self, dag_id: str, prefix: str, *, within: float | None = None) -> AirflowResponse:
        """Return a DAG's newest runs whose ids begin so, newest first; arguments and errors as `start_run`.

        Airflow before 3.3 knows the slower pattern alone, which finds more: whoever asks looks at the ids.
        """
        query = f"run_id_prefix_pattern={prefix}&run_id_pattern={prefix}&order_by=-id&limit={NEWEST}"
        path = f"/api/v2/dags/{segment(dag_id)}/dagRuns?{query}"
        return self._transport.ask("GET", path, question=Question("runs", "v2", dag_id), within=within)

    def get(self, path: str, *, within: float | None = None) -> AirflowResponse:
        """Ask for what is at a path below `/api/v2`, already quoted; errors as `start_run`."""
        question = Question("other", "v2")
        return self._transport.ask("GET", f"/api/v2{path}", question=question, within=within)
