"""The events of a file that a command line names: of any schema, one, an array, or one a line.

The app knows the kind of a hook's body from the address of the request. A file has no address, so the members
of the body show its kind (`shared/event/body_shapes.py`); `--as` decides where they fit no kind, or several.
"""

import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cli.json_mistakes import of_file
from shared.errors import EventError
from shared.values.json_text import JsonObject, parse, split_array

if TYPE_CHECKING:
    from shared.event import Event, Unreadable
    from shared.event.via import Via

SUFFIXES: Final = (".json", ".jsonl", ".ndjson")
"""The endings of the names of files with events."""
_MARK: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class FileEvent:
    """One event of a file.

    Attributes:
        text: Its JSON, as the file has it.
        event: The event, as the app reads it.
        place: Its position in the file, for messages, as in `line 3: `; empty for the only event of a file.
    """

    text: str
    event: "Event | Unreadable"
    place: str = ""


def read_body(file: str) -> bytes | OSError:
    """Return the content of a file (`-`: standard input), or the error that prevents it."""
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        return error


def content_of(file: str) -> bytes:
    """Return the content of a file (`-`: standard input).

    Raises:
        EventError: It cannot be read; the message does not name the file.
    """
    content = read_body(file)
    if isinstance(content, OSError):
        raise EventError(f"the file cannot be read: {content.strerror or content}")
    return content


def read_event_file(body: bytes, kind: str | None = None, via: "Via | None" = None) -> list[FileEvent]:
    """Return the events of a file, in their order; an `Unreadable` for each that cannot be read.

    Args:
        body: The content of the file.
        kind: The kind of a body whose members do not show it (`--as`).
        via: How the events reached the app (`--via`); None for the hook of a body, and unknown for others.
    """
    text = body.decode("utf-8-sig", errors="backslashreplace").strip(_MARK)
    lines = _lines(text)
    if not lines:
        return _read(body, text, "", kind, via)
    return [
        each for number, line in lines for each in _read(line.encode(), line, f"line {number}: ", kind, via)
    ]


def _lines(text: str) -> list[tuple[int, str]]:
    """Return the numbered lines of a file with one JSON value a line; an empty list for another file."""
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
        texts = [text.strip()]  # one object, or text that is not an array of events
    many = len(events) > 1
    found: list[FileEvent] = []
    for number, (member, event) in enumerate(zip(texts, events, strict=True), 1):
        own = f"member {number} of {len(events)}: " if many else ""
        where = place + own
        if isinstance(event, Unreadable):
            error = of_file(event.error.removeprefix(own), member, one_line=bool(place))
            refused = replace(event, error=error)
            found.append(FileEvent(member, _with_kind(member, refused, where, kind, via), where))
        else:
            found.append(FileEvent(member, event, where))
    return found


def _with_kind(
    text: str, event: "Unreadable", place: str, kind: str | None, via: "Via | None"
) -> "Event | Unreadable":
    """Return a body without envelope, read as its kind; else the body, with its position in the error."""
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
    """Return a body without an event envelope; None for an event, and for a value that is not an object."""
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
    """Return the kind of a body without envelope, or None and a message."""
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
            f"name the kind with --as {' or --as '.join(like)}"
        )
    return None, (
        "no event schema is like this: an Event Grid event has id, topic, eventType, eventTime and data, a "
        "CloudEvent has specversion, id, source and type; a body that a hook sends is read with --as "
        f"{', --as '.join(KINDS[:-1])} or --as {KINDS[-1]}"
    )
