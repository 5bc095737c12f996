"""Queue messages: the last delivery of a message, and poison messages.

The host delivers a message that fails `maxDequeueCount` times (host.json) and then moves it to the queue's
poison queue. There the extension that production pins, Storage.Queues 5.3.7, delivers it as often again, and
then skips it without a log line. So at the last delivery a failure becomes a dead letter.

A message is moved to a poison queue only if at its last delivery the process is killed, `functionTimeout`
ends, or the dead letter cannot be written. The functions of the poison queues then write the dead letter. If
that fails, they put the message back as a new message.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.delivery.intake import Intake
from shared.log import LOGGER
from shared.stores.poison import AGAIN_AFTER

if TYPE_CHECKING:
    from shared.stores.poison import PoisonQueues


class QueueIntake:
    """Handles the messages of the app's queues; safe to use from any thread.

    If a method raises, the message stays in its queue.

    Args:
        intake: Handles the events of the messages.
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
            delivery: The number of this delivery, counted from 1; None if it is not known.
            inserted: When Storage received the message; the same at each delivery.
        """
        if inserted is not None and inserted.tzinfo is None:
            inserted = inserted.replace(tzinfo=UTC)
        outcomes = self._intake.receive_message(body, last_delivery=self._last(delivery), first_seen=inserted)
        self._intake.hold_back(outcomes)

    def receive_parked(self, body: bytes, delivery: int | None) -> None:
        """Try a parked delivery again; for the arguments see `receive_event`."""
        outcome = self._intake.receive_parked(body, last_delivery=self._last(delivery))
        self._intake.hold_back([outcome])

    def bury(self, body: bytes, *, queue: str) -> None:
        """Write the dead letter of a poison message; if that fails, put the message back.

        Args:
            body: The message's body, as it arrived.
            queue: The queue from which the message was moved to its poison queue.
        """
        try:
            self._intake.bury(body, queue=queue)
        except Exception as error:  # noqa: BLE001 - after any error the message must not be lost
            self._poison.put_back(queue, body)
            LOGGER.error(
                "operator action needed: the dead letter of a poison message of the queue %s cannot be "
                "written; it is tried again in %d s",
                queue,
                AGAIN_AFTER,
                exc_info=error,
            )

    def _last(self, delivery: int | None) -> int | None:
        """Return the number of the host's last delivery; None if the host delivers the message again."""
        return delivery if delivery is not None and delivery >= self._deliveries else None
