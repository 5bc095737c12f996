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
    """One Airflow; each process makes one for each connection.

    Attributes:
        airflow: The client.
        breaker: The circuit breaker.
        limiter: Limits the requests in flight.
        dags: Caches which DAGs are paused.
    """

    airflow: "AirflowClient"
    breaker: "Breaker"
    limiter: "Limiter"
    dags: PausedDags = field(default_factory=PausedDags)
