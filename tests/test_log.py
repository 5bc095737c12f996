import ast
import json
import logging

import pytest

from shared.log import FIELD_LIMIT, FIELDS, LOGGER, MESSAGE_LIMIT
from shared.visible_text import visible
from tests.support.paths import ROOT

LONGEST = 32_768
"""The most characters of a message in Application Insights."""


def message_of(caplog: pytest.LogCaptureFixture) -> str:
    """Return the message of the only record, as the worker sends it to the host."""
    (record,) = caplog.records
    return logging.Formatter().format(record)


def test_every_line_is_one_object(caplog: pytest.LogCaptureFixture) -> None:
    """The message that the worker sends is JSON, with the text first."""
    LOGGER.warning("no signing keys from %s: %s", "login", 'x {"outcome": "started"}')
    line = message_of(caplog)
    assert line.startswith('{"message": "no signing keys')
    assert json.loads(line) == {"message": 'no signing keys from login: x {"outcome": "started"}'}


def test_members_come_from_the_call_alone(caplog: pytest.LogCaptureFixture) -> None:
    """The members of `extra` are members of the object, with visible strings."""
    LOGGER.error("rejected: %s", "x", extra={FIELDS: {"outcome": "rejected", "event": "e\x1b", "attempt": 2}})
    assert json.loads(message_of(caplog)) == {
        "message": "rejected: x",
        "outcome": "rejected",
        "event": "e\\x1b",
        "attempt": 2,
    }


def test_a_traceback_is_a_member(caplog: pytest.LogCaptureFixture) -> None:
    """The traceback is a member of the object, and quoted events in it are made visible."""

    def fail() -> None:
        raise ValueError("first\nsecond \x1b[2J \u202e")

    try:
        fail()
    except ValueError:
        LOGGER.exception("a call could not be handled")
    logged = json.loads(message_of(caplog))
    assert logged["message"] == "a call could not be handled"
    assert logged["exception"][0] == "Traceback (most recent call last):"
    assert logged["exception"][-2:] == ["ValueError: first", "second \\x1b[2J \\u202e"]


@pytest.mark.parametrize("character", ['"', "\\", "\x1b", "\U000e0041", "\U0001f600", "x"])
def test_the_longest_line_is_kept_whole(character: str, caplog: pytest.LogCaptureFixture) -> None:
    """Each line fits into Application Insights and parses, with any text of an event."""
    text = character * 48_000
    names = ("rule", "outcome", "event", "connection", "dag", "run", "code", "reason")
    LOGGER.error("%s", text, extra={FIELDS: dict.fromkeys(names, text)})
    error = ValueError(text)
    LOGGER.error("%s", text, exc_info=error)
    for record in caplog.records:
        line = logging.Formatter().format(record)
        assert len(line.encode("utf-16-le")) // 2 < LONGEST
        assert json.loads(line)["message"] == visible(text, MESSAGE_LIMIT)
    assert json.loads(caplog.records[0].getMessage())["event"] == visible(text, FIELD_LIMIT)


def test_there_is_one_logger() -> None:
    """All lines of the app have the logger `updraft`: no other module creates a logger."""
    made = [
        (path.relative_to(ROOT).as_posix(), ast.unparse(node.args[0]))
        for path in [*(ROOT / "shared").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("getLogger")
    ]
    assert sorted(made) == [
        ("shared/airflow/mwaa.py", "'botocore.auth'"),
        ("shared/log.py", "'updraft'"),
        ("shared/log.py", "name"),
    ], "of other libraries only the level is set"


def test_libraries_are_quiet_unless_somebody_wants_them(caplog: pytest.LogCaptureFixture) -> None:
    """The libraries' log lines about each request are dropped; their warnings are logged."""
    caplog.set_level(logging.INFO)
    for name in ("azure.core.pipeline.policies.http_logging_policy", "azure.identity", "urllib3", "msal"):
        logging.getLogger(name).info("Request URL: x")
        logging.getLogger(name).warning("a warning of %s", name)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 4
