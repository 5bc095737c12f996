"""Checks of single members of an event, shared by every schema."""

import json
import re
from typing import Final

from shared.errors import EventError
from shared.values.json_text import Json, JsonObject

MAX_LENGTH: Final = 8192
"""Characters in one attribute; an ARM id has at most some 2,000, a blob's path 1,024."""

_SHOWN: Final = 60
_SHOWN_MEMBERS: Final = 4
_HUGE: Final = 10**_SHOWN
_EXTENSION_NAME: Final = re.compile(r"[a-z0-9]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_RFC3339: Final = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[Tt](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)"
    r"(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


def required_text(value: Json, name: str) -> str:
    """Return an attribute that every event must have.

    Raises:
        EventError: It is missing, empty, no string, too long, or holds control characters.
    """
    text = optional_text(value, name)
    if text is None:
        raise EventError(f"{name} is missing: every event needs one, as a string that is not empty")
    if not text:
        raise EventError(f"{name} is empty: every event needs one, as a string that is not empty")
    return text


def optional_text(value: Json, name: str) -> str | None:
    """Return an attribute that an event may have; null counts as absent (CloudEvents JSON format §2.2).

    Raises:
        EventError: It is no string, too long, or holds control characters (which CloudEvents forbids in
            the type String).
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise EventError(f"{name} is {kind(value)}, not a string: {shown(value)}")
    if len(value) > MAX_LENGTH:
        raise EventError(f"{name} has {len(value)} characters: at most {MAX_LENGTH} can be handled")
    if _CONTROL.search(value) is not None:
        raise EventError(f"{name} holds a control character: {shown(value)}")
    return value


def timestamp(value: Json, name: str) -> str | None:
    """Return a time as it arrived, after seeing that it is one.

    Raises:
        EventError: It is no RFC 3339 time with an offset.
    """
    text = optional_text(value, name)
    if text is not None and _RFC3339.fullmatch(text) is None:
        raise EventError(
            f"{name} is no RFC 3339 time such as 2026-01-31T09:30:00Z: {shown(text)}; mend it or leave it out"
        )
    return text


def is_extension_name(name: str) -> bool:
    """Tell whether CloudEvents allows a name for an attribute: lower-case letters and digits only."""
    return _EXTENSION_NAME.fullmatch(name) is not None


def is_extension_value(value: Json) -> bool:
    """Tell whether CloudEvents' JSON format has a type for an attribute's value: string, boolean, integer."""
    return isinstance(value, str | int)


def at(value: Json, *path: str) -> Json:
    """Return what stands at a path of member names, or None where the path ends early."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def text_at(value: Json, *path: str) -> str | None:
    """Return what stands at a path if it says something: a string or an integer, as text.

    An empty string and the string "None", which App Service sends for "nothing", count as nothing.
    """
    found = at(value, *path)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return found if isinstance(found, str) and found not in {"", "None"} else None


def lower_names(document: JsonObject) -> JsonObject:
    """Return the object under lower-case names: `metaDataVersion` and `metadataVersion` are one member."""
    return {name.lower(): value for name, value in document.items()}


def kind(value: Json) -> str:
    """Return what a JSON value is, with its article, in JSON's words."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def shown(value: Json) -> str:
    """Return a value for an error's text: JSON, short, printable, and never a whole payload."""
    if isinstance(value, str):
        text = json.dumps(value[:_SHOWN].encode(errors="backslashreplace").decode(), ensure_ascii=False)
        return text if len(value) <= _SHOWN else f'{text[:-1]}…"'
    if isinstance(value, list):
        members = [kind(v) if isinstance(v, list | dict) else shown(v) for v in value[:_SHOWN_MEMBERS]]
        return f"[{', '.join(members + ['…'] * (len(value) > _SHOWN_MEMBERS))}]"
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and not -_HUGE < value < _HUGE:
        return f"a number of more than {_SHOWN} digits"
    return json.dumps(value)
