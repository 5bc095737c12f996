"""The values of one event that filters ask for, and the keys that name them."""

import re
from dataclasses import dataclass, fields
from enum import Enum
from typing import Final

from shared.event import Event
from shared.event.app_facts import AppFacts, app_facts
from shared.values.json_text import Json
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


class Fields:
    """One event's values, looked up by key; made once for an event and shared by all its rules.

    Attributes:
        event: The event itself.
    """

    __slots__ = ("_app", "event")

    def __init__(self, event: Event) -> None:
        self.event = event
        self._app: AppFacts | Missing | None = MISSING

    @property
    def app(self) -> AppFacts | None:
        """What the event says about an app; worked out when first asked for."""
        if self._app is MISSING:
            self._app = app_facts(self.event)
        return self._app

    def get(self, key: "Key") -> Found:
        """Return the value that a key names, or MISSING where the event has none."""
        match key.room:
            case "data":
                return _walk(self.event.data, key.path)
            case "app":
                return MISSING if self.app is None else _present(getattr(self.app, key.path[0]))
            case "attribute":
                return _present(getattr(self.event, key.path[0]))
            case _:
                return self.event.extensions.get(key.path[0], MISSING)


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a filter, understood once, when the rules are read.

    Attributes:
        text: The key as it was written.
        room: Where to look: `attribute`, `extension`, `data` or `app`.
        path: The names to follow there.
    """

    text: str
    room: str
    path: tuple[str, ...]


def parse_key(text: str) -> Key:
    """Return the key that a text means.

    Names are joined by dots; a name that holds a dot itself stands in quotes, single or double, as in
    `data.claims."http://schemas.microsoft.com/identity/claims/scope"` (a quote inside is doubled). The first
    name is an attribute by any of its names in either schema, `data`, `app` or an extension attribute, in
    any letter case; names inside data are exact.

    Raises:
        ValueError: The text is no key; its message is for the person who wrote it.
    """
    names = _split(text)
    first, rest = names[0].lower(), names[1:]
    if first == "data":
        return Key(text, "data", rest)
    if first == "app" and rest:
        return _app_key(text, rest)
    if rest:
        raise ValueError(
            f"{text!r}: {names[0]} has no members; dots lead into data (data.{'.'.join(names)}) and app"
        )
    if first in _ATTRIBUTES:
        return Key(text, "attribute", (_ATTRIBUTES[first],))
    return Key(text, "extension", (first,))


def nearby_name(key: Key, event: Event) -> str | None:
    """Return the name that the data has in another letter case where a key misses, for an explanation."""
    value = event.data
    for name in key.path if key.room == "data" else ():
        if not isinstance(value, dict):
            break
        if name not in value:
            return next((other for other in value if other.lower() == name.lower()), None)
        value = value[name]
    return None


def _split(text: str) -> tuple[str, ...]:
    names: list[str] = []
    at = 0
    while at < len(text):
        match = _SEGMENT.match(text, at)
        if match is None:
            break
        name = match[1]
        if name[0] in "\"'":
            name = name[1:-1].replace(name[0] * 2, name[0])
        names.append(name)
        at = match.end()
    if at < len(text) or not names:
        raise ValueError(
            f"{text!r} is no key: write names joined by dots, as in data.sourceSlot, and put a name that"
            ' holds a dot in quotes, as in data.claims."http://example.com/name"'
        )
    return tuple(names)


def _app_key(text: str, rest: tuple[str, ...]) -> Key:
    name = rest[0].lower()
    if len(rest) > 1 or name not in APP_MEMBERS:
        raise ValueError(f"{text!r}: app has {', '.join(APP_MEMBERS)}{did_you_mean(name, APP_MEMBERS)}")
    return Key(text, "app", (name,))


def _present(value: Json) -> Found:
    return MISSING if value is None else value


def _walk(value: Json, path: tuple[str, ...]) -> Found:
    """Follow names into nested objects; whatever is no object has no members."""
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value
