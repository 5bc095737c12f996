"""The records of the topic: published events, attempts to deliver, and given-up events."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class PublishedRecord:
    """One event that the topic accepted."""

    time: datetime
    event_id: str
    event_type: str


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One attempt to deliver one event.

    Attributes:
        time: When the attempt began.
        subscription: The subscription's name.
        event_id: The event's id.
        event_type: The event's type.
        attempt: Counted from 1.
        status: The HTTP status; None: no answer, or a queue.
        succeeded: Whether the destination accepted it.
        outcome: Event Grid's word: Success, NotFound, TimedOut, Busy, ...
        milliseconds: How long the attempt took.
    """

    time: datetime
    subscription: str
    event_id: str
    event_type: str
    attempt: int
    status: int | None
    succeeded: bool
    outcome: str
    milliseconds: float


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a subscription gave up, in the form of Event Grid's dead-letter container.

    Attributes:
        subscription: The subscription's name.
        event: The event with the members that Event Grid adds
        (learn.microsoft.com/azure/event-grid/delivery-and-retry).
    """

    subscription: str
    event: dict[str, Any]
