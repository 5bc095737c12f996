"""The values of one event that filters compare, and the keys that name them."""

import re
import unicodedata
from dataclasses import dataclass, fields
from enum import Enum
from typing import Final

from shared.errors import EventError, UnusableValue
from shared.event import Event
from shared.event.app_facts import AppFacts, app_facts
from shared.rules.filters.key_spelling import NAMES_OF_TEMPLATES, joined, needs_quotes, right_spelling
from shared.values.base64_text import text_from_base64
from shared.values.json_text import Json, parse
from shared.values.wording import did_you_mean


class Missing(Enum):
    """Represents a value that an event does not have."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING

type Found = Json | Missing

APP_MEMBERS: Final = tuple(field.name for field in fields(AppFacts))
"""The names after `app.` in a key."""

_ATTRIBUTES: Final = {
    "id": "id",
    "eventid": "id",
    "source": "source",
    "topic": "source",
    "type": "type",
    "eventtype": "type",
    "subject": "subject",
    "time": "time",
    "eventtime": "time",
    "datacontenttype": "datacontenttype",
    "contenttype": "datacontenttype",
    "dataschema": "dataschema",
    "schemaurl": "dataschema",
    "dataversion": "dataschema",
    "eventtypeversion": "dataschema",
}
"""The names of an event's attributes in both schemas, in lower case, and CloudEvents' name for each."""

_QUOTED: Final = r'"(?:[^"]|"")+"|' + r"'(?:[^']|'')+'"
_SEGMENT: Final = re.compile(rf"({_QUOTED}|[^.\"'][^.]*)(?:\.(?=.)|$)")
_OPENED: Final = re.compile(
    r"\((?P<within>.*\S)\s*\|\s*from_base64\s*\)(?:\.(?P<rest>.+))?|(?P<alone>.*\S)\s*\|\s*from_base64"
)
"""A key that decodes Base64, with or without members of the JSON in it."""


class Fields:
    """One event's values by key, shared by all rules that are evaluated for the event.

    Attributes:
        event: The event.
    """

    __slots__ = ("_app", "_opened", "event")

    def __init__(self, event: Event) -> None:
        self.event = event
        self._app: AppFacts | Missing | None = MISSING
        self._opened: dict[tuple[str, ...], tuple[str | Missing, Json]] = {}

    @property
    def app(self) -> AppFacts | None:
        """The app facts of the event, computed at the first access."""
        if self._app is MISSING:
            self._app = app_facts(self.event)
        return self._app

    def get(self, key: "Key") -> Found:
        """Return the value that a key names, or MISSING if the event does not have it."""
        match key.group:
            case "data" if key.inside is not None:
                return self._inside(key.path, key.inside)
            case "data":
                return _walk(self.event.data, key.path)
            case "app":
                return MISSING if self.app is None else _present(getattr(self.app, key.path[0]))
            case "attribute":
                return _present(getattr(self.event, key.path[0]))
            case _:
                return self.event.extensions.get(key.path[0], MISSING)

    def _inside(self, path: tuple[str, ...], names: tuple[str, ...]) -> Found:
        """Return the text that Base64 encodes, or a member of the JSON in it; each text is decoded once."""
        known = self._opened.get(path)
        if known is None:
            text = _opened(_walk(self.event.data, path))
            known = self._opened[path] = (text, _parsed(text))
        return _walk(known[1], names) if names else known[0]


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a filter, parsed once when the rules are loaded.

    Attributes:
        text: The key as it is written.
        group: `attribute`, `extension`, `data` or `app`.
        path: The names within the group.
        inside: For Base64, the names within the JSON that it encodes, or no names for the text itself. None
            if nothing is decoded.
    """

    text: str
    group: str
    path: tuple[str, ...]
    inside: tuple[str, ...] | None = None

    @property
    def place(self) -> tuple[str, tuple[str, ...], tuple[str, ...] | None]:
        """The named value, independent of the spelling."""
        return self.group, self.path, self.inside


