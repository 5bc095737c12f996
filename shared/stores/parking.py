"""Parking: a delivery that has to wait lies in a Storage queue, invisible until its next try.

A message is JSON in ASCII, which needs no encoding. It holds 64 KiB. What does not fit goes into a blob, and
the message holds the blob's name: a claim check
(https://learn.microsoft.com/azure/architecture/patterns/claim-check). The kinds of what waits are in
`work_items.py`.
"""

import math
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

from shared.azure.storage_account import CLAIMS_CONTAINER, create_if_missing, storage_errors
from shared.errors import EventError
from shared.event.model import Event
from shared.event.via import is_via
from shared.stores.names import PARKED_QUEUE
from shared.stores.queue_messages import MESSAGE_LIMIT, message_size, send_message
from shared.stores.work_items import FORMAT, UnverifiedHook, encode, is_unverified_hook, opened, time_of
from shared.values.hashes import parts_hash
from shared.values.json_text import JsonObject
from shared.values.times import time_text
from shared.visible_text import visible

if TYPE_CHECKING:
    from shared.azure.storage_account import Storage

LONGEST_DELAY: Final = 7 * 24 * 3600
"""Seconds that a message can stay invisible (Storage's limit)."""
_REASON_KEPT: Final = 1_000
_CAUSE_KEPT: Final = 40
_CLAIM: Final = re.compile(r"[0-9a-f]{64}\.json")  # a name from elsewhere may climb out of the container


class ClaimGone(EventError):
    """The event of a parked message is no longer kept: another copy of this message came to its end."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A delivery that waits.

    Attributes:
        event: The event, whole.
        rule: The rule that it is parked for; empty for an event that is sent again to all rules.
        attempt: How many deliveries there were so far that count.
        first_seen: When the event first arrived, with a time zone.
        reason: Why it waits, in words.
        cause: Why it waits, in one word, as it was last logged: the same cause is not logged again.
        claim: The blob that keeps the event, where the message was too small for it.
        waits: How often it was parked without that being an attempt.
        rendered: Whether the run that it waits for was rendered: then only other rules can fail to.
        rule_changed_since: Since when no instance has had rules with a run for it, with a time zone; None
            where the last instance had.
        rule_changed_tries: How many instances in a row had no such rules.
    """

    event: Event
    rule: str
    attempt: int
    first_seen: datetime
    reason: str = ""
    claim: str | None = None
    waits: int = 0
    rendered: bool = False
    rule_changed_since: datetime | None = None
    rule_changed_tries: int = 0
    cause: str = ""

    def to_message(self) -> str:
        """Return the message with the event in it, as JSON text in ASCII."""
        event = self.event
        kept: JsonObject = {"event": event.to_cloud_event(), "schema": event.schema, "via": event.via}
        return encode(self._around(kept | ({"arrived": event.arrived} if event.arrived else {})))

    def to_claim(self) -> str:
        """Return the message with only the name of the blob that keeps the event."""
        return encode(self._around({"claim": self.claim_name()}))

    def claim_name(self) -> str:
        """Return the name of the blob: the same for the same parking, however often it is tried."""
        identity = (
            self.rule,
            self.event.source,
            self.event.id,
            self.first_seen.isoformat(),
            str(self.attempt),
            *([str(self.waits)] if self.waits else []),
        )
        return f"{parts_hash(*identity)}.json"

    def _around(self, kept: JsonObject) -> JsonObject:
        changed: JsonObject = {}
        if self.rule_changed_since is not None:
            changed = {
                "rule_changed": {
                    "since": self.rule_changed_since.isoformat(),
                    "tries": self.rule_changed_tries,
                }
            }
        return {
            "updraft": FORMAT,
            "rule": self.rule,
            "attempt": self.attempt,
            "first_seen": self.first_seen.isoformat(),
            "reason": visible(self.reason, _REASON_KEPT),
            **({"cause": self.cause} if self.cause else {}),
            **({"waits": self.waits} if self.waits else {}),
            **({"rendered": True} if self.rendered else {}),
            **changed,
            **kept,
        }

    @staticmethod
    def from_message(text: str | bytes) -> "Parked":
        """Read a message that has its event with it.

        Raises:
            EventError: It is not such a message; says what is wrong with it.
        """
        return _parked(opened(text))


