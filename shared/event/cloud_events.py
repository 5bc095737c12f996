"""Events as CloudEvents 1.0, in structured, batch and binary mode.

The rules are in https://github.com/cloudevents/spec (core specification, JSON format, HTTP protocol
binding). Azure's published samples break them in two points, which are accepted: `specVersion` for
`specversion`, and the member names in `_NAMES_AZURE_SENDS`.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from shared.errors import EventError
from shared.event.members import (
    kind,
    noted,
    required_text,
    shown,
    usable_extensions,
    usable_text,
    usable_time,
)
from shared.event.model import Event
from shared.event.via import Via
from shared.values.json_text import Json, JsonObject, parse

ATTRIBUTES: Final = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"}
    | {"data", "data_base64"}
)
"""The members of a CloudEvent that are not extension attributes."""

_NAMES_AZURE_SENDS: Final = {"operationId": "operationid"}
"""Names in Azure's samples that CloudEvents forbids; they are read in lower case."""

_VERSION: Final = "1.0"
_HEADER_PREFIX: Final = "ce-"
_REQUIRED_HEADERS: Final = {f"{_HEADER_PREFIX}{name}" for name in ("specversion", "id", "source", "type")}
_DATA_HEADERS: Final = {"ce-data", "ce-data_base64", "ce-datacontenttype"}  # the body and its header
_STRUCTURED: Final = "application/cloudevents"


def is_cloud_event(document: JsonObject) -> bool:
    """Return whether an object claims to be a CloudEvent of any version."""
    return "specversion" in document or "specVersion" in document or "cloudEventsVersion" in document


def read_cloud_event(document: JsonObject, via: Via = "unknown") -> Event:
    """Return the event that one CloudEvents JSON object describes; the inverse of `Event.to_cloud_event`.

    Args:
        document: The object.
        via: How it came.

    Raises:
        EventError: The version is unknown, a required attribute is missing, or the data does not match its
            description; the message names the member and the fix. Other attributes that break the
            specification become notes of the event.
    """
    if "specversion" not in document and "specVersion" in document:
        document = {("specversion" if name == "specVersion" else name): v for name, v in document.items()}
    version = document.get("specversion", document.get("cloudEventsVersion"))
    if version != _VERSION:
        raise EventError(f"specversion is {shown(version)}: send CloudEvents {_VERSION}")
    return _read(document, via)


def is_binary_mode(headers: Mapping[str, str]) -> bool:
    """Return whether HTTP headers carry an event's attributes (HTTP protocol binding §3.1)."""
    names = {name.lower(): value for name, value in headers.items()}
    structured = names.get("content-type", "").lower().startswith(_STRUCTURED)
    return not structured and not names.keys().isdisjoint(_REQUIRED_HEADERS)


def read_binary_mode(body: bytes, headers: Mapping[str, str], via: Via = "unknown") -> Event:
    """Return the event whose attributes are the `ce-` headers and whose data is the body.

    The content type decides how the body is read: JSON as a value (also without a content type), UTF-8 text
    as a string, and anything else as Base64.

    Raises:
        EventError: As `read_cloud_event`, or the content type is JSON and the body is not.
    """
    names = {name.lower(): value for name, value in headers.items()}
    document: JsonObject = {
        name.removeprefix(_HEADER_PREFIX): unquote(value)
        for name, value in names.items()
        if name.startswith(_HEADER_PREFIX) and name not in _DATA_HEADERS
    }
    content_type = names.get("content-type")
    document["datacontenttype"] = content_type
    if body:
        member, data = _body(body, content_type)
        document[member] = data
    return read_cloud_event(document, via)


def _read(document: JsonObject, via: Via) -> Event:
    event_id, source, event_type = (
        required_text(document.get(name), name) for name in ("id", "source", "type")
    )
    notes: list[str] = []
    content_type = _filled(document, "datacontenttype", notes)
    data, is_base64 = _data(document, content_type)
    return Event(
        id=event_id,
        source=source,
        type=event_type,
        subject=usable_text(document.get("subject"), "subject", notes),
        time=usable_time(document.get("time"), "time", notes),
        data=data,
        datacontenttype=content_type,
        dataschema=_filled(document, "dataschema", notes),
        extensions=_extensions(document, notes),
        data_is_base64=is_base64,
        via=via,
        notes=noted(notes),
    )


def _filled(document: JsonObject, name: str, notes: list[str]) -> str | None:
    """Return an attribute that must not be empty if it is present."""
    text = usable_text(document.get(name), name, notes)
    if text == "":  # "" is not null: it is present, and wrong
        notes.append(f"{name} is empty: it counts as absent")
    return text or None


def _extensions(document: JsonObject, notes: list[str]) -> dict[str, Json]:
    """Return the extension attributes; null counts as absent (JSON format §2.2)."""
    return usable_extensions(document, notes, known=ATTRIBUTES, renamed=_NAMES_AZURE_SENDS)


def _data(document: JsonObject, content_type: str | None) -> tuple[Json, bool]:
    """Return the payload, and whether it is binary, in Base64."""
    encoded = document.get("data_base64")
    if encoded is None:
        return document.get("data"), False
    if document.get("data") is not None:
        raise EventError("data and data_base64 are both present: send only one of them")
    if not isinstance(encoded, str):
        raise EventError(f"data_base64 is {kind(encoded)}, not a string")
    if not (_is_json(content_type) or _is_text(content_type)):
        return encoded, True
    try:
        member, data = _body(base64.b64decode(encoded, validate=True), content_type)
    except binascii.Error as error:
        raise EventError(f"data_base64 is not Base64: {error}") from None
    return data, member == "data_base64"


def _body(body: bytes, content_type: str | None) -> tuple[str, Json]:
    """Return the CloudEvent member for a payload's bytes, and its value."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        if _is_json(content_type):
            raise EventError(f"the data is not UTF-8, though its type is {content_type}") from None
        return "data_base64", base64.b64encode(body).decode()
    if _is_json(content_type):
        return "data", parse(text)
    if content_type is None:
        try:
            return "data", parse(text)
        except EventError:
            return "data", text
    if _is_text(content_type):
        return "data", text
    return "data_base64", base64.b64encode(body).decode()


def _media_type(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()


def _is_json(content_type: str | None) -> bool:
    media_type = _media_type(content_type)
    return media_type.endswith(("/json", "+json"))


def _is_text(content_type: str | None) -> bool:
    media_type = _media_type(content_type)
    return media_type.startswith("text/") or media_type.endswith(("/xml", "+xml"))
