"""Bursts: several events of one key, in order, each once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.errors import UnusableValue
from shared.event import Event
from shared.event.arrival import time_in_order
from shared.values.times import parse_time

_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BurstKey:
    """The burst that an event is part of.

    Attributes:
        key: The rendered `by`.
        seconds: The window's length.
    """

    key: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Burst:
    """The events of a window.

    Attributes:
        window: The window's id; empty in a preview.
        key: The value of `by` that the events share.
        events: At least one, in the order of `in_order`.
        conf_url: The address of the whole conf if it is too large for Airflow.
    """

    window: str
    key: str
    events: tuple[Event, ...]
    conf_url: str = ""

    @property
    def newest(self) -> Event:
        """The event whose attributes the rule's templates see, next to `events`.

        It is the last one with a readable time; the last to arrive if no time is readable.
        """
        dated = [event for event in self.events if _time(event) is not None]
        return (dated or self.events)[-1]

    @property
    def undated(self) -> int:
        """The number of events without a readable time, whose order is unknown."""
        return sum(_time(event) is None for event in self.events)


def in_order(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return each event once, the oldest first.

    Args:
        events: In the order of their arrival, which decides between equal times. An event without a readable
            time follows the one that arrived before it.
    """
    once: dict[tuple[str, str], Event] = {}
    for event in events:
        once.setdefault((event.source, event.id), event)
    placed: list[tuple[datetime, Event]] = []
    for event in once.values():
        before = placed[-1][0] if placed else _BEGINNING
        placed.append((_time(event) or before, event))
    return tuple(event for _, event in sorted(placed, key=lambda each: each[0]))


def _time(event: Event) -> datetime | None:
    try:
        return parse_time(time_in_order(event) or "")
    except UnusableValue:
        return None