def parse_key(text: str) -> Key:
    """Return the key that a text describes. docs/filters.md has the rules.

    Raises:
        ValueError: The text is not a key; the message is for the rule's author.
    """
    opened = _OPENED.fullmatch(text)
    if opened is not None:
        return _opened_key(text, opened)
    names = _split(text)
    first, rest = names[0].lower(), names[1:]
    if first in NAMES_OF_TEMPLATES and rest:
        raise ValueError(f"{text!r}: `{names[0]}` is not a name in filters; write {joined(rest)}")
    if first == "data":
        return Key(text, "data", rest)
    if first == "app" and rest:
        return _app_key(text, rest)
    if rest:
        raise ValueError(
            f"{text!r}: `{names[0]}` has no members; write data.{'.'.join(names)}, or the name alone"
        )
    if first in _ATTRIBUTES:
        return Key(text, "attribute", (_ATTRIBUTES[first],))
    return Key(text, "extension", (first,))


def _opened_key(text: str, opened: re.Match[str]) -> Key:
    within = parse_key((opened["within"] or opened["alone"]).strip())
    if within.group != "data" or within.inside is not None:
        raise ValueError(
            f"{text!r}: only values in data can be decoded, and only once; write a key such as `data.body | "
            "from_base64`"
        )
    return Key(text, "data", within.path, _split(opened["rest"]) if opened["rest"] else ())


def nearby_name(key: Key, event: Event) -> str | None:
    """Return the name in the data that differs from a missing key only in letter case or normal form."""
    value = event.data
    for name in key.path if key.group == "data" else ():
        if not isinstance(value, dict):
            break
        if name not in value:
            return next((other for other in value if _alike(other, name)), None)
        value = value[name]
    return None


def opening_problem(key: Key, event: Event) -> str | None:
    """Return why a key finds nothing in Base64, for an explanation; None if there is nothing to decode."""
    there = MISSING if key.inside is None else _walk(event.data, key.path)
    if there is MISSING or there is None:
        return None
    text = _opened(there)
    if text is MISSING:
        return "the value is not Base64 of text"
    return "the text in the Base64 is not JSON" if key.inside and _parsed(text) is None else None


def _alike(one: str, other: str) -> bool:
    return unicodedata.normalize("NFC", one).lower() == unicodedata.normalize("NFC", other).lower()


def _split(text: str) -> tuple[str, ...]:
    names: list[str] = []
    at = 0
    while at < len(text):
        match = _SEGMENT.match(text, at)
        if match is None:
            break
        name = match[1]
        if "|" in name and name[0] not in "\"'":
            raise ValueError(
                f"{text!r} has a filter of templates; write {text.partition('|')[0].strip()}, without the "
                "template's filter; a key can use only from_base64, as in (data.body | from_base64).speed, "
                "and a name that contains | needs quotes"
            )
        if name[0] in "\"'":
            name = name[1:-1].replace(name[0] * 2, name[0])
        elif needs_quotes(name) and (names or not name.isdigit()):
            raise ValueError(right_spelling(text, name))
        names.append(name)
        at = match.end()
    if at < len(text) or not names:
        raise ValueError(
            f"{text!r} is not a key; write names joined by dots, as in data.sourceSlot, and put a name that"
            ' contains a dot in quotes, as in data.claims."http://example.com/name"'
        )
    return tuple(names)


def _app_key(text: str, rest: tuple[str, ...]) -> Key:
    name = rest[0].lower()
    if len(rest) > 1 or name not in APP_MEMBERS:
        raise ValueError(
            f"{text!r}: `app` has no member `{'.'.join(rest)[:60]}`{did_you_mean(name, APP_MEMBERS)}; "
            f"it has {', '.join(APP_MEMBERS)}"
        )
    return Key(text, "app", (name,))


def _opened(value: Found) -> str | Missing:
    try:
        return text_from_base64(value) if isinstance(value, str) else MISSING
    except UnusableValue:
        return MISSING


def _parsed(text: str | Missing) -> Json:
    try:
        return parse(text) if isinstance(text, str) else None
    except EventError:
        return None


def _present(value: Json) -> Found:
    return MISSING if value is None else value


def _walk(value: Json, path: tuple[str, ...]) -> Found:
    """Follow names into nested objects; a value that is not an object has no members."""
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value
