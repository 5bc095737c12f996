"""The events of a file that a person names: of any schema, mixed, one or an array of them, or one a line.

The app knows a hook's body by the address that it was posted to. A file has no address, so the shape of the
body tells its kind (`shared/event/body_shapes.py`), and `--as` decides where the shape tells none or several.
"""

import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared.errors import EventError
from shared.values.json_text import JsonObject, parse, split_array

if TYPE_CHECKING:
    from shared.event import Event, Unreadable
    from shared.event.via import Via

SUFFIXES: Final = (".json", ".jsonl", ".ndjson")
"""How the names of files with events end."""
_MARK: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class FileEvent:
    """One event of a file.

    Attributes:
        text: Its JSON, as it stands in the file.
        event: What the reader of the app makes of it.
        place: Where it stands in the file, for messages, as in `line 3: `; empty where it is the whole file.
    """

    text: str
    event: "Event | Unreadable"
    place: str = ""


def read_body(file: str) -> bytes | OSError:
    """Return what a file holds (`-`: standard input), or why it cannot be read."""
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        return error


def content_of(file: str) -> bytes:
    """Return what a file holds (`-`: standard input).

    Raises:
        EventError: It cannot be read; the sentence does not name it.
    """
    content = read_body(file)
    if isinstance(content, OSError):
        raise EventError(f"the file cannot be read: {content.strerror or content}")
    return content


def read_event_file(body: bytes, kind: str | None = None, via: "Via | None" = None) -> list[FileEvent]:
    """Return the events of a file, in their order; what cannot be read is an `Unreadable` in its place.

    Args:
        body: What the file holds.
        kind: What a body is whose shape does not tell its kind (`--as`).
        via: How the events come; None for a hook's own way, and an unknown one for events with an envelope.
    """
    text = body.decode("utf-8-sig", errors="backslashreplace").strip(_MARK)
    lines = _lines(text)
    if not lines:
        return _read(body, text, "", kind, via)
    return [
        each for number, line in lines for each in _read(line.encode(), line, f"line {number}: ", kind, via)
    ]


def _lines(text: str) -> list[tuple[int, str]]:
    """Return the lines of a file that has a JSON value in each, with their numbers; none of another file."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if len(lines) < 2 or split_array(text) is not None or _is_json(text):
        return []
    return lines if _is_json(lines[0][1]) or _is_json(lines[-1][1]) else []


def _is_json(text: str) -> bool:
    with suppress(EventError):
        return isinstance(parse(text), dict | list)
    return False


def _read(body: bytes, text: str, place: str, kind: str | None, via: "Via | None") -> list[FileEvent]:
    """Read one JSON value: an event, or an array of events."""
    from shared.event import Unreadable, read_events

    events = read_events(body, via=via or "unknown")
    texts = split_array(text)
    if texts is None or len(texts) != len(events):
        texts = [text.strip()]  # one object, or what is not an array of events as a whole
    many = len(events) > 1
    found: list[FileEvent] = []
    for number, (member, event) in enumerate(zip(texts, events, strict=True), 1):
        own = f"member {number} of {len(events)}: " if many else ""
        where = place + own
        if isinstance(event, Unreadable):
            refused = replace(event, error=event.error.removeprefix(own))
            found.append(FileEvent(member, _with_kind(member, refused, where, kind, via), where))
        else:
            found.append(FileEvent(member, event, where))
    return found


def _with_kind(
    text: str, event: "Unreadable", place: str, kind: str | None, via: "Via | None"
) -> "Event | Unreadable":
    """Return a body without envelope read as its kind; else the body, with its place in the error."""
    from shared.event import Unreadable, read_events

    document = _bare(text)
    if document is None:
        return replace(event, error=f"{place}{event.error}")
    known, problem = _kind_of(document, kind)
    if known is None:
        return replace(event, error=f"{place}{problem}")
    (again,) = read_events(text, kind=known, via=via or "unknown")
    if isinstance(again, Unreadable):
        return replace(again, error=f"{place}{again.error}")
    if kind not in {None, known}:
        note = f"read as a body of kind {known}, by its shape, and not as one of kind {kind}"
        return replace(again, notes=(*again.notes, note))
    return again


def _bare(text: str) -> JsonObject | None:
    """Return a body that has no event envelope; None where it has one, or is not an object."""
    from shared.event.cloud_events import is_cloud_event
    from shared.event.event_grid import is_event_grid

    with suppress(EventError):
        document = parse(text)
        if (
            isinstance(document, dict)
            and not is_cloud_event(document)
            and not is_event_grid(document)
            and "deadletterProperties" not in document
        ):
            return document
    return None


def _kind_of(document: JsonObject, kind: str | None) -> tuple[str | None, str]:
    """Return the kind of a body without envelope, or None and what to do about that."""
    from shared.event.body_shapes import kinds_like
    from shared.event.via import KINDS

    like = kinds_like(document)
    if len(like) == 1:
        return like[0], ""
    if kind is not None:
        return kind, ""
    if like:
        return None, (
            f"the body looks like one of kind {' and like one of kind '.join(like)}: "
            f"say which it is with --as {' or --as '.join(like)}"
        )
    return None, (
        "no event schema is like this: an Event Grid event has id, topic, eventType, eventTime and data, a "
        "CloudEvent has specversion, id, source and type; a body that a hook sends is read with --as "
        f"{', --as '.join(KINDS[:-1])} or --as {KINDS[-1]}"
    )
