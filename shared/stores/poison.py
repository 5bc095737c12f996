"""Poison queues: messages that the Functions host gave up, until their dead letters are written."""

from typing import TYPE_CHECKING, Final, Protocol

from shared.azure.storage_account import storage_errors
from shared.stores.names import poison_queue
from shared.stores.queue_messages import queue_text, send_message

if TYPE_CHECKING:
    from shared.azure.storage_account import Storage

AGAIN_AFTER: Final = 600
"""Seconds until a message whose dead letter could not be written is tried again."""


class PoisonQueues(Protocol):
    """The poison queues of the app's own queues."""

    def put_back(self, queue: str, body: str | bytes) -> None:
        """Put the body of a poison message back, as a new message that never expires.

        Args:
            queue: The queue from which the message was moved to its poison queue.
            body: The message's body, as it arrived.

        Raises:
            StorageUnavailable: It is not in the queue; do not acknowledge the old message.
        """


class StoragePoisonQueues:
    """The poison queues of a Storage account.

    The host copies a message without a time to live, so it expires after seven days. Up to version 5.3.7,
    which production pins, its extension also counts the deliveries of poison messages, and skips a message
    after `maxDequeueCount` of them without a log line. A new message has neither limit.

    Args:
        storage: The app's own Storage account.
    """

    def __init__(self, storage: "Storage") -> None:
        self._storage = storage

    def put_back(self, queue: str, body: str | bytes) -> None:
        """Put a poison message back; see `PoisonQueues`."""
        name = poison_queue(queue)
        with storage_errors(f"a message cannot be put back into the queue {name}"):
            send_message(self._storage, name, queue_text(body), delay=AGAIN_AFTER)
