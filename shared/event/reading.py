"""Reads bodies of any schema: one event for each member, or an `Unreadable`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from shared.errors import EventError
from shared.event.cloud_events import is_binary_mode, is_cloud_event, read_binary_mode, read_cloud_event
from shared.event.event_grid import is_event_grid, read_event_grid
from shared.event.members import kind as kind_of
from shared.event.members import lower_names
from shared.event.model import Event, Unreadable
from shared.event.via import KINDS, Via
from shared.values.json_text import Json, JsonObject, parse, split_array

_NO_HEADERS: Final[Mapping[str, str]] = {}
_IDENTITY: Final = {"id": ("id", "eventid"), "type": ("type", "eventtype"), "source": ("source", "topic")}
_SHOWN: Final = 1024

MAX_MEMBERS: Final = 5000
"""The most members of one batch: Event Grid does not deliver more (`maxEventsPerBatch`)."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """The origin of a body."""

    kind: str | None
    headers: Mapping[str, str]
    via: Via


def read_events(
    body: str | bytes,
    *,
    kind: str | None = None,
    headers: Mapping[str, str] | None = None,
    via: Via = "unknown",
) -> list[Event | Unreadable]:
    """Return the events of a body in order; a member that cannot be read is an `Unreadable`.

    Without a kind, the content decides the schema: Event Grid's, or CloudEvents in structured, batch or
    (by its headers) binary mode, or a dead letter of an Event Grid namespace.

    Args:
        body: The body of a request or queue message: one JSON object or an array of them, in UTF-8 with
            or without a byte order mark; in CloudEvents' binary mode the data itself.
        kind: `kudu`, `github`, `azure-devops` or `acr` for a body without an event envelope.
        headers: The HTTP headers of the request, if the body came by HTTP.
        via: The channel of the body; by default the kind's.

    Raises:
        ValueError: The kind is unknown. The content of a body never causes an error.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"{kind!r} is not a kind of body: {', '.join(KINDS)}")
    origin = _Origin(kind, headers or _NO_HEADERS, via)
    if kind is None and is_binary_mode(origin.headers):
        return [_read_binary(body, origin)]
    text, remark = _decoded(body)
    try:
        document = parse(text)
    except EventError as error:
        members = split_array(text)
        if members is None:
            return [Unreadable(f"{error}{remark}", text, via=via)]
        return _read_apart(members, text, remark, origin)
    if isinstance(document, list):
        return _read_batch(document, text, origin)
    return [_read(document, text, "", origin)]


def _read_batch(documents: list[Json], text: str, origin: _Origin) -> list[Event | Unreadable]:
    """Read the members of an array."""
    if len(documents) > MAX_MEMBERS:
        return [_too_many(len(documents), text, origin)]
    texts = None
    events: list[Event | Unreadable] = []
    for number, document in enumerate(documents, 1):
        event = _read(document, "", f"member {number} of {len(documents)}: ", origin)
        if isinstance(event, Unreadable):
            texts = texts or split_array(text) or []
            event = replace(event, raw=texts[number - 1])
        events.append(event)
    return events


def _read_apart(members: list[str], text: str, remark: str, origin: _Origin) -> list[Event | Unreadable]:
    """Read the members of an array that is not valid JSON as a whole."""
    if len(members) > MAX_MEMBERS:
        return [_too_many(len(members), text, origin)]
    events: list[Event | Unreadable] = []
    for number, member in enumerate(members, 1):
        place = f"member {number} of {len(members)}: "
        try:
            document = parse(member)
        except EventError as error:
            events.append(Unreadable(f"{place}{error}{remark}", member, via=origin.via))
        else:
            events.append(_read(document, member, place, origin))
    return events


def _too_many(count: int, text: str, origin: _Origin) -> Unreadable:
    return Unreadable(
        f"the batch has {count} members, and at most {MAX_MEMBERS} are read: send it in parts",
        text,
        via=origin.via,
    )


def _read(document: Json, text: str, place: str, origin: _Origin) -> Event | Unreadable:
    """Read one member; `text` is how it arrived, and `place` says where in the body."""
    if not isinstance(document, dict):
        return Unreadable(
            f"{place}an event is a JSON object, and this is {kind_of(document)}", text, via=origin.via
        )
    try:
        if origin.kind is not None:
            from shared.event.webhook_bodies import read_webhook_body

            event = read_webhook_body(document, origin.kind, origin.headers)
            return event if origin.via in {event.via, "unknown"} else replace(event, via=origin.via)
        return _read_envelope(document, origin.via)
    except EventError as error:
        return replace(_identity(document), error=f"{place}{error}", raw=text, via=origin.via)


def _read_envelope(document: JsonObject, via: Via) -> Event:
    if is_cloud_event(document):
        return read_cloud_event(document, via)
    if is_event_grid(document):
        return read_event_grid(document, via)
    inner = document.get("event")
    if isinstance(inner, dict) and "deadletterProperties" in document:
        return read_cloud_event(inner, via)  # a dead letter of an Event Grid namespace wraps the event
    from shared.event.body_shapes import likely_kind

    looks_like = likely_kind(document)
    raise EventError(
        "the event schema is unknown: an Event Grid event has id, topic, eventType, eventTime and data, a"
        " CloudEvent has specversion, id, source and type"
        + (f"; the body looks like one of kind {looks_like}: read it as that kind" if looks_like else "")
    )


def _read_binary(body: str | bytes, origin: _Origin) -> Event | Unreadable:
    content = body if isinstance(body, bytes) else body.encode(errors="backslashreplace")
    try:
        return read_binary_mode(content, origin.headers, origin.via)
    except EventError as error:
        names = {name.lower().removeprefix("ce-"): value for name, value in origin.headers.items()}
        return Unreadable(
            str(error),
            content.decode(errors="backslashreplace"),
            id=names.get("id"),
            type=names.get("type"),
            source=names.get("source"),
            via=origin.via,
        )


def _identity(document: JsonObject) -> Unreadable:
    """Return the readable part of a refused event's identity."""
    members = lower_names(document)
    found: dict[str, str | None] = {}
    for attribute, names in _IDENTITY.items():
        values = [members[name] for name in names if isinstance(members.get(name), str)]
        found[attribute] = str(values[0])[:_SHOWN] if values else None
    return Unreadable("", "", id=found["id"], type=found["type"], source=found["source"])


def _decoded(body: str | bytes) -> tuple[str, str]:
    """Return the body's text, and text for errors about it.

    Bytes that are not text become backslash escapes, so that the whole body can be stored. In a JSON string
    an escape makes its member unreadable; the other members are read.
    """
    if isinstance(body, str):
        text = body if body.isascii() else body.encode(errors="backslashreplace").decode()
        return text.removeprefix("\ufeff"), ""
    try:
        return body.decode("utf-8-sig"), ""
    except UnicodeDecodeError as error:
        remark = f" (and it is not UTF-8: {error.reason} at byte {error.start}; send UTF-8)"
        return body.decode(errors="backslashreplace"), remark
