"""Checks of single members of an event, for every schema."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Final

from shared.errors import EventError, UnusableValue
from shared.values.json_text import Json, JsonObject
from shared.values.times import rfc3339
from shared.visible_text import visible

MAX_LENGTH: Final = 8192
"""The most characters of one attribute; an ARM id has at most about 2,000, a blob's path 1,024."""

MAX_NOTES: Final = 10
"""The most notes of an event."""

_SHOWN: Final = 60
_SHOWN_MEMBERS: Final = 4
_HUGE: Final = 10**_SHOWN
_EXTENSION_NAME: Final = re.compile(r"[a-z0-9]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def required_text(value: Json, name: str) -> str:
    """Return an attribute that every event must have.

    Raises:
        EventError: It is missing, empty, not a string, too long, or holds control characters.
    """
    text = optional_text(value, name)
    if text is None:
        raise EventError(f"{name} is missing: every event needs one, as a string that is not empty")
    if not text:
        raise EventError(f"{name} is empty: every event needs one, as a string that is not empty")
    return text


def optional_text(value: Json, name: str) -> str | None:
    """Return an optional member, which must be text; null counts as absent (JSON format §2.2).

    Raises:
        EventError: It is not a string, too long, or holds control characters (which CloudEvents forbids in
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


def usable_text(value: Json, name: str, notes: list[str]) -> str | None:
    """Return an optional attribute, or None if it cannot be used.

    An event with an unusable attribute loses the attribute, never its run. CloudEvents forbids control
    characters in the type String; each is replaced by U+FFFD.

    Args:
        value: The attribute; null counts as absent (CloudEvents JSON format §2.2).
        name: Its name, for the notes.
        notes: Gets a note if it cannot be used.
    """
    if isinstance(value, str) and _CONTROL.search(value) is not None:
        notes.append(f"{name}: \ufffd replaces each control character: {shown(value)}")
        value = _CONTROL.sub("\ufffd", value)
    try:
        return optional_text(value, name)
    except EventError as error:
        notes.append(f"{name} is left out: {error}")
        return None


def usable_time(
    value: Json, name: str, notes: list[str], *, without_offset_is_utc: bool = False
) -> str | None:
    """Return a time in RFC 3339; None if it cannot be used.

    Args:
        value: The time; null counts as absent.
        name: The attribute's name, for the notes.
        notes: Gets a note if it cannot be used.
        without_offset_is_utc: Whether a time without an offset is in UTC.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        notes.append(f"{name} is left out: it is {kind(value)}, not a time: {shown(value)}")
        return None
    try:
        return rfc3339(value, without_offset_is_utc=without_offset_is_utc)
    except UnusableValue as error:
        notes.append(f"{name} is left out: {error}")
        return None


def noted(notes: list[str]) -> tuple[str, ...]:
    """Return the first `MAX_NOTES` notes, and the number of further ones."""
    more = len(notes) - MAX_NOTES
    return (*map(visible, notes[:MAX_NOTES]), *([f"and {more} more"] if more > 0 else []))


def is_extension_name(name: str) -> bool:
    """Return whether CloudEvents allows a name of an attribute: lower-case letters and digits only."""
    return _EXTENSION_NAME.fullmatch(name) is not None


def is_extension_value(value: Json) -> bool:
    """Return whether CloudEvents' JSON format allows a value for an attribute: string, boolean or integer."""
    return isinstance(value, str | int)


def usable_extensions(
    members: JsonObject, notes: list[str], *, known: Collection[str], renamed: Mapping[str, str]
) -> dict[str, Json]:
    """Return the further members of an event that can be extension attributes.

    Args:
        members: The event's members.
        notes: Gets a note for each member that cannot be used.
        known: The names of members that are not extension attributes.
        renamed: Names that are read although CloudEvents forbids them, with their new names.
    """
    found: dict[str, Json] = {}
    for name, value in members.items():
        kept = renamed.get(name, name)
        if name in known:
            continue
        if not is_extension_name(kept):
            notes.append(
                f"{shown(name)} is left out: CloudEvents allows lower-case letters and digits in the name of"
                " an attribute"
            )
        elif value is None:
            notes.append(f"{name} is null: it counts as absent")
        elif not is_extension_value(value):
            notes.append(
                f"{name} is left out: it is {kind(value)}, and an extension attribute is a string, a boolean"
                " or an integer; put anything else into data"
            )
        else:
            usable = usable_text(value, name, notes) if isinstance(value, str) else value
            found |= {} if usable is None else {kept: usable}
    return found


def at(value: Json, *path: str) -> Json:
    """Return the value at a path of member names, or None if a member is missing."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def text_at(value: Json, *path: str) -> str | None:
    """Return the string or integer at a path as text, or None.

    An empty string counts as missing, and so does "None", which App Service sends for a missing value.
    """
    found = at(value, *path)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return found if isinstance(found, str) and found not in {"", "None"} else None


def lower_names(document: JsonObject) -> JsonObject:
    """Return the object under lower-case names: `metaDataVersion` equals `metadataVersion`."""
    return {name.lower(): value for name, value in document.items()}


def kind(value: Json) -> str:
    """Return the JSON type of a value, with its article."""
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
    """Return a value for an error message: JSON, short, visible, and never a whole payload."""
    if isinstance(value, str):
        text = visible(value, _SHOWN + 1).replace('"', '\\"')
        return f'"{text}"'
    if isinstance(value, list):
        members = [kind(v) if isinstance(v, list | dict) else shown(v) for v in value[:_SHOWN_MEMBERS]]
        return f"[{', '.join(members + ['…'] * (len(value) > _SHOWN_MEMBERS))}]"
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and not -_HUGE < value < _HUGE:
        return f"a number of more than {_SHOWN} digits"
    return json.dumps(value)
