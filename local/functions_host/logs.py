"""The host's log: lines in the format of `func start`, and the same records as JSON lines in a file.

A function's record has the function's name and the invocation's identifier, also on the runtime's threads.
"""

import json
import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from shared.log import CHATTY
from shared.visible_text import visible

invocation: ContextVar[str | None] = ContextVar("invocation", default=None)
"""The identifier of the invocation that the current task runs."""

_running: dict[str, str] = {}
_HOST_LOGGERS = ("Host", "Function")
_SDK_LOGGERS = ("azure.core", "azure.storage", "azure.identity", "urllib3", "msal")


def begin(invocation_id: str, function: str) -> None:
    """Store the function's name of an invocation, until `end`."""
    _running[invocation_id] = function


def end(invocation_id: str) -> None:
    """Remove an invocation's function name."""
    _running.pop(invocation_id, None)


class Origin(logging.Filter):
    """Adds `function` and `invocation_id` to a record, and drops records that `func start` does not show.

    Dropped records are those that the runtime writes, and those that the storage client writes outside a
    function: the app's log does not have them.

    Args:
        verbose: Drop no records.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        super().__init__()
        self._verbose = verbose

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the attributes to the record, and return False to drop it."""
        if not hasattr(record, "invocation_id"):
            current = invocation.get() or _invocation_of_thread()
            record.__dict__.update(invocation_id=current, function=_running.get(current or ""))
        if self._verbose or record.levelno >= logging.WARNING:
            return True
        if record.name.startswith("azure.functions"):
            return False
        return bool(record.__dict__["invocation_id"]) or not record.name.startswith(_SDK_LOGGERS)


def _invocation_of_thread() -> str | None:
    runtime = sys.modules.get("azure_functions_runtime")
    return runtime.invocation_id_cv.get() if runtime else None


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _category(record: logging.LogRecord) -> str:
    if record.name.startswith(_HOST_LOGGERS):
        return record.name
    function = getattr(record, "function", None)
    return f"Function.{function}.User" if function else record.name


def app_line(message: str) -> dict[str, Any] | None:
    """Return the JSON object of an app's log line (`shared/log.py`); None for other lines."""
    if not message.startswith('{"message"'):
        return None
    try:
        found: dict[str, Any] = json.loads(message)
    except ValueError:
        return None
    return found


class ConsoleFormatter(logging.Formatter):
    """Formats a record as `[2026-11-22T15:57:10.123Z] message`, then the exception if there is one.

    Of an app's log line it shows only the message. It writes no control characters of a terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one or more lines."""
        message = record.getMessage()
        ours = app_line(message)
        if ours is None:
            lines = message.split("\n")
            lines += self.formatException(record.exc_info).split("\n") if record.exc_info else []
        else:
            lines = [str(ours["message"]), *map(str, ours.get("exception", ()))]
        return f"[{_timestamp(record)}] " + "\n".join(map(visible, lines))


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON: timestamp, level, category, function, invocation_id, message, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        return json.dumps(
            {
                "timestamp": _timestamp(record),
                "level": record.levelname,
                "category": _category(record),
                "function": getattr(record, "function", None),
                "invocation_id": getattr(record, "invocation_id", None),
                "message": record.getMessage(),
                "exception": self.formatException(record.exc_info) if record.exc_info else None,
            },
            ensure_ascii=False,
        )


def configure(*, log_file: Path | None, verbose: bool = False, stream: TextIO | None = None) -> None:
    """Send the process's log to standard output, and to `log_file` as JSON lines.

    Args:
        log_file: The file to append to; its folder is created. None for no file.
        verbose: Also show the records of the runtime and the storage client.
        stream: Replaces standard output.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(stream or sys.stdout)]
    handlers[0].setFormatter(ConsoleFormatter())
    if log_file:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(log_file, encoding="utf-8"))
        handlers[1].setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers.clear()
    for handler in handlers:
        handler.addFilter(Origin(verbose=verbose))
        root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for name in CHATTY if verbose else ():
        logging.getLogger(name).setLevel(logging.DEBUG)


def about(function: str, invocation_id: str) -> Mapping[str, str]:
    """Return the `extra` of the host's records about an invocation."""
    return {"function": function, "invocation_id": invocation_id}
