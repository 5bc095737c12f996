"""A parked delivery."""

from shared.stores.parking import Parked, WorkItem
from tests.support.clocks import SEEN
from tests.support.delivery import event


def parked(payload: object = "small", attempt: int = 1) -> Parked:
    """Return a delivery that has to wait."""
    return Parked(event(data=payload), "smoke", attempt, SEEN, "Airflow cannot be reached")


def of_event(item: WorkItem) -> Parked:
    """Return a work item, which has to be an event."""
    assert isinstance(item, Parked)
    return item
