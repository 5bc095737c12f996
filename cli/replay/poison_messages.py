"""The messages of the app's poison queues: reads them, and deletes those that were sent again.

A message is open work, not evidence: it is deleted once it was sent again, because the app would write a dead
letter for it.

A message is hidden while the app works on it, and for ten minutes after its dead letter could not be written.
Nothing can read it then. If the app cannot start, a message stays hidden until the functions
`event_queue_poison` and `parked_queue_poison` are disabled.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cli.replay.container import Kept
from shared.azure.storage_account import CLAIMS_CONTAINER, storage_errors
from shared.errors import EventError
from shared.event.queue_bodies import open_queue_body, read_queue_body
from shared.stores.dead_letter_reader import BadLetter, Letter
from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE, poison_queue
from shared.stores.parked import Parked
from shared.stores.parking import QueueParking
from shared.stores.work_items import UnverifiedHook, subject_of

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient, QueueMessage

    from shared.azure.storage_account import Storage

HIDDEN_SECONDS: Final = 300
"""Seconds for which a message is hidden from the app while it is sent again."""
_BATCH: Final = 32
_CODE: Final = "MaxDeliveryAttemptsExceeded"
_NOT_VERIFIED: Final = (
    "it is a hook whose signature is not verified: the app verifies it when it takes the message again"
)


@dataclass(frozen=True, slots=True)
class _Taken:
    """A message, and what has to be deleted with it."""

    queue: "QueueClient"
    message: "QueueMessage"
    kept: Kept
    parked: Parked | None


class PoisonMessages:
    """The two poison queues, as a store of dead letters for one use; `finish` is safe from any thread.

    Args:
        storage: The app's own Storage account.
        take: Whether to hide the messages from the app, so that they can be taken out. Otherwise the first
            32 of each queue are looked at.
        events: The queue of events.
        parked: The queue of parked deliveries.
        claims: The container of events that are too large for a message.
    """

    name = "the poison queues"
    thing = "poison message"
    finished_words = "deleted from its poison queue"

    def __init__(
        self,
        storage: "Storage",
        *,
        take: bool,
        events: str = EVENT_QUEUE,
        parked: str = PARKED_QUEUE,
        claims: str = CLAIMS_CONTAINER,
    ) -> None:
        self._storage = storage
        self._parking = QueueParking(storage, queue=parked, claims=claims)
        self._take = take
        self._queues = {poison_queue(events): self._read_event, poison_queue(parked): self._read_parked}
        self._found: dict[str, _Taken] | None = None
        self._gone: set[str] = set()

    def names(self, *, rule: str = "", since: datetime | None = None, replayed: bool = False) -> list[str]:  # noqa: ARG002 - as the container has it
        """Return the messages' names, `<queue>/<id>`; none of those that were sent again, which are deleted.

        Raises:
            StorageUnavailable: A queue cannot be read.
        """
        return [] if replayed else list(self._messages())

    def read(self, name: str) -> Kept | None:
        """Return a message; None where it is gone or hidden; raises as `names`."""
        found = self._messages().get(name)
        return found.kept if found else None

    def read_all(self, names: Sequence[str]) -> Iterator[Kept]:
        """Yield the messages of these names that exist; raises as `names`."""
        yield from (kept for kept in map(self.read, names) if kept is not None)

    def begin(self, kept: Kept) -> None:
        """Do nothing: the message is hidden from the app already."""

    def finish(self, kept: Kept, sent: Sequence[Letter], *, whole: bool) -> bool:  # noqa: ARG002 - as the container has it
        """Delete a message that was sent again, and its claim; a message that was sent in part stays.

        Args:
            kept: The message.
            sent: Its events that were sent now.
            whole: Whether those are all. Otherwise the message stays, and the events end as duplicates when
                it is sent again.

        Returns:
            Whether it is deleted.

        Raises:
            StorageUnavailable: It is not deleted, and ends as a duplicate when it is delivered.
        """
        from azure.core.exceptions import ResourceNotFoundError

        if not whole:
            return False
        found = self._messages()[kept.name]
        doing = f"{kept.name} was sent again, and cannot be deleted"
        with storage_errors(doing), suppress(ResourceNotFoundError):  # the app has deleted it
            found.queue.delete_message(found.message.id, found.message.pop_receipt)
        self._gone.add(kept.name)
        if found.parked is not None:
            self._parking.forget(found.parked)
        return True

    def leave(self) -> list[str]:
        """Show the messages that were not deleted to the app again, and return what else is in the queues.

        Raises:
            StorageUnavailable: A queue cannot be asked for its length.
        """
        self._give_back()
        return list(self._unread())

    def _give_back(self) -> None:
        """Show the messages that were hidden and not deleted; a failure only delays that."""
        from azure.core.exceptions import AzureError

        with suppress(AzureError):
            for name, each in (self._found or {}).items():
                if self._take and name not in self._gone:
                    each.queue.update_message(each.message.id, each.message.pop_receipt, visibility_timeout=0)

    def _unread(self) -> Iterator[str]:
        """Yield a sentence for each queue that holds more messages than could be read."""
        for queue in self._queues:
            known = sum(name.startswith(f"{queue}/") for name in self._messages().keys() - self._gone)
            count = self._read(queue, lambda client: client.get_queue_properties().approximate_message_count)
            more = (count or 0) - known
            if more > 0:
                yield (
                    f"{queue} holds about {more} more that cannot be read now: most likely the app works on "
                    "them, or waits to try them again (docs/dead-letters.md, Poison messages)"
                )

    def _messages(self) -> "dict[str, _Taken]":
        if self._found is None:
            self._found = {}
            for queue, read in self._queues.items():
                client = self._storage.queue(queue)
                for message in self._read(queue, self._receive if self._take else self._peek) or ():
                    name = f"{queue}/{message.id}"
                    self._found[name] = _Taken(client, message, *read(name, message))
        return self._found

    def _read[T](self, queue: str, read: "Callable[[QueueClient], T]") -> T | None:
        """Return what `read` returns for a queue; None if the queue does not exist."""
        from azure.core.exceptions import ResourceNotFoundError

        with storage_errors(f"the queue {queue} cannot be read"):
            try:
                return read(self._storage.queue(queue))
            except ResourceNotFoundError:
                return None  # the first message creates the queue

    @staticmethod
    def _peek(client: "QueueClient") -> "list[QueueMessage]":
        return client.peek_messages(max_messages=_BATCH)

    @staticmethod
    def _receive(client: "QueueClient") -> "list[QueueMessage]":
        return list(client.receive_messages(messages_per_page=_BATCH, visibility_timeout=HIDDEN_SECONDS))

    @staticmethod
    def _read_event(name: str, message: "QueueMessage") -> tuple[Kept, None]:
        body = message.content or ""
        letters = [
            Letter(member, _CODE, "it is in the poison queue", at=message.inserted_on)
            for member in read_queue_body(body, "queue")
        ]
        return Kept(name, letters), None

    def _read_parked(self, name: str, message: "QueueMessage") -> tuple[Kept, Parked | None]:
        body = message.content or ""
        try:
            parked = self._parking.unpark(open_queue_body(body).content)
        except EventError as error:
            return Kept(name, bad=[BadLetter(str(error), body)]), None
        work = parked.work
        if isinstance(work, UnverifiedHook):  # its body is nobody's yet, and the app decides about it
            return Kept(name, bad=[BadLetter(_NOT_VERIFIED, "")]), parked
        letter = Letter(
            subject=subject_of(work),
            code=_CODE,
            reason=f"it is in the poison queue; parked because: {parked.reason}",
            rule=work.rule,
            attempts=parked.attempt,
            first_seen=parked.first_seen,
            at=message.inserted_on,
        )
        return Kept(name, [letter]), parked
