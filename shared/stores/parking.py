"""Parking: a delivery that has to wait lies in a Storage queue, invisible until its next try.

A message holds 64 KiB; what does not fit goes into a blob (`parked.py`).
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
_CLAIM: Final = re.compile(r"[0-9a-f]{64}\.json")  # a name from elsewhere may climb out of the container


class ClaimGone(EventError):
    """The event of a parked message is no longer kept: another copy of this message came to its end."""


class Parking(Protocol):
    """Where deliveries wait."""

    def park(self, parked: Parked, delay_seconds: float) -> None:
        """Keep a delivery until its next try.

        Raises:
            StorageUnavailable: It is not kept; the event must not be acknowledged.
        """

    def unpark(self, body: str | bytes) -> Parked:
        """Read a message back, with its content from wherever that was kept.

        Raises:
            EventError: The message is not one of ours.
            ClaimGone: Another copy of the message was delivered in the meantime.
            StorageUnavailable: The event cannot be fetched now.
        """

    def forget(self, parked: Parked) -> None:
        """Delete what was kept beside the message; harmless where there is nothing."""


class QueueParking:
    """Parks in a queue, and in a container what is too large for it.

    Args:
        storage: The app's own Storage account.
        queue: The queue's name, the one that the trigger of parked deliveries listens to.
        claims: The container's name.
    """

    def __init__(
        self, storage: "Storage", *, queue: str = PARKED_QUEUE, claims: str = CLAIMS_CONTAINER
    ) -> None:
        self._storage = storage
        self._queue = queue
        self._claims = claims

    def park(self, parked: Parked, delay_seconds: float) -> None:
        """Keep a delivery; see `Parking`. The blob is written before the message that names it."""
        message = parked.to_message()
        with storage_errors(f"the delivery cannot be parked in the queue {self._queue}"):
            if message_size(message) > MESSAGE_LIMIT:
                self._check_in(parked, message)
                message = parked.to_claim()
            delay = min(max(math.ceil(delay_seconds), 0), LONGEST_DELAY)
            send_message(self._storage, self._queue, message, delay=delay)

    def unpark(self, body: str | bytes) -> Parked:
        """Read a message back; see `Parking`."""
        document = opened(body)
        claim = document.get("claim")
        if claim is None:
            return read_parked(document)
        if not isinstance(claim, str) or not _CLAIM.fullmatch(claim):
            raise EventError(
                f"a parked message's claim is {str(claim)[:80]!r}, not the name of one of our blobs"
            )
        return read_parked(opened(self._check_out(claim)), claim=claim)

    def forget(self, parked: Parked) -> None:
        """Delete the claimed blob; see `Parking`. A blob that stays behind does no harm but its cost."""
        from azure.core.exceptions import ResourceNotFoundError

        if parked.claim is None:
            return
        with storage_errors(f"a delivered event cannot be deleted from the container {self._claims}"):
            try:
                self._storage.container(self._claims).delete_blob(parked.claim)
            except ResourceNotFoundError:
                return  # deleted by an earlier try

    def _check_in(self, parked: Parked, message: str) -> None:
        container = self._storage.container(self._claims)
        create_if_missing(
            container.create_container,
            lambda: container.upload_blob(parked.claim_name(), message.encode(), overwrite=True),
        )

    def _check_out(self, claim: str) -> bytes:
        from azure.core.exceptions import ResourceNotFoundError

        with storage_errors(f"a parked event cannot be read from the container {self._claims}"):
            try:
                content: bytes = self._storage.container(self._claims).download_blob(claim).readall()
            except ResourceNotFoundError as exc:
                raise ClaimGone(
                    f"the event kept as {claim[:80]} is gone: another copy of this message was delivered"
                ) from exc
        return content
