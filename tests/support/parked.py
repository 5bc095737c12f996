"""Deliveries that wait."""

from datetime import datetime

from shared.event import Event
from shared.stores.parked import Parked, opened, read_parked
from shared.stores.work_items import RuleEvent
from tests.support.clocks import SEEN
from tests.support.delivery import event


def parked(payload: object = "small", attempt: int = 1) -> Parked:
    """Return a delivery that has to wait."""
    return parked_event(event(data=payload), attempt=attempt, reason="Airflow cannot be reached")


def parked_event(
    one: Event, rule: str = "smoke", attempt: int = 1, first_seen: datetime = SEEN, reason: str = ""
) -> Parked:
    """Return an event that waits for its rule."""
    return Parked(RuleEvent(one, rule), attempt, first_seen, reason)


def of_message(text: str | bytes) -> Parked:
    """Return what a message holds that has its work item with it."""
    return read_parked(opened(text))


def event_of(item: Parked) -> Event:
    """Return the event of a delivery that waits for a rule."""
    assert isinstance(item.work, RuleEvent)
    return item.work.event
