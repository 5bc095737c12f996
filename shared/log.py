"""The one logger of this app, `updraft`: the message of each record is one JSON object.

The Functions worker sends a record's message to the host, and appends a traceback to it; Application Insights
stores that text. So the message itself is the object, and the traceback is a member of it. docs/delivery.md
has the query.

A line that says how a delivery or a run ended has more members (`rule`, `outcome`, …). They come from `extra`
alone, so no text that a line quotes can add or change one.
"""

import json
import logging
import traceback
from typing import TYPE_CHECKING, Final

from shared.visible_text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: Final = "fields"
"""The key of `extra` under which a call gives the members beside `message`."""

MESSAGE_LIMIT: Final = 4_000
FIELD_LIMIT: Final = 1_000
_TRACE_LINES: Final = 40
_TRACE_LINE_LIMIT: Final = 200
"""Application Insights cuts a message at 32,768 characters. With these limits the longest line is shorter,
also where JSON needs two characters for one."""

_to_json: Final = json.JSONEncoder(ensure_ascii=False).encode


class JsonMessage(logging.Filter):
    """Makes a record's message a JSON object: `message` first, then the members of `extra`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; none is dropped."""
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
    """Return the last lines of a traceback, which may quote an event like any other text."""
    lines = "".join(traceback.format_exception(error)).splitlines()[-_TRACE_LINES:]
    return [visible(line, _TRACE_LINE_LIMIT) for line in lines]


LOGGER: Final = logging.getLogger("updraft")
LOGGER.addFilter(JsonMessage())

CHATTY: Final = ("azure", "urllib3", "msal", "botocore", "google")
"""Libraries that log each request with its headers, or each connection, as information.

The worker takes every logger's records, and the host knows only which function they came from: host.json
cannot tell them from our own lines. So their level is set here, unless somebody has set it before.
"""


def _quiet() -> None:
    for name in CHATTY:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)


_quiet()
