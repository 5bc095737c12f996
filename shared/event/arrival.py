"""When an event counts as having happened, where events are put in order.

An event says itself when it happened. A clock that is fast, or a sender that lies, would put it in front of
all that follow. So a time of more than `AHEAD` after the first arrival counts as the first arrival, for
`latest_by` and in windows. The event's own `time` stays as it is: templates see it, and no run id changes.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.errors import UnusableValue
from shared.event.model import Event
from shared.values.times import parse_time, time_text

AHEAD: Final = timedelta(minutes=5)
"""How far clocks may differ."""


def dated(event: Event, first_seen: datetime) -> Event:
    """Return an event with the time of its arrival, and a note, where its own time is too far ahead.

    Args:
        event: The event; one that has the time of its arrival keeps it.
        first_seen: When it first arrived, with a time zone.
    """
    if event.arrived is not None or event.time is None:
        return event
    try:
        if parse_time(event.time) - first_seen <= AHEAD:
            return event
    except UnusableValue:
        return event
    arrived = time_text(first_seen)
    note = (
        f"time is {event.time}, which is ahead of its arrival: {arrived} counts where events are put in order"
    )
    return replace(event, arrived=arrived, notes=(*event.notes, note))


def time_in_order(event: Event) -> str | None:
    """Return the time that counts where events are put in order."""
    return event.arrived or event.time