type WorkItem = Parked | UnverifiedHook
"""What can wait."""


class Parking(Protocol):
    """Where deliveries wait."""

    def park(self, parked: WorkItem, delay_seconds: float) -> None:
        """Keep a delivery until its next try.

        Raises:
            StorageUnavailable: It is not kept; the event must not be acknowledged.
        """

    def unpark(self, body: str | bytes) -> WorkItem:
        """Read a message back, with its content from wherever that was kept.

        Raises:
            EventError: The message is not one of ours.
            ClaimGone: Another copy of the message was delivered in the meantime.
            StorageUnavailable: The event cannot be fetched now.
        """

    def forget(self, parked: WorkItem) -> None:
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

    def park(self, parked: WorkItem, delay_seconds: float) -> None:
        """Keep a delivery; see `Parking`. The blob is written before the message that names it."""
        message = parked.to_message()
        with storage_errors(f"the delivery cannot be parked in the queue {self._queue}"):
            if message_size(message) > MESSAGE_LIMIT:
                self._check_in(parked, message)
                message = parked.to_claim()
            delay = min(max(math.ceil(delay_seconds), 0), LONGEST_DELAY)
            send_message(self._storage, self._queue, message, delay=delay)

    def unpark(self, body: str | bytes) -> WorkItem:
        """Read a message back; see `Parking`."""
        document = opened(body)
        claim = document.get("claim")
        if claim is None:
            return _item(document)
        if not isinstance(claim, str) or not _CLAIM.fullmatch(claim):
            raise EventError(
                f"a parked message's claim is {str(claim)[:80]!r}, not the name of one of our blobs"
            )
        kept = opened(self._check_out(claim))
        return replace(_item(kept), claim=claim)

    def forget(self, parked: WorkItem) -> None:
        """Delete the claimed blob; see `Parking`. A blob that stays behind does no harm but its cost."""
        from azure.core.exceptions import ResourceNotFoundError

        if parked.claim is None:
            return
        with storage_errors(f"a delivered event cannot be deleted from the container {self._claims}"):
            try:
                self._storage.container(self._claims).delete_blob(parked.claim)
            except ResourceNotFoundError:
                return  # deleted by an earlier try

    def _check_in(self, parked: WorkItem, message: str) -> None:
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


def read_item(text: str | bytes) -> "WorkItem":
    """Return what a message holds that has its content with it.

    Raises:
        EventError: It is not a message of this app.
    """
    return _item(opened(text))


def _item(document: JsonObject) -> "WorkItem":
    return UnverifiedHook.from_document(document) if is_unverified_hook(document) else _parked(document)


def _parked(document: JsonObject) -> Parked:
    from shared.event import read_cloud_event

    rule, attempt, event = (document.get(name) for name in ("rule", "attempt", "event"))
    if not isinstance(rule, str):
        raise EventError("a parked message has no rule")
    waits = document.get("waits", 0)
    changed = document.get("rule_changed", {"since": None, "tries": 0})
    if not isinstance(changed, dict):
        raise EventError("a parked message's rule_changed is not an object")
    tries = changed.get("tries")
    for name, count in (("attempt", attempt), ("waits", waits), ("rule_changed.tries", tries)):
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise EventError(f"a parked message's {name} is {str(count)[:40]!r}, not a count")
    assert isinstance(attempt, int)
    assert isinstance(waits, int)
    assert isinstance(tries, int)
    if not isinstance(event, dict):
        raise EventError("a parked message has no event")
    via, arrived, schema = document.get("via"), document.get("arrived"), document.get("schema")
    if not is_via(via):
        raise EventError(f"a parked message's via is {str(via)[:40]!r}, which is not a way in")
    read = replace(
        read_cloud_event(event, via),
        arrived=None if arrived is None else time_text(time_of(document, "arrived")),
    )
    return Parked(
        event=replace(read, schema=schema) if isinstance(schema, str) else read,
        rule=rule,
        attempt=attempt,
        first_seen=time_of(document, "first_seen"),
        reason=str(document.get("reason", "")),
        waits=waits,
        rendered=document.get("rendered") is True,
        rule_changed_since=time_of(changed, "since") if tries else None,
        rule_changed_tries=tries,
        cause=str(document.get("cause", ""))[:_CAUSE_KEPT],
    )
