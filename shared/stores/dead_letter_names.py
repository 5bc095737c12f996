"""The names of the blobs in the container of dead letters.

The name of a dead letter has its rule and the hash of its whole event, so that another event with the same
source and id is another blob. `updraft replay` does not change dead letters. It writes marks:

    <rule>/<yyyy>/<mm>/<dd>/<digest>.json           a dead letter
    <rule>/<yyyy>/<mm>/<dd>/<digest>.2.json         the second dead letter of the same event, after a replay
    _replayed/<name>/begun.json                     the replay of a dead letter begins
    _replayed/<name>/<time>.json, .part.json        the dead letter was replayed, completely or in part

The folder of a rule never begins with `_`.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Final

from shared.errors import UnusableValue
from shared.event.model import Unreadable
from shared.stores.work_items import Subject, WindowClose
from shared.values.json_text import Json, compact_text
from shared.values.times import parse_time

UNREADABLE: Final = "unreadable"
"""The folder of bodies that are not events."""
NO_RULE: Final = "no-rule"
"""The folder of events without a rule."""
REPLAYED: Final = "_replayed/"
"""The folder of the marks."""
NOT_CONTENT: Final = frozenset({"schema", "notes", "error", "arrived"})
"""Attributes that depend on the reading, and may differ between two deliveries of the same event."""
_FOLDER_LENGTH: Final = 100
_ENDING: Final = ".json"
_PART: Final = ".part.json"
_BEGUN: Final = "begun.json"
_STAMP: Final = "%Y%m%dT%H%M%S.%fZ"


def letter_name(rule: str, subject: Subject) -> str:
    """Return the name of a dead letter, which is the same at each try.

    The date is the date of the event or of the direct run. The close of a window has no date.

    Args:
        rule: The rule; may be empty.
        subject: The content of the dead letter.
    """
    name = f"{_digest(rule, subject)}{_ENDING}"
    if isinstance(subject, Unreadable):
        return f"{UNREADABLE}/{name}"
    day = _day(None if isinstance(subject, WindowClose) else subject.time)
    return f"{folder_of(rule)}/{day}/{name}"


def folder_of(rule: str) -> str:
    """Return the folder of a rule's dead letters: one short segment."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", rule[:_FOLDER_LENGTH]).strip("._-") or NO_RULE


def numbered(name: str, number: int) -> str:
    """Return the name of the `number`th dead letter of an event, counted from 1."""
    return name if number == 1 else f"{name.removesuffix(_ENDING)}.{number}{_ENDING}"


def stem(name: str) -> str:
    """Return the common prefix of the names of all dead letters of an event."""
    return name.removesuffix("json")


def number_of(name: str, first: str) -> int:
    """Return the number of a dead letter of an event, counted from 1; 0 if it belongs to another event.

    Args:
        name: The blob's name.
        first: The name of the event's first dead letter.
    """
    if name == first:
        return 1
    found = re.fullmatch(r"([1-9][0-9]{0,8})\.json", name.removeprefix(stem(first)))
    return int(found[1]) if found and name.startswith(stem(first)) else 0


def marks_of(name: str) -> str:
    """Return the prefix of the names of a blob's marks."""
    return f"{REPLAYED}{name}/"


def begun_mark(name: str) -> str:
    """Return the name of the mark that is written before a dead letter is replayed."""
    return f"{marks_of(name)}{_BEGUN}"


def sent_mark(name: str, at: datetime, *, whole: bool) -> str:
    """Return the name of the mark that is written after a blob was replayed.

    Args:
        name: The blob's name.
        at: When it was replayed, with a time zone.
        whole: Whether all its events were sent.
    """
    return f"{marks_of(name)}{at.astimezone(UTC).strftime(_STAMP)}{_ENDING if whole else _PART}"


def read_sent_mark(mark: str) -> tuple[str, datetime, bool] | None:
    """Return the arguments of `sent_mark` from a name; None if the name is not from there."""
    name, _, last = mark.removeprefix(REPLAYED).rpartition("/")
    whole = not last.endswith(_PART)
    stamp = last.removesuffix(_PART).removesuffix(_ENDING)
    try:
        at = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return (name, at, whole) if mark.startswith(REPLAYED) and last.endswith(_ENDING) else None


def _digest(rule: str, subject: Subject) -> str:
    """Return the SHA-256 of a rule and a subject; the order of members has no effect."""
    content: dict[str, Json] = {
        each.name: _ordered(getattr(subject, each.name))
        for each in fields(subject)
        if each.name not in NOT_CONTENT
    }
    return hashlib.sha256(compact_text([rule, content], ascii_only=True).encode()).hexdigest()


def _ordered(value: Json | Mapping[str, Json]) -> Json:
    if isinstance(value, Mapping):
        return {name: _ordered(member) for name, member in sorted(value.items())}
    if isinstance(value, list):
        return [_ordered(member) for member in value]
    return value


def _day(time: str | None) -> str:
    try:
        return parse_time(time or "", without_offset_is_utc=True).date().isoformat().replace("-", "/")
    except UnusableValue:
        return "undated"
