"""Events in Event Grid's schema (`topic`, `eventType`, `eventTime`, …)."""

from typing import Final

from shared.event.cloud_events import ATTRIBUTES
from shared.event.members import (
    lower_names,
    noted,
    required_text,
    usable_extensions,
    usable_text,
    usable_time,
)
from shared.event.model import Event
from shared.event.via import Via
from shared.values.json_text import JsonObject

_KNOWN: Final = frozenset(
    {"id", "topic", "subject", "eventtype", "eventtime", "data", "dataversion", "metadataversion"}
)
_TAKEN: Final = ATTRIBUTES - _KNOWN
"""Names that extensions must not have, because a CloudEvent has attributes of these names."""

_OF_AN_ENVELOPE: Final = frozenset(
    {"topic", "subject", "eventtime", "data", "dataversion", "metadataversion"}
)


def is_event_grid(document: JsonObject) -> bool:
    """Return whether an object is in Event Grid's schema.

    An `id` and an `eventType` are not enough: the bodies of Azure DevOps have them too, with a `publisherId`
    and without the other members of an Event Grid envelope.
    """
    names = {name.lower() for name in document}
    return "eventtype" in names and "publisherid" not in names and not _OF_AN_ENVELOPE.isdisjoint(names)


def read_event_grid(document: JsonObject, via: Via = "unknown") -> Event:
    """Return the event that an Event Grid schema object describes.

    `topic`, `eventType` and `eventTime` become `source`, `type` and `time`, `dataVersion` becomes
    `dataschema`; other members (of a dead letter, or a custom root key) become extensions under their
    lower-case names if CloudEvents allows the name. Letter case of the envelope's names does not count,
    because Azure's samples differ (`metaDataVersion`). The schema defines `eventTime` as UTC, so a missing
    offset means UTC
    (https://learn.microsoft.com/azure/event-grid/event-schema).

    Raises:
        EventError: `id`, `topic` or `eventType` is missing or of the wrong type. Other members that
            cannot be used become notes of the event.
    """
    members = lower_names(document)
    notes = [
        f"{name} is left out: a CloudEvent has an attribute of that name"
        for name in members
        if name in _TAKEN
    ]
    return Event(
        id=required_text(members.get("id"), "id"),
        source=required_text(members.get("topic"), "topic"),
        type=required_text(members.get("eventtype"), "eventType"),
        subject=usable_text(members.get("subject"), "subject", notes),
        time=usable_time(members.get("eventtime"), "eventTime", notes, without_offset_is_utc=True),
        data=members.get("data"),
        dataschema=usable_text(members.get("dataversion"), "dataVersion", notes) or None,
        extensions=usable_extensions(members, notes, known=_KNOWN | _TAKEN, renamed={}),
        schema="event-grid",
        via=via,
        notes=noted(notes),
    )
