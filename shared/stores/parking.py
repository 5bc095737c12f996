"""Parking: a delivery that has to wait is a message of a Storage queue, invisible until its next try.

A message has at most 64 KiB; a larger one is stored in a blob (`parked.py`).
"""

import math
import re
from typing import TYPE_CHECKING, Final, Protocol

from shared.azure.storage_account import CLAIMS_CONTAINER, create_if_missing, storage_errors
from shared.errors import EventError
from shared.stores.names import PARKED_QUEUE
from shared.stores.parked import Parked, opened, read_parked
from shared.stores.queue_messages import MESSAGE_LIMIT, message_size, send_message

if TYPE_CHECKING:
    from shared.azure.storage_account import Storage

LONGEST_DELAY: Final = 7 * 24 * 3600
"""Seconds that a message can stay invisible (Storage's limit)."""
_CLAIM: Final = re.compile(r"[0-9a-f]{64}\.json")  # another name could be a path out of the container


class ClaimGone(EventError):
    """The blob of a parked message was deleted: another copy of this message has ended."""


class Parking(Protocol):
    """The store of parked deliveries."""

    def park(self, parked: Parked, delay_seconds: float) -> None:
        """Store a delivery until its next try.

        Raises:
            StorageUnavailable: It is not stored; do not acknowledge the event.
        """

    def unpark(self, body: str | bytes) -> Parked:
        """Read a message, and its blob if it has one.

        Raises:
            EventError: It is not a message of this app.
            ClaimGone: Another copy of the message was delivered in the meantime.
            StorageUnavailable: The blob cannot be read now.
        """

    def forget(self, parked: Parked) -> None:
        """Delete the blob of a message, if it has one."""


class QueueParking:
    """Parks deliveries in a queue; a large work item is stored in a container.

    Args:
        storage: The app's own Storage account.
        queue: The queue's name, as in the trigger of parked deliveries.
        claims: The container's name.
    """

    def __init__(
        self, storage: "Storage", *, queue: str = PARKED_QUEUE, claims: str = CLAIMS_CONTAINER
    ) -> None:
        self._storage = storage
        self._queue = queue
        self._claims = claims

    def park(self, parked: Parked, delay_seconds: float) -> None:
        """Store a delivery; see `Parking`. The blob is written before the message that names it."""
        message = parked.to_message()
        with storage_errors(f"the delivery cannot be parked in the queue {self._queue}"):
            if message_size(message) > MESSAGE_LIMIT:
                self._write_claim(parked, message)
                message = parked.to_claim()
            delay = min(max(math.ceil(delay_seconds), 0), LONGEST_DELAY)
            send_message(self._storage, self._queue, message, delay=delay)

    def unpark(self, body: str | bytes) -> Parked:
        """Read a message; see `Parking`."""
        document = opened(body)
        claim = document.get("claim")
        if claim is None:
            return read_parked(document)
        if not isinstance(claim, str) or not _CLAIM.fullmatch(claim):
            raise EventError(
                f"a parked message's claim is {str(claim)[:80]!r}, which is not a blob name of this app"
            )
        return read_parked(opened(self._read_claim(claim)), claim=claim)

    def forget(self, parked: Parked) -> None:
        """Delete the blob of a message; see `Parking`."""
        from azure.core.exceptions import ResourceNotFoundError

        if parked.claim is None:
            return
        with storage_errors(f"a delivered event cannot be deleted from the container {self._claims}"):
            try:
                self._storage.container(self._claims).delete_blob(parked.claim)
            except ResourceNotFoundError:
                return  # deleted by an earlier try

    def _write_claim(self, parked: Parked, message: str) -> None:
        container = self._storage.container(self._claims)
        create_if_missing(
            container.create_container,
            lambda: container.upload_blob(parked.claim_name(), message.encode(), overwrite=True),
        )

    def _read_claim(self, claim: str) -> bytes:
        from azure.core.exceptions import ResourceNotFoundError

        with storage_errors(f"a parked event cannot be read from the container {self._claims}"):
            try:
                content: bytes = self._storage.container(self._claims).download_blob(claim).readall()
            except ResourceNotFoundError as exc:
                raise ClaimGone(
                    f"the blob {claim[:80]} was deleted: another copy of this message was delivered"
                ) from exc
        return content
