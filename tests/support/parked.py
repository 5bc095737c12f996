"""A parked delivery."""

from shared.stores.parking import Parked
from tests.support.clocks import SEEN
from tests.support.delivery import event


def parked(payload: object = "small", attempt: int = 1) -> Parked:
    """Return a delivery that has to wait."""
    return Parked(event(data=payload), "smoke", attempt, SEEN, "Airflow cannot be reached")
