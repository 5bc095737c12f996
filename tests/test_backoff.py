from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.backoff import LONGEST_RETRY_AFTER, Backoff, retry_after_seconds

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def read(header: str | None) -> float | None:
    """Read a header at a fixed time."""
    return retry_after_seconds(header, lambda: NOW)


def test_waits_grow_to_a_bound() -> None:
    """The longest possible wait doubles with each attempt, up to the limit."""
    backoff = Backoff(first=1, longest=10, draw=lambda: 1.0)
    assert [backoff.delay(attempt) for attempt in range(1, 7)] == [1, 2, 4, 8, 10, 10]


@given(
    attempt=st.integers(-1, 10_000),
    draw=st.floats(0, 1, exclude_max=True),
    asked=st.none() | st.floats(0, 1e6),
)
def test_waits_keep_their_bounds(attempt: int, draw: float, asked: float | None) -> None:
    """No wait is shorter than `at_least` or `least`, or longer than both `longest` and `at_least`."""
    delay = Backoff(first=5, longest=900, least=1, draw=lambda: draw).delay(attempt, at_least=asked)
    assert max(1, asked or 0) <= delay <= max(900, asked or 0)


def test_a_wait_may_be_nothing() -> None:
    """Jitter goes down to zero without `least`, and an attempt below 1 counts as the first."""
    assert Backoff(first=8, longest=10, draw=lambda: 0.0).delay(3) == 0
    assert Backoff(first=8, longest=10, least=2, draw=lambda: 0.0).delay(3) == 2
    assert [Backoff(first=1, longest=10, draw=lambda: 1.0).delay(attempt) for attempt in (-1, 0, 1)] == [
        1
    ] * 3


def test_jitter_is_full() -> None:
    """Waits come from the whole interval, so that instances do not retry at the same time."""
    waits = [Backoff(first=100, longest=100).delay(1) for _ in range(200)]
    assert min(waits) < 25
    assert max(waits) > 75


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("0", 0),
        (" 120 ", 120),
        ("999999999999999", LONGEST_RETRY_AFTER),
        ("²", None),
        ("Sun, 01 Nov 2026 12:01:00 GMT", 60),
        ("Sun, 01 Nov 2026 12:01:00 -0000", 60),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0),
        ("Sun, 01 Nov 2099 11:00:00 GMT", LONGEST_RETRY_AFTER),
        ("300.0", 300),
        ("0.5", 0.5),
        ("300, 300", 300),
        ("5, 300, soon", 300),
        ("+7", 7),
        ('"30"', 30),
        ("30s", 30),
        ("30 seconds", 30),
        ("9" * 350, LONGEST_RETRY_AFTER),
        ("86399", 86_399),
        ("86401", 86_400),
        ("0" * 399 + "7", 7),
        ("0" * 400 + "7", 0),
        ("2026-11-01T12:01:00Z", 60),
        ("2026-11-01 12:01:00", 60),
        ("2026-11-01T13:01:00+01:00", 60),
        ("Sun, 01 Nov 2026 12:05:00 +99999999999999999999", None),
        ("Sun, 31 Dec 9999 23:59:59 -2359", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0),
        ("0001-01-01T00:00:00+23:59", None),
        ("NaN", None),
        ("inf", None),
        ("1e9", None),
    ],
)
def test_retry_after_is_read_as_servers_send_it(header: str | None, seconds: float | None) -> None:
    """Seconds, dates and lists are read; any other value counts as absent."""
    assert read(header) == seconds


@given(
    header=st.text(max_size=60)
    | st.from_regex(
        r"\A(Sun, )?[0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,8} [0-9:]{1,9} ([A-Z]{1,4}|[+-][0-9]{1,30})\Z"
    )
)
def test_any_retry_after_is_read_without_a_crash(header: str) -> None:
    """Any header is read without an error and gives at most a day."""
    seconds = read(header)
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER
