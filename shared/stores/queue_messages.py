"""Messages of Storage queues: their size and text, and sending one.

A message is part of an XML document, so it is text. The app sends text unchanged (`messageEncoding: none` in
host.json), and base64 only if XML does not allow a character; `shared/event/queue_bodies.py` reads both.

Sources: https://learn.microsoft.com/rest/api/storageservices/put-message (64 KiB, XML),
https://www.w3.org/TR/xml/#charsets (the characters), #sec-line-ends (a carriage return becomes a line feed).
"""

import base64
import functools
import re
from typing import TYPE_CHECKING, Final

from shared.azure.storage_account import create_if_missing

if TYPE_CHECKING:
    from shared.azure.storage_account import Storage

MESSAGE_LIMIT: Final = 65_536
"""Bytes of a queue message (Storage's limit)."""
_FOREVER: Final = -1
_ESCAPES: Final = {"&": len("&amp;") - 1, "<": len("&lt;") - 1, ">": len("&gt;") - 1}


@functools.cache
def _not_in_xml() -> re.Pattern[str]:
    """Return the characters that XML does not allow; compiled late, because it takes 4 ms."""
    return re.compile(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def queue_text(body: str | bytes) -> str:
    """Return a body as the text of a message: unchanged, or as base64 if XML does not allow a character."""
    content = body if isinstance(body, bytes) else body.encode(errors="backslashreplace")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = None
    if text is None or _not_in_xml().search(text):
        return base64.b64encode(content).decode()
    return text


def message_size(text: str) -> int:
    """Return the number of bytes of a text in a message, with escaped markup.

    It is not documented whether Storage counts `&amp;` as one byte or as five. Five is safe.
    """
    return len(text.encode()) + sum(text.count(mark) * more for mark, more in _ESCAPES.items())


def send_message(storage: "Storage", queue: str, text: str, *, delay: int = 0) -> None:
    """Put a message that never expires into a queue; a missing queue is created.

    Args:
        storage: The app's own Storage account.
        queue: The queue's name.
        text: The message, of `MESSAGE_LIMIT` bytes at most.
        delay: Seconds until it is visible.

    Raises:
        AzureError: From the Storage library; call this within `storage_errors`.
    """
    client = storage.queue(queue)
    create_if_missing(
        client.create_queue,
        lambda: client.send_message(text, visibility_timeout=delay, time_to_live=_FOREVER),
    )
