"""One Airflow as the relay sees it: its client, circuit breaker, limiter and paused DAGs."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from shared.airflow.response import AirflowResponse
from shared.delivery.paused_dags import PausedDags

if TYPE_CHECKING:
    from shared.admission.breaker import Breaker
    from shared.admission.limiter import Limiter
    from shared.runs.request import RunRequest


class Airflow(Protocol):
    """The requests that a delivery makes (`shared/airflow/client.py`)."""

    def start_run(self, request: "RunRequest", *, within: float | None = None) -> AirflowResponse:
        """Ask for a run."""

    def get_run(self, dag_id: str, dag_run_id: str, *, within: float | None = None) -> AirflowResponse:
        """Look a run up."""

    def get_dag(self, dag_id: str, *, within: float | None = None) -> AirflowResponse:
        """Look a DAG up."""

    def newest_runs(self, dag_id: str, prefix: str, *, within: float | None = None) -> AirflowResponse:
        """Ask for a DAG's newest runs, among them those whose ids begin with `prefix`."""


@dataclass(frozen=True, slots=True)
class Target:
    """One Airflow, with what protects it; made once a process for each connection.

    Attributes:
        airflow: Its client.
        breaker: Leaves it alone while it is down.
        limiter: Bounds the requests in flight.
        dags: Remembers which of its DAGs are paused.
    """

    airflow: Airflow
    breaker: "Breaker"
    limiter: "Limiter"
    dags: PausedDags = field(default_factory=PausedDags)
