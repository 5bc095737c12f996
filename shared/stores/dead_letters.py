"""Dead letters: events that cannot be delivered, one JSON blob each, with the reason.

The form is Event Grid's for CloudEvents (https://learn.microsoft.com/azure/event-grid/manage-event-delivery,
"Dead-letter schema"): the event, and five attributes about its delivery. So one reader reads Event Grid's
container and this app's. The member `updraft` has the facts that Event Grid does not know.

A dead letter is written once: neither a later delivery nor `updraft replay` changes it.
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
"""The version of the member `updraft`."""
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
"""The members that a dead letter adds to its event, in lower case."""
RAW_LIMIT: Final = 4 * 1_048_576
"""Characters of an unreadable body that are stored; Event Grid's largest delivery is 1 MB."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that cannot be delivered, and why.

    Attributes:
        subject: The event, the unreadable body, the direct run or the close of a window.
        code: The code of the reason, as in `BadRequest` or `TimeToLiveExceeded`.
        reason: The reason in words, with Airflow's message.
        at: When the dead letter is written, with a time zone.
        first_seen: When the subject first arrived.
        rule: The rule, or `call`; may be empty.
        request: The run request, if there was one.
        status: Airflow's last HTTP status.
        attempts: The number of deliveries.
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
        """The blob's name, from the rule and the whole event: the same at each try."""
        return letter_name(self.rule, self.subject)

    def to_document(self) -> JsonObject:
        """Return the dead letter as a JSON object.

        If an extension attribute of the event has the name of an added member, it is stored under `updraft`.
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
    """The store of dead letters."""

    def write(self, letter: DeadLetter) -> None:
        """Write a dead letter, unless the same event has one at the same rule.

        After a replay of the first dead letter, a second one is written.

        Raises:
            StorageUnavailable: It is not written; do not acknowledge the event.
        """


class BlobDeadLetters:
    """Stores dead letters in a blob container.

    Args:
        storage: The app's own Storage account.
        container: The container's name.
    """

    def __init__(self, storage: "Storage", *, container: str = DEAD_LETTERS_CONTAINER) -> None:
        self._storage = storage
        self._container = container

    def write(self, letter: DeadLetter) -> None:
        """Write a dead letter; see `DeadLetters`."""
        content = json.dumps(letter.to_document(), ensure_ascii=True, indent=1).encode()
        with storage_errors(f"a dead letter cannot be written to the container {self._container}"):
            container = self._storage.container(self._container)
            create_if_missing(
                container.create_container, lambda: _write_once(container, letter.name, content)
            )


def _write_once(container: "ContainerClient", first: str, content: bytes) -> None:
    """Write a dead letter that does not exist yet, or the next one if the last one was replayed.

    There is at most one dead letter more than there were replays: a request that reaches Storage late fails,
    because its name exists.
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
                raise  # the name does not exist: Storage refused the blob for another reason
            if not container.get_blob_client(begun_mark(numbered(first, latest))).exists():
                return
            number = latest + 1
        else:
            return


def _content(subject: Subject) -> tuple[JsonObject, JsonObject]:
    """Return the members of a subject in the dead letter, and the members under `updraft`."""
    if isinstance(subject, Event):
        arrival = event_members(subject)
        del arrival["event"]
        return subject.to_cloud_event(), {"kind": "event", **arrival}
    content = members_of(
        Resent(replace(subject, raw=subject.raw[:RAW_LIMIT])) if isinstance(subject, Unreadable) else subject
    )
    return content, {"kind": content.pop("kind")}
