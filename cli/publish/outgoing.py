"""Reads and checks the events of a file before they are published; their text stays unchanged."""

import json
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cli.event_files import read_event_file
from cli.hints import updraft_on
from cli.publish.json_members import with_members
from shared.errors import EventError
from shared.values.json_text import JsonObject, parse

if TYPE_CHECKING:
    from shared.event import Event

SOME_TOPIC: Final = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/unknown"
    "/providers/Microsoft.EventGrid/topics/unknown"
)
"""A placeholder for the topic's resource id, which Event Grid writes into events of its own schema."""
_NEEDED: Final = ("id", "subject", "eventType", "eventTime")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One event to publish.

    Attributes:
        text: Its JSON, as it is sent.
        event: The event, as the app will read it. In Event Grid's schema, its source is the argument of
            `read_outgoing`.
        cloud_event: Whether it is a CloudEvent; otherwise it is in Event Grid's schema.
    """

    text: str
    event: "Event"
    cloud_event: bool


def read_outgoing(body: bytes, source: str = SOME_TOPIC, file: str = "-") -> list[Outgoing]:
    """Read the events of a file, before anything is sent.

    Event Grid writes the `topic` of an event, and refuses an event with another one
    (https://learn.microsoft.com/azure/event-grid/event-schema). So `topic` is left out, and an event that was
    delivered before, or a sample, can be published unchanged.

    Args:
        body: The content of the file: an event, an array of events, or one event a line.
        source: The resource id of the topic.
        file: The name of the file, for the commands in messages; `-` for standard input.

    Raises:
        EventError: It has a value that Event Grid refuses, or events of both schemas.
    """
    found = read_event_file(body)
    if not found:
        raise EventError("there is no event in an empty array")
    events = [_outgoing(each.text, each.place, each.event, source, file) for each in found]
    if len({each.cloud_event for each in events}) > 1:
        raise EventError(
            "the file mixes CloudEvents and events of Event Grid's schema, and a topic takes one schema: "
            "publish them from two files"
        )
    return events


def renewed(outgoing: Outgoing) -> Outgoing:
    """Return the event with a new id and the present time."""
    new_id, now = str(uuid.uuid4()), datetime.now(UTC).isoformat()
    time = "time" if outgoing.cloud_event else "eventtime"
    changes = {"id": json.dumps(new_id), time: json.dumps(now)}
    text = with_members(outgoing.text, changes, same=str if outgoing.cloud_event else str.lower)
    return replace(outgoing, text=text, event=replace(outgoing.event, id=new_id, time=now, notes=()))


def _outgoing(text: str, place: str, found: "Event | object", source: str, file: str) -> Outgoing:
    """Check one event.

    Raises:
        EventError: It cannot be published.
    """
    from shared.event import Event, Unreadable
    from shared.event.cloud_events import is_cloud_event, read_cloud_event
    from shared.event.event_grid import read_event_grid
    from shared.event.via import KINDS

    if isinstance(found, Event) and found.schema in KINDS:
        raise EventError(
            f"{place}a body of kind {found.schema} is not an event of a topic: "
            f"`{updraft_on(file, 'hook', found.schema)}` posts it to the app"
        )
    try:
        document = parse(text)
    except EventError:
        document = None
    if not isinstance(document, dict) or not (is_cloud_event(document) or _has(document, "eventType")):
        raise EventError(found.error if isinstance(found, Unreadable) else f"{place}it is not an event")
    needed = ("specversion",) if is_cloud_event(document) else _NEEDED
    if missing := [name for name in needed if not document.get(name)]:
        raise EventError(f"{place}the event has no {', '.join(missing)}, which Event Grid requires")
    try:
        if is_cloud_event(document):
            return Outgoing(text, read_cloud_event(document), cloud_event=True)
        sent = with_members(text, {"topic": None}, same=str.lower) if _has(document, "topic") else text
        event = read_event_grid(_without_topic(document) | {"topic": source})
    except EventError as error:
        raise EventError(f"{place}{error}") from None
    if event.time is None:
        raise EventError(
            f"{place}eventTime is not a time that Event Grid accepts: write it as in 2026-11-01T12:00:00Z"
        )
    return Outgoing(sent, event, cloud_event=False)


def _has(document: JsonObject, name: str) -> bool:
    return any(each.lower() == name.lower() for each in document)


def _without_topic(document: JsonObject) -> JsonObject:
    return {name: value for name, value in document.items() if name.lower() != "topic"}
