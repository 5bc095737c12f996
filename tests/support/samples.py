"""The samples by their names, read as the names say (tests/samples/README.md)."""

import json
from base64 import b64decode
from http.client import parse_headers
from io import BytesIO

from shared.event import KINDS, Event, Unreadable, read_events
from tests.support.paths import SAMPLES


def sample_names(pattern: str) -> list[str]:
    """Return the names, below `SAMPLES`, of the files that a glob pattern finds.

    Raises:
        ValueError: It finds none: a test of no samples would pass and show nothing.
    """
    names = sorted(path.relative_to(SAMPLES).as_posix() for path in SAMPLES.glob(pattern) if path.is_file())
    if not names:
        raise ValueError(f"no sample is called {pattern}")
    return names


def event_samples(pattern: str = "**/*") -> list[str]:
    """Return the names of the samples that arrive as an event would: bodies and HTTP messages."""
    return [
        name
        for name in sample_names(pattern)
        if name.endswith((".json", ".http")) and not name.startswith("filters/")
    ]


def is_invalid(name: str) -> bool:
    """Return whether a sample is refused, by its name, wholly or in part."""
    return ".invalid." in name


def headers_and_body(name: str) -> tuple[dict[str, str], bytes]:
    """Return the HTTP headers that a sample arrives with, if any, and its body."""
    content = (SAMPLES / name).read_bytes()
    if name.endswith(".http"):
        message = BytesIO(content.lstrip())  # an empty line before a message is allowed (RFC 9112 §2.2)
        message.readline()  # the request line
        return dict(parse_headers(message)), message.read()
    if ".binary." in name:
        document = json.loads(content)
        encoded = document.get("body_base64")
        return document["headers"], document["body"].encode() if encoded is None else b64decode(encoded)
    return {}, content


def read_sample(name: str) -> list[Event | Unreadable]:
    """Return the events of a sample; a folder that is called as a kind of body holds bodies of that kind."""
    headers, body = headers_and_body(name)
    folder = name.partition("/")[0]
    return read_events(body, kind=folder if folder in KINDS else None, headers=headers)


def readable_events(pattern: str = "**/*") -> list[tuple[str, Event]]:
    """Return every event that the samples hold, with the name of its sample."""
    return [
        (name, event)
        for name in event_samples(pattern)
        for event in read_sample(name)
        if isinstance(event, Event)
    ]
