"""What the functions of the Storage queues call: the last delivery of a message, and poison messages.

The host delivers a message that fails `maxDequeueCount` times (host.json) and then moves it to the queue's
poison queue. There the extension that production pins, Storage.Queues 5.3.7, delivers it as often once more,
and then skips it without a word. So nothing is left to the host where the app can act: at the last delivery a
failure becomes a dead letter, and the message is done.

A message still gets into a poison queue where the process is killed, or runs into `functionTimeout`, at the
last delivery, and where that dead letter cannot be written. The functions of the poison queues write it then;
where they cannot, the message goes back as a new one.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.delivery.intake import Intake
from shared.log import LOGGER
from shared.stores.poison import AGAIN_AFTER

if TYPE_CHECKING:
    from shared.stores.poison import PoisonQueues


class QueueIntake:
    """Takes the messages of the app's queues; safe to use from any thread.

    A method that raises leaves the message in its queue.

    Args:
        intake: Handles what is in the messages.
        poison: The poison queues.
        deliveries: How often the host delivers a message that fails (`maxDequeueCount` in host.json).
    """

    def __init__(self, intake: Intake, poison: "PoisonQueues", *, deliveries: int) -> None:
        self._intake = intake
        self._poison = poison
        self._deliveries = deliveries

    def receive_event(self, body: bytes, delivery: int | None, inserted: datetime | None = None) -> None:
        """Handle a message of the event queue.

        Args:
            body: The message's body, as it arrived.
            delivery: The number of this delivery, counted from 1, where it is known.
            inserted: When Storage took the message in: the first arrival, the same at every delivery.
        """
        if inserted is not None and inserted.tzinfo is None:
            inserted = inserted.replace(tzinfo=UTC)
        outcomes = self._intake.receive_message(body, last_delivery=self._last(delivery), first_seen=inserted)
        self._intake.hold_back(outcomes)

    def receive_parked(self, body: bytes, delivery: int | None) -> None:
        """Try a parked delivery again; the arguments are those of `receive_event`."""
        outcome = self._intake.receive_parked(body, last_delivery=self._last(delivery))
        self._intake.hold_back([outcome])

    def bury(self, body: bytes, *, queue: str) -> None:
        """Keep a poison message as a dead letter, or put it back where that fails.

        Args:
            body: The message's body, as it arrived.
            queue: The queue that the message was given up in.
        """
        try:
            self._intake.bury(body, queue=queue)
        except Exception as error:  # noqa: BLE001 - whatever it is, the message must not be skipped in the end
            self._poison.put_back(queue, body)
            LOGGER.error(
                "operator action needed: a poison message of the queue %s cannot be kept as a dead letter; "
                "it is tried again in %d s",
                queue,
                AGAIN_AFTER,
                exc_info=error,
            )

    def _last(self, delivery: int | None) -> int | None:
        """Return a delivery's number where the host makes no further one."""
        return delivery if delivery is not None and delivery >= self._deliveries else None
