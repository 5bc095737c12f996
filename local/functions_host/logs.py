"""The host's log: lines as `func start` prints them, and the same as JSON lines in a file.

A record that a function writes carries the function's name and the invocation's identifier, also when it
comes from one of the runtime's threads.
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
    """Remember which function an invocation runs, until `end`."""
    _running[invocation_id] = function


def end(invocation_id: str) -> None:
    """Forget an invocation."""
    _running.pop(invocation_id, None)


class Origin(logging.Filter):
    """Adds `function` and `invocation_id` to a record, and drops what `func start` does not show either.

    The runtime's own records are the platform's, and the storage client's are the host's unless a function
    makes the call: neither is the app's log.

    Args:
        verbose: Let everything through.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        super().__init__()
        self._verbose = verbose

    def filter(self, record: logging.LogRecord) -> bool:
        """Complete the record; False drops it."""
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
    """Return the object that a line of the app's own log is (`shared/log.py`); None for another's line."""
    if not message.startswith('{"message"'):
        return None
    try:
        found: dict[str, Any] = json.loads(message)
    except ValueError:
        return None
    return found


class ConsoleFormatter(logging.Formatter):
    """`[2026-11-22T15:57:10.123Z] message`, then the exception if there is one.

    A line of the app's own log is shown as its words. Nothing that a terminal obeys is written.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line, or more where the message has more."""
        message = record.getMessage()
        ours = app_line(message)
        if ours is None:
            lines = message.split("\n")
            lines += self.formatException(record.exc_info).split("\n") if record.exc_info else []
        else:
            lines = [str(ours["message"]), *map(str, ours.get("exception", ()))]
        return f"[{_timestamp(record)}] " + "\n".join(map(visible, lines))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: timestamp, level, category, function, invocation_id, message, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
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
        log_file: Appended to; its folder is made. None: no file.
        verbose: Show also what the runtime and the storage client say.
        stream: Instead of standard output.
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
    """The `extra` of a record that the host writes about an invocation."""
    return {"function": function, "invocation_id": invocation_id}
