"""Dead letters: what cannot be delivered is kept, one JSON blob each, with the reason.

The form is Event Grid's own for CloudEvents (https://learn.microsoft.com/azure/event-grid/manage-event-delivery,
"Dead-letter schema"): the event, and five attributes about its delivery. So one reader serves Event Grid's
container and ours. A member `updraft` says what Event Grid cannot know.

A letter is written once: neither a later delivery nor `updraft replay` changes it.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

from shared.azure.storage_account import DEAD_LETTERS_CONTAINER, create_if_missing, storage_errors
from shared.event.model import Event, Unreadable
from shared.runs.request import RunRequest
from shared.stores.dead_letter_names import begun_mark, letter_name, number_of, numbered, stem
from shared.stores.work_forms import event_members, members_of
from shared.stores.work_items import Resent, Subject
from shared.values.json_text import JsonObject
from shared.values.times import milliseconds_text
from shared.visible_text import visible

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

    from shared.azure.storage_account import Storage

FORMAT: Final = 1
"""The version of the form of a letter's member `updraft`."""
LETTER_MEMBERS: Final = frozenset(
    {
        "deadletterreason",
        "deliveryattempts",
        "lastdeliveryoutcome",
        "lasthttpstatuscode",
        "publishtime",
        "lastdeliveryattempttime",
        "customdeliveryproperties",
        "deadletterproperties",
        "updraft",
    }
)
"""What a dead letter may have beside the event's own members, in lower case."""
RAW_LIMIT: Final = 4 * 1_048_576
"""Characters of an unreadable body that are kept; Event Grid's largest delivery is 1 MB."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Something that cannot be delivered, and why.

    Attributes:
        subject: The event, the body that could not be read as one, the direct run or the window's close.
        code: One word for the reason, as in `BadRequest` or `TimeToLiveExceeded`.
        reason: The reason for a person, with Airflow's own words.
        at: When it was given up, with a time zone.
        first_seen: When it first arrived.
        rule: The rule, or `call`; empty for a body that could not be read.
        request: The run that was asked for, where it came to that.
        status: Airflow's last HTTP status.
        attempts: How many deliveries there were.
    """

    subject: Subject
    code: str
    reason: str
    at: datetime
    first_seen: datetime
    rule: str = ""
    request: RunRequest | None = None
    status: int | None = None
    attempts: int = 1

    @property
    def name(self) -> str:
        """The blob's name, from the rule and the whole event: the same however often it is written."""
        return letter_name(self.rule, self.subject)

    def to_document(self) -> JsonObject:
        """Return the letter as a JSON object.

        An extension attribute of the event that has the name of one of the letter's own members stands under
        `updraft`, and comes out of the letter again.
        """
        content, kind = _content(self.subject)
        hidden = {name: content.pop(name) for name in sorted(LETTER_MEMBERS & content.keys())}
        return content | {
            "deadletterreason": self.code,
            "deliveryattempts": self.attempts,
            "lastdeliveryoutcome": visible(self.reason),
            "publishtime": milliseconds_text(self.first_seen),
            "lastdeliveryattempttime": milliseconds_text(self.at),
            "updraft": {
                "format": FORMAT,
                "rule": self.rule,
                "connection": self.request.connection if self.request else None,
                "dag": self.request.dag_id if self.request else None,
                "dag_run_id": self.request.dag_run_id if self.request else None,
                "code": self.code,
                "status": self.status,
                "reason": visible(self.reason),
                "attempts": self.attempts,
                "first_seen": milliseconds_text(self.first_seen),
                **kind,
                **({"extensions": hidden} if hidden else {}),
            },
        }


class DeadLetters(Protocol):
    """Where dead letters are kept."""

    def write(self, letter: DeadLetter) -> None:
        """Keep a letter, once: where the same event was given up at the same rule before, nothing changes.

        After `updraft replay` has sent that letter again, a further one is kept beside it.

        Raises:
            StorageUnavailable: It is not kept; the event must not be acknowledged.
        """


class BlobDeadLetters:
    """Keeps dead letters in a blob container.

    Args:
        storage: The app's own Storage account.
        container: The container's name.
    """

    def __init__(self, storage: "Storage", *, container: str = DEAD_LETTERS_CONTAINER) -> None:
        self._storage = storage
        self._container = container

    def write(self, letter: DeadLetter) -> None:
        """Keep a letter; see `DeadLetters`."""
        content = json.dumps(letter.to_document(), ensure_ascii=True, indent=1).encode()
        with storage_errors(f"a dead letter cannot be written to the container {self._container}"):
            container = self._storage.container(self._container)
            create_if_missing(
                container.create_container, lambda: _write_once(container, letter.name, content)
            )


def _write_once(container: "ContainerClient", first: str, content: bytes) -> None:
    """Write a letter that is not there yet, or the next one if the one there was sent again.

    There is at most one letter more than there were sendings. A request that reaches Storage late finds its
    name taken.
    """
    from azure.core.exceptions import ResourceExistsError
    from azure.storage.blob import ContentSettings

    json_type, number = ContentSettings(content_type="application/json"), 1
    while True:
        try:
            container.upload_blob(
                numbered(first, number), content, overwrite=False, content_settings=json_type
            )
        except ResourceExistsError:
            blobs = container.list_blobs(name_starts_with=stem(first))
            latest = max((number_of(blob.name, first) for blob in blobs), default=0)
            if latest < number:
                raise  # Storage refused the letter for another reason
            if not container.get_blob_client(begun_mark(numbered(first, latest))).exists():
                return
            number = latest + 1
        else:
            return


def _content(subject: Subject) -> tuple[JsonObject, JsonObject]:
    """Return what a letter holds of its subject, and what of it stands under `updraft`."""
    if isinstance(subject, Event):
        beside = event_members(subject)
        del beside["event"]
        return subject.to_cloud_event(), {"kind": "event", **beside}
    content = members_of(
        Resent(replace(subject, raw=subject.raw[:RAW_LIMIT])) if isinstance(subject, Unreadable) else subject
    )
    return content, {"kind": content.pop("kind")}
