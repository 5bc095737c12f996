"""The names of the blobs in the container of dead letters: a letter's own, and those of its marks.

A letter is named by its rule and by all that was given up, so that another event with the same source and id
is another blob. `updraft replay` leaves letters as they are and marks them with blobs of their own:

    <rule>/<yyyy>/<mm>/<dd>/<digest>.json                     a letter
    <rule>/<yyyy>/<mm>/<dd>/<digest>.2.json                   the same, given up again after it was sent again
    _replayed/<the letter's name>/begun.json                  it is about to be sent again
    _replayed/<the letter's name>/<time>.json, .part.json     it was sent again, whole or in part

No rule's folder begins with `_`, so no letter is taken for a mark.
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
"""The folder, in place of a rule's name, of bodies that are not events."""
NO_RULE: Final = "no-rule"
"""The folder of events that no rule had."""
REPLAYED: Final = "_replayed/"
"""Where the marks of letters are that were sent again."""
NOT_CONTENT: Final = frozenset({"schema", "notes", "error", "arrived"})
"""The attributes of an event, and of a body that is none, that say how it was read and not what it is.

They may differ from one delivery of the same event to the next.
"""
_FOLDER_LENGTH: Final = 100
_ENDING: Final = ".json"
_PART: Final = ".part.json"
_BEGUN: Final = "begun.json"
_STAMP: Final = "%Y%m%dT%H%M%S.%fZ"


def letter_name(rule: str, subject: Subject) -> str:
    """Return the name of a letter.

    The date in it is the event's own, or that of the call: the day on which it was given up differs from try
    to try. The close of a window has none.

    Args:
        rule: The rule that the event was given up at; empty where no rule had it.
        subject: What was given up.
    """
    name = f"{_digest(rule, subject)}{_ENDING}"
    if isinstance(subject, Unreadable):
        return f"{UNREADABLE}/{name}"
    day = _day(None if isinstance(subject, WindowClose) else subject.time)
    return f"{folder_of(rule)}/{day}/{name}"


def folder_of(rule: str) -> str:
    """Return the folder of a rule's letters: one short segment, whatever stands for the rule."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", rule[:_FOLDER_LENGTH]).strip("._-") or NO_RULE


def numbered(name: str, number: int) -> str:
    """Return the name of the letter of an event that was given up for the `number`th time, from 1."""
    return name if number == 1 else f"{name.removesuffix(_ENDING)}.{number}{_ENDING}"


def stem(name: str) -> str:
    """Return what the names of a letter and of the later ones of its event begin with."""
    return name.removesuffix("json")


def number_of(name: str, first: str) -> int:
    """Return which letter of its event a blob is, counted from 1; 0 if it is another one's.

    Args:
        name: The blob's name.
        first: The name of the event's first letter.
    """
    if name == first:
        return 1
    found = re.fullmatch(r"([1-9][0-9]{0,8})\.json", name.removeprefix(stem(first)))
    return int(found[1]) if found and name.startswith(stem(first)) else 0


def marks_of(name: str) -> str:
    """Return what the names of a blob's marks begin with."""
    return f"{REPLAYED}{name}/"


def begun_mark(name: str) -> str:
    """Return the name of the mark that is there before a letter is sent again."""
    return f"{marks_of(name)}{_BEGUN}"


def sent_mark(name: str, at: datetime, *, whole: bool) -> str:
    """Return the name of the mark that says that a blob was sent again.

    Args:
        name: The blob's name.
        at: When, with a time zone.
        whole: Whether all that it holds was sent by then.
    """
    return f"{marks_of(name)}{at.astimezone(UTC).strftime(_STAMP)}{_ENDING if whole else _PART}"


def read_sent_mark(mark: str) -> tuple[str, datetime, bool] | None:
    """Return the arguments of `sent_mark` that gave a name; None where it is not such a name."""
    name, _, last = mark.removeprefix(REPLAYED).rpartition("/")
    whole = not last.endswith(_PART)
    stamp = last.removesuffix(_PART).removesuffix(_ENDING)
    try:
        at = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return (name, at, whole) if mark.startswith(REPLAYED) and last.endswith(_ENDING) else None


def _digest(rule: str, subject: Subject) -> str:
    """Return the SHA-256 of all that was given up, whatever the order of members in its objects."""
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
