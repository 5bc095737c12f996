"""The requests that both versions of Airflow's REST API have, with the same paths below their prefix."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from shared.airflow.response import AirflowResponse, Question
from shared.airflow.transport import Transport, segment

if TYPE_CHECKING:
    from shared.runs.request import RunRequest
    from shared.values.json_text import JsonObject

type Version = Literal["v1", "v2"]

_NEWEST: Final = 16
"""Runs in one list. With 48 KB of conf each, they stay below the limit of a response's body."""
_REFUSED_BODY: Final = {"updraft_doctor": True}
"""A body that every version of the API refuses."""


class AirflowApi(ABC):
    """Sends requests to one Airflow by one version of its REST API.

    Every request has `within`: the most seconds that it may take, if that is less than the connection's
    time-outs. Every request raises `CredentialError` without a token; then nothing was sent.

    Args:
        transport: Sends the requests.

    Attributes:
        version: The version in paths.
    """

    version: ClassVar[Version]

    def __init__(self, transport: Transport[Any]) -> None:
        self._transport = transport

    @abstractmethod
    def start_run(self, request: "RunRequest", *, within: float | None = None) -> AirflowResponse:
        """Request a DAG run."""

    @abstractmethod
    def _search(self, prefix: str) -> str:
        """Return the part of a query that finds runs whose ids begin with `prefix`; empty to find all."""

    def try_start(self, dag_id: str, *, within: float | None = None) -> AirflowResponse:
        """Send a request for a run that is always refused, to test the permission.

        Airflow checks the permission to start runs of the DAG before it checks the body. So 403 means no, and
        400 (v1, an unknown key) or 422 (v2, no `logical_date`) means yes.
        """
        question = Question("refusal", self.version, dag_id)
        return self._post(self._runs(dag_id), dict(_REFUSED_BODY), question, within)

    def get_run(self, dag_id: str, dag_run_id: str, *, within: float | None = None) -> AirflowResponse:
        """Look a run up by its id."""
        path = f"{self._runs(dag_id)}/{segment(dag_run_id)}"
        return self._get(path, Question("run", self.version, dag_id, dag_run_id), within)

    def get_dag(self, dag_id: str, *, within: float | None = None) -> AirflowResponse:
        """Look a DAG up by its id."""
        return self._get(f"/dags/{segment(dag_id)}", Question("dag", self.version, dag_id), within)

    def newest_runs(self, dag_id: str, prefix: str, *, within: float | None = None) -> AirflowResponse:
        """Return a DAG's newest runs, newest first, including those whose ids begin with `prefix`.

        Some versions of Airflow return other runs as well: the caller has to check the ids.
        """
        query = f"{self._search(prefix)}order_by=-id&limit={_NEWEST}"
        return self._get(f"{self._runs(dag_id)}?{query}", Question("runs", self.version, dag_id), within)

    def get(self, path: str, *, within: float | None = None) -> AirflowResponse:
        """Send GET for a path with quoted segments, as in `/importErrors`."""
        return self._get(path, Question("other", self.version), within)

    def _start(self, request: "RunRequest", body: "JsonObject", within: float | None) -> AirflowResponse:
        question = Question("start", self.version, request.dag_id, request.dag_run_id)
        return self._post(self._runs(request.dag_id), body, question, within)

    def _runs(self, dag_id: str) -> str:
        return f"/dags/{segment(dag_id)}/dagRuns"

    def _get(self, path: str, question: Question, within: float | None) -> AirflowResponse:
        return self._transport.ask("GET", f"/api/{self.version}{path}", question=question, within=within)

    def _post(
        self, path: str, body: "JsonObject", question: Question, within: float | None
    ) -> AirflowResponse:
        return self._transport.ask(
            "POST", f"/api/{self.version}{path}", body, question=question, within=within
        )
