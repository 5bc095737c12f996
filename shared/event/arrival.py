"""The time by which events are ordered.

The sender sets an event's time. A fast clock, or a false time, would put the event after all later ones. So
if the time is more than `AHEAD` after the first arrival, the first arrival counts, for `latest_by` and in
windows. The event's `time` does not change: templates see it, and no run id changes.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.errors import UnusableValue
from shared.event.model import Event
from shared.values.times import parse_time, time_text

AHEAD: Final = timedelta(minutes=5)
"""The most that clocks may differ."""


def dated(event: Event, first_seen: datetime) -> Event:
    """Return an event with its arrival time and a note if its own time is too far ahead.

    Args:
        event: The event; an arrival time that it has does not change.
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
    note = f"time is {event.time}, which is ahead of its arrival: {arrived} counts for the order of events"
    return replace(event, arrived=arrived, notes=(*event.notes, note))


def time_in_order(event: Event) -> str | None:
    """Return the time by which events are ordered."""
    return event.arrived or event.time
