"""Each test has its own log throttle: no line is left out because of an earlier test."""

import json
import logging
import time
from collections.abc import Callable

import pytest

from shared.log_throttle import LogThrottle


def throttled(monkeypatch: pytest.MonkeyPatch, clock: Callable[[], float] = time.monotonic) -> LogThrottle:
    """Give a test a throttle of its own; it has no timer, which would log a count in a later test."""
    throttle = LogThrottle(60.0, clock, lambda _seconds, _call: None)
    monkeypatch.setattr("shared.log_throttle._lines", throttle)
    return throttle


@pytest.fixture(autouse=True)
def log_throttle(monkeypatch: pytest.MonkeyPatch) -> LogThrottle:
    """The throttle of this test's log lines."""
    return throttled(monkeypatch)


def said(record: logging.LogRecord) -> str:
    """Return the words of a line of the app: the member `message` of the object that it is."""
    words: str = json.loads(record.getMessage())["message"]
    return words
