"""A body that arrived, whatever its schema, to events: one for each member, the bad ones set apart."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from shared.errors import EventError
from shared.event.cloud_events import is_binary_mode, is_cloud_event, read_binary_mode, read_cloud_event
from shared.event.event_grid import is_event_grid, read_event_grid
from shared.event.members import kind as kind_of
from shared.event.members import lower_names
from shared.event.model import Event, Unreadable
from shared.event.webhook_bodies import KINDS, likely_kind, read_webhook_body
from shared.values.json_text import Json, JsonObject, parse, split_array

_NO_HEADERS: Final[Mapping[str, str]] = {}
_IDENTITY: Final = {"id": ("id", "eventid"), "type": ("type", "eventtype"), "source": ("source", "topic")}
_SHOWN: Final = 1024

MAX_MEMBERS: Final = 5000
"""Members of one batch: the most that Event Grid delivers at once (`maxEventsPerBatch`)."""


def read_events(
    body: str | bytes, *, kind: str | None = None, headers: Mapping[str, str] | None = None
) -> list[Event | Unreadable]:
    """Return the events of a body, in their order; what cannot be read is an `Unreadable` in its place.

    Without a kind the schema is told by the content: Event Grid's, or CloudEvents in structured, batch or
    (by its headers) binary mode, or a dead letter of an Event Grid namespace.

    Args:
        body: The body of a request or queue message: one JSON object or an array of them, in UTF-8 with
            or without a byte order mark; in CloudEvents' binary mode the data itself.
        kind: `kudu`, `github`, `azure-devops` or `acr` for a body without an event envelope.
        headers: The request's HTTP headers, if there was a request.

    Raises:
        ValueError: The kind is none of these. Nothing is ever raised for what a body holds.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of body: {', '.join(KINDS)}")
    given = headers or _NO_HEADERS
    if kind is None and is_binary_mode(given):
        return [_read_binary(body, given)]
    text, remark = _decoded(body)
    try:
        document = parse(text)
    except EventError as error:
        members = split_array(text)
        if members is None:
            return [Unreadable(f"{error}{remark}", text)]
        return _read_apart(members, text, remark, kind, given)
    if isinstance(document, list):
        return _read_batch(document, text, kind, given)
    return [_read(document, text, "", kind, given)]


def _read_batch(
    documents: list[Json], text: str, kind: str | None, headers: Mapping[str, str]
) -> list[Event | Unreadable]:
    """Read the members of an array."""
    if len(documents) > MAX_MEMBERS:
        return [_too_many(len(documents), text)]
    texts = None
    events: list[Event | Unreadable] = []
    for number, document in enumerate(documents, 1):
        event = _read(document, "", f"member {number} of {len(documents)}: ", kind, headers)
        if isinstance(event, Unreadable):
            texts = texts or split_array(text) or []
            event = replace(event, raw=texts[number - 1])
        events.append(event)
    return events


def _read_apart(
    members: list[str], text: str, remark: str, kind: str | None, headers: Mapping[str, str]
) -> list[Event | Unreadable]:
    """Read the members of an array that is, as a whole, not JSON."""
    if len(members) > MAX_MEMBERS:
        return [_too_many(len(members), text)]
    events: list[Event | Unreadable] = []
    for number, member in enumerate(members, 1):
        place = f"member {number} of {len(members)}: "
        try:
            document = parse(member)
        except EventError as error:
            events.append(Unreadable(f"{place}{error}{remark}", member))
        else:
            events.append(_read(document, member, place, kind, headers))
    return events


def _too_many(count: int, text: str) -> Unreadable:
    return Unreadable(
        f"the batch has {count} members, and at most {MAX_MEMBERS} are read: send it in parts", text
    )


def _read(
    document: Json, text: str, place: str, kind: str | None, headers: Mapping[str, str]
) -> Event | Unreadable:
    """Read one member; `text` is how it arrived, and `place` says where in the body."""
    if not isinstance(document, dict):
        return Unreadable(f"{place}an event is a JSON object, and this is {kind_of(document)}", text)
    try:
        if kind is not None:
            return read_webhook_body(document, kind, headers)
        return _read_envelope(document)
    except EventError as error:
        return Unreadable(f"{place}{error}", text, **_identity(document))


def _read_envelope(document: JsonObject) -> Event:
    if is_cloud_event(document):
        return read_cloud_event(document)
    if is_event_grid(document):
        return read_event_grid(document)
    inner = document.get("event")
    if isinstance(inner, dict) and "deadletterProperties" in document:
        return read_cloud_event(inner)  # a dead letter of an Event Grid namespace wraps the event
    looks_like = likely_kind(document)
    raise EventError(
        "no event schema is like this: an Event Grid event has id, topic, eventType, eventTime and data, a"
        " CloudEvent has specversion, id, source and type"
        + (f"; the body looks like one of kind {looks_like}: read it as that kind" if looks_like else "")
    )


def _read_binary(body: str | bytes, headers: Mapping[str, str]) -> Event | Unreadable:
    content = body if isinstance(body, bytes) else body.encode(errors="backslashreplace")
    try:
        return read_binary_mode(content, headers)
    except EventError as error:
        names = {name.lower().removeprefix("ce-"): value for name, value in headers.items()}
        return Unreadable(
            str(error),
            content.decode(errors="backslashreplace"),
            id=names.get("id"),
            type=names.get("type"),
            source=names.get("source"),
        )


def _identity(document: JsonObject) -> dict[str, str | None]:
    """Return as much of a refused event's identity as can be read."""
    members = lower_names(document)
    found: dict[str, str | None] = {}
    for attribute, names in _IDENTITY.items():
        values = [members[name] for name in names if isinstance(members.get(name), str)]
        found[attribute] = str(values[0])[:_SHOWN] if values else None
    return found


def _decoded(body: str | bytes) -> tuple[str, str]:
    """Return the body's text, and what to add to an error about it.

    What is no text stands in it as backslash escapes, so that it can be kept whole; inside a JSON string
    such an escape is refused where it stands, and the members beside it are read.
    """
    if isinstance(body, str):
        text = body if body.isascii() else body.encode(errors="backslashreplace").decode()
        return text.removeprefix("\ufeff"), ""
    try:
        return body.decode("utf-8-sig"), ""
    except UnicodeDecodeError as error:
        remark = f" (and it is not UTF-8: {error.reason} at byte {error.start}; send UTF-8)"
        return body.decode(errors="backslashreplace"), remark
