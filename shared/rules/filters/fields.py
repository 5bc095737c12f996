"""The values of one event that filters ask for, and the keys that name them."""

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
    """What stands for a value that an event does not have."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING

type Found = Json | Missing

APP_MEMBERS: Final = tuple(field.name for field in fields(AppFacts))
"""What may follow `app.` in a key."""

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
"""Both schemas' names of an event's attributes, in lower case, with CloudEvents' own."""

_QUOTED: Final = r'"(?:[^"]|"")+"|' + r"'(?:[^']|'')+'"
_SEGMENT: Final = re.compile(rf"({_QUOTED}|[^.\"'][^.]*)(?:\.(?=.)|$)")
_OPENED: Final = re.compile(
    r"\((?P<within>.*\S)\s*\|\s*from_base64\s*\)(?:\.(?P<rest>.+))?|(?P<alone>.*\S)\s*\|\s*from_base64"
)
"""Base64 opened, spelt as in templates: the text alone, or what the JSON in it holds."""


class Fields:
    """One event's values, looked up by key; made once for an event and shared by all its rules.

    Attributes:
        event: The event itself.
    """

    __slots__ = ("_app", "_opened", "event")

    def __init__(self, event: Event) -> None:
        self.event = event
        self._app: AppFacts | Missing | None = MISSING
        self._opened: dict[tuple[str, ...], tuple[str | Missing, Json]] = {}

    @property
    def app(self) -> AppFacts | None:
        """What the event says about an app; worked out when first asked for."""
        if self._app is MISSING:
            self._app = app_facts(self.event)
        return self._app

    def get(self, key: "Key") -> Found:
        """Return the value that a key names, or MISSING where the event has none."""
        match key.room:
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
        """Return the text that Base64 holds, or what is at a path of the JSON in it; each is opened once."""
        known = self._opened.get(path)
        if known is None:
            text = _opened(_walk(self.event.data, path))
            known = self._opened[path] = (text, _parsed(text))
        return _walk(known[1], names) if names else known[0]


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a filter, understood once, when the rules are read.

    Attributes:
        text: The key as it was written.
        room: Where to look: `attribute`, `extension`, `data` or `app`.
        path: The names to follow there.
        inside: Where the value is Base64 that is opened first, the names to follow in the JSON that it holds;
            none of them where the text itself is meant.
    """

    text: str
    room: str
    path: tuple[str, ...]
    inside: tuple[str, ...] | None = None

    @property
    def place(self) -> tuple[str, tuple[str, ...], tuple[str, ...] | None]:
        """What the key names, however it is written."""
        return self.room, self.path, self.inside


def parse_key(text: str) -> Key:
    """Return the key that a text means.

    Names are joined by dots; a name that holds a dot itself stands in quotes, single or double, as in
    `data.claims."http://schemas.microsoft.com/identity/claims/scope"` (a quote inside is doubled). The first
    name is an attribute by any of its names in either schema, `data`, `app` or an extension attribute, in
    any letter case; names inside data are exact. `data.body | from_base64` is the text that Base64 holds,
    `(data.body | from_base64).speed` a member of the JSON in it.

    Raises:
        ValueError: The text is no key; its message is for the person who wrote it.
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
    if within.room != "data" or within.inside is not None:
        raise ValueError(
            f"{text!r}: only what is in data can be opened, and only once; write a key such as `data.body | "
            "from_base64`"
        )
    return Key(text, "data", within.path, _split(opened["rest"]) if opened["rest"] else ())


def nearby_name(key: Key, event: Event) -> str | None:
    """Return the name that the data has in another letter case or normal form where a key misses."""
    value = event.data
    for name in key.path if key.room == "data" else ():
        if not isinstance(value, dict):
            break
        if name not in value:
            return next((other for other in value if _alike(other, name)), None)
        value = value[name]
    return None


def opening_problem(key: Key, event: Event) -> str | None:
    """Return why nothing can be found in the Base64 that a key opens, for an explanation."""
    there = MISSING if key.inside is None else _walk(event.data, key.path)
    if there is MISSING or there is None:
        return None
    text = _opened(there)
    if text is MISSING:
        return "what is there is not Base64 of text"
    return "what the Base64 holds is not JSON" if key.inside and _parsed(text) is None else None


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
                "template's filter; a key knows from_base64 alone, as in (data.body | from_base64).speed, "
                "and a name that holds | stands in quotes"
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
            ' holds a dot in quotes, as in data.claims."http://example.com/name"'
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
    """Follow names into nested objects; whatever is no object has no members."""
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value
