"""Events in Event Grid's own schema (`topic`, `eventType`, `eventTime`, …)."""

from typing import Final

from shared.event.members import (
    is_extension_name,
    is_extension_value,
    lower_names,
    optional_text,
    required_text,
    timestamp,
)
from shared.event.model import Event
from shared.values.json_text import JsonObject

_KNOWN: Final = frozenset(
    {"id", "topic", "subject", "eventtype", "eventtime", "data", "dataversion", "metadataversion"}
)
_OF_AN_ENVELOPE: Final = frozenset(
    {"topic", "subject", "eventtime", "data", "dataversion", "metadataversion"}
)


def is_event_grid(document: JsonObject) -> bool:
    """Tell whether an object is in Event Grid's schema.

    An `id` and an `eventType` alone do not make one: the bodies of Azure DevOps have them too, with a
    `publisherId`, and without anything else of an Event Grid envelope.
    """
    names = {name.lower() for name in document}
    return "eventtype" in names and "publisherid" not in names and not _OF_AN_ENVELOPE.isdisjoint(names)


def read_event_grid(document: JsonObject) -> Event:
    """Return the event that an Event Grid schema object describes.

    `topic`, `eventType` and `eventTime` become `source`, `type` and `time`, `dataVersion` becomes
    `dataschema`; members that the schema does not know (those of a dead letter, a custom root key) become
    extensions under their lower-case names where those are names that CloudEvents allows. Letter case of
    the envelope's names does not matter: Azure's own samples differ in it (`metaDataVersion`).

    Raises:
        EventError: `id`, `topic` or `eventType` is missing, or a member is of the wrong type.
    """
    members = lower_names(document)
    return Event(
        id=required_text(members.get("id"), "id"),
        source=required_text(members.get("topic"), "topic"),
        type=required_text(members.get("eventtype"), "eventType"),
        subject=optional_text(members.get("subject"), "subject"),
        time=timestamp(members.get("eventtime"), "eventTime"),
        data=members.get("data"),
        dataschema=optional_text(members.get("dataversion"), "dataVersion") or None,
        extensions={
            name: value
            for name, value in members.items()
            if name not in _KNOWN and is_extension_name(name) and is_extension_value(value)
        },
        schema="event-grid",
    )
