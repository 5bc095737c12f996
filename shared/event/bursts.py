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
    """What a rule says about the burst that an event belongs to.

    Attributes:
        key: The rendered `by`.
        seconds: The window's length.
    """

    key: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Burst:
    """What a window has collected.

    Attributes:
        window: The window's id; empty for one that is only imagined.
        key: The value that its events have in common.
        events: At least one, as `in_order` gives them.
        conf_url: Where the whole conf will lie if it is too large for Airflow.
    """

    window: str
    key: str
    events: tuple[Event, ...]
    conf_url: str = ""

    @property
    def newest(self) -> Event:
        """The event whose attributes the rule's templates see beside `events`.

        It is the last one whose time can be read; the last to arrive, where no time can.
        """
        dated = [event for event in self.events if _time(event) is not None]
        return (dated or self.events)[-1]

    @property
    def undated(self) -> int:
        """How many of the events have no time that can be read: nobody knows where they belong."""
        return sum(_time(event) is None for event in self.events)


def in_order(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return each event once, the oldest first.

    Args:
        events: In the order of their arrival, which decides between those of the same time. An event without
            a time that can be read is neither the oldest nor the newest: it follows the one that arrived
            before it.
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
