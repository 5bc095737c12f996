"""The names of the queues, for the triggers, the parking and the infrastructure."""

from typing import Final

EVENT_QUEUE: Final = "updraft-events"
"""The queue of Event Grid's Storage-queue subscriptions."""
PARKED_QUEUE: Final = "updraft-parked"
"""The queue of parked deliveries."""


def poison_queue(queue: str) -> str:
    """Return the queue to which the Functions host moves poison messages.

    The host appends `-poison`; see "Poison messages" in the reference of the Azure Queue storage trigger.
    """
    return f"{queue}-poison"
