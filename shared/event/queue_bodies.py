"""Reads the events of a queue message's body in any encoding.

Event Grid writes base64 into a queue, and new Storage clients write plain text. Some programs encode twice,
or write UTF-16. A body is decoded in this order:

1. a body larger than `LARGEST` is not decoded
2. bytes become text: by their byte order mark, else by their zero bytes (UTF-16, UTF-32), else as UTF-8
3. text that begins with `{` or `[` is JSON, and is read
4. text that begins with `"` is a JSON string, and its value goes back to step 2
5. text in the alphabet of base64, the standard or the URL-safe one, with or without padding and with line
   breaks anywhere, also in Python's form `b'…'`, is decoded, and the bytes go back to step 2
6. anything else is not an event

Steps 4 and 5 run at most `MAX_WRAPPINGS` times. JSON cannot be mistaken for base64, because base64 has no
brackets and quotes. But a word such as `null` is valid base64. So a body counts as encoded only if the
result is JSON; otherwise it stays as it arrived.

Sources: https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue
("messageEncoding"), RFC 4648 (the two alphabets), RFC 4627 section 3 (the zero bytes),
https://github.com/MicrosoftDocs/azure-docs/issues/102923 and 69702 (Event Grid wrote plain text once, and
base64 since), https://github.com/Azure/azure-functions-host/issues/3886 (`b'…'`).
"""

import base64
import codecs
import json
import re
from dataclasses import dataclass, replace
from typing import Final

from shared.errors import EventError
from shared.event.members import shown
from shared.event.model import Event, Unreadable
from shared.event.reading import read_events
from shared.event.via import Via
from shared.values.json_text import parse

LARGEST: Final = 1_048_576
"""The most characters or bytes that are decoded; a queue message holds 65,536."""
MAX_WRAPPINGS: Final = 4
"""How many levels of base64 or JSON strings are decoded."""

_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_PRINTED_BY_PYTHON: Final = re.compile("b'([^']*)'")
_TO_STANDARD: Final = str.maketrans("-_", "+/")
_IMPOSSIBLE: Final = 1  # the characters after the last group of four in base64 that do not make a byte
_BLANKS: Final = "\ufeff \t\r\n"


@dataclass(frozen=True, slots=True)
class OpenedBody:
    """The decoded body of a queue message.

    Attributes:
        content: The JSON, or the body as it arrived if it has no JSON.
        remark: Text for errors about it; may be empty.
    """

    content: str | bytes
    remark: str = ""


def read_queue_body(body: str | bytes, via: Via = "unknown") -> list[Event | Unreadable]:
    """Return the events of a queue message's body; see `read_events`. It never raises."""
    opened = open_queue_body(body)
    return [
        replace(member, error=member.error + opened.remark) if isinstance(member, Unreadable) else member
        for member in read_events(opened.content, via=via)
    ]


def open_queue_body(body: str | bytes) -> OpenedBody:
    """Decode a queue message's body. It never raises."""
    if len(body) > LARGEST:
        return OpenedBody(body)
    content, removed = body, list[str]()
    for _ in range(MAX_WRAPPINGS + 1):
        content, charset = _text(content)
        removed += [charset] if charset else []
        if _begins_json(content):
            return OpenedBody(content, f" (decoded from {', then '.join(removed)})" if removed else "")
        wrapping, inner = _unwrapped(content)
        if inner is None:
            break
        removed.append(wrapping)
        content = inner
    else:
        return OpenedBody(body, f" (it is encoded more than {MAX_WRAPPINGS} times: send plain JSON)")
    if removed and isinstance(content, str) and content.isprintable():
        return OpenedBody(body, f" (decoded from {', then '.join(removed)} it is {shown(content)})")
    return OpenedBody(body)


def _text(content: str | bytes) -> tuple[str | bytes, str]:
    """Return bytes as text, and their character set if it is not UTF-8.

    Bytes in no known character set stay bytes: `read_events` reads what it can.
    """
    if isinstance(content, str):
        return content.lstrip(_BLANKS), ""
    encoding = json.detect_encoding(content)
    if encoding.startswith("utf-8"):
        try:
            return content.decode().lstrip(_BLANKS), ""
        except UnicodeDecodeError:
            return content.removeprefix(codecs.BOM_UTF8), ""
    return content.decode(encoding, errors="backslashreplace").lstrip(_BLANKS), encoding[:6].upper()


def _begins_json(content: str | bytes) -> bool:
    if isinstance(content, str):
        return content.startswith(("{", "["))
    return content.lstrip().startswith((b"{", b"["))


def _unwrapped(content: str | bytes) -> tuple[str, str | bytes | None]:
    """Return the name of a text's encoding, and the decoded content; None if it is not encoded."""
    if isinstance(content, bytes):
        return "", None
    if content.startswith('"'):
        return "a JSON string", _in_json_string(content)
    return "base64", _in_base64(content)


def _in_json_string(text: str) -> str | None:
    try:
        value = parse(text)
    except EventError:
        return None
    return value if isinstance(value, str) else None


def _in_base64(text: str) -> bytes | None:
    printed = _PRINTED_BY_PYTHON.fullmatch(text.rstrip())
    compact = "".join((printed[1] if printed else text).split())
    if not _BASE64.fullmatch(compact):
        return None
    digits = compact.rstrip("=").translate(_TO_STANDARD)
    if len(digits) % 4 == _IMPOSSIBLE:
        return None
    return base64.b64decode(digits + "=" * (-len(digits) % 4))
