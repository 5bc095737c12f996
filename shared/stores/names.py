"""The queues' names, which the triggers, the parking and the infrastructure agree on."""

from typing import Final

EVENT_QUEUE: Final = "updraft-events"
"""Where Event Grid's Storage-queue subscriptions deliver."""
PARKED_QUEUE: Final = "updraft-parked"
"""Where deliveries wait for their next try."""


def poison_queue(queue: str) -> str:
    """Return the queue to which the Functions host moves what it has given up on.

    The host appends `-poison` itself; see "Poison messages" in the Azure Queue storage trigger's reference.
    """
    return f"{queue}-poison"
