"""The one logger of this app, `updraft`: the message of each record is one JSON object.

The Functions worker sends a record's message to the host, and appends a traceback; Application Insights
stores that text. So the message is the object, and the traceback is a member. docs/delivery.md has the query.

The line of an outcome has more members (`rule`, `outcome`, …). They come only from `extra`, so quoted text
cannot add or change a member.
"""

import json
import logging
import traceback
from typing import TYPE_CHECKING, Final

from shared.visible_text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: Final = "fields"
"""The key of `extra` with the members to add to `message`."""

MESSAGE_LIMIT: Final = 4_000
FIELD_LIMIT: Final = 1_000
_TRACE_LINES: Final = 40
_TRACE_LINE_LIMIT: Final = 200
"""Application Insights cuts a message at 32,768 characters. With these limits the longest line is shorter,
also if JSON needs two characters for each."""

_to_json: Final = json.JSONEncoder(ensure_ascii=False).encode


class JsonMessage(logging.Filter):
    """Converts a record's message to a JSON object: `message` first, then the members of `extra`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record, and return True."""
        record.msg = _line(record)
        record.args = ()
        record.exc_info = record.exc_text = record.stack_info = None
        return True


def _line(record: logging.LogRecord) -> str:
    document: dict[str, object] = {"message": visible(record.getMessage(), MESSAGE_LIMIT)}
    fields: Mapping[str, object] = record.__dict__.pop(FIELDS, {})
    for name, value in fields.items():
        document[name] = visible(value, FIELD_LIMIT) if isinstance(value, str) else value
    if record.exc_info and record.exc_info[1] is not None:
        document["exception"] = _trace(record.exc_info[1])
    return _to_json(document)


def _trace(error: BaseException) -> list[str]:
    """Return the last lines of a traceback, made visible: they may quote an event."""
    lines = "".join(traceback.format_exception(error)).splitlines()[-_TRACE_LINES:]
    return [visible(line, _TRACE_LINE_LIMIT) for line in lines]


LOGGER: Final = logging.getLogger("updraft")
LOGGER.addFilter(JsonMessage())

CHATTY: Final = ("azure", "urllib3", "msal", "botocore", "google")
"""Libraries that log each request with its headers, or each connection, at level INFO.

The host does not know the logger of a record, so host.json cannot set a level for these libraries. So the
level is set here, unless it was set before.
"""


def _quiet() -> None:
    for name in CHATTY:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)


_quiet()
