"""Each test has a log of its own: no line is left out because an earlier test caused one like it."""

import json
import logging

import pytest

from shared.log_throttle import LogThrottle


@pytest.fixture(autouse=True)
def log_throttle(monkeypatch: pytest.MonkeyPatch) -> LogThrottle:
    """The throttle of this test's log lines; it has no timer, which would log a count in a later test."""
    throttle = LogThrottle(later=lambda _seconds, _call: None)
    monkeypatch.setattr("shared.log_throttle._lines", throttle)
    return throttle


def said(record: logging.LogRecord) -> str:
    """Return the words of a line of the app: the member `message` of the object that it is."""
    words: str = json.loads(record.getMessage())["message"]
    return words
