"""One Airflow as the relay sees it: its client, circuit breaker, limiter and paused DAGs."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.delivery.paused_dags import PausedDags

if TYPE_CHECKING:
    from shared.admission.breaker import Breaker
    from shared.admission.limiter import Limiter
    from shared.airflow.client import AirflowClient


@dataclass(frozen=True, slots=True)
class Target:
    """One Airflow, with what protects it; made once a process for each connection.

    Attributes:
        airflow: Its client.
        breaker: Leaves it alone while it is down.
        limiter: Bounds the requests in flight.
        dags: Remembers which of its DAGs are paused.
    """

    airflow: "AirflowClient"
    breaker: "Breaker"
    limiter: "Limiter"
    dags: PausedDags = field(default_factory=PausedDags)
