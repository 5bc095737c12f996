"""One request: the allowed addresses, and the content of errors."""

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from issuer import Issuer

from updraft_airflow.wire import (
    LONGEST_ANSWER,
    WireError,
    checked_url,
    is_loopback,
    origin,
    send,
    wish_in_seconds,
)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("127.0.0.1.attacker.example", False),
        ("localhost.attacker.example", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, loopback: bool) -> None:  # noqa: FBT001 - a parameter
    """A name that only looks like it is not."""
    assert is_loopback(host) is loopback


@pytest.mark.parametrize("url", ["https://x.example", "https://x.example:8443/a?b=c", "http://127.0.0.1:1/"])
def test_a_url_that_may_be_called_comes_back_unchanged(url: str) -> None:
    """It is checked, not rewritten."""
    assert checked_url(url, what="it") == url


def test_the_origin_has_the_schemes_own_port() -> None:
    """So that a URL with it and one without compare equal."""
    assert origin("https://X.example") == origin("https://x.example:443/path") == ("https", "x.example", 443)


def test_no_answer_is_one_kind_of_error() -> None:
    """Whatever the cause; the host is named."""
    with pytest.raises(WireError, match=r"https://updraft\.invalid:443"):
        send("GET", "https://updraft.invalid/secret-path", timeout=2)


def test_an_error_never_repeats_a_header(issuer: Issuer) -> None:
    """The standard library would quote the value."""
    with pytest.raises(WireError) as failed:
        send("GET", issuer.url, timeout=2, headers={"Authorization": "Bearer made-up\r\nX: y"})
    assert "made-up" not in str(failed.value)
    assert failed.value.__suppress_context__


def test_an_answer_has_a_limit(issuer: Issuer) -> None:
    """An endless one would fill the memory."""
    issuer.raw = b"x" * (LONGEST_ANSWER + 1)
    with pytest.raises(WireError, match="more than"):
        send("GET", issuer.url, timeout=5)


def test_any_status_is_an_answer(issuer: Issuer) -> None:
    """Also a redirect, which is not followed."""
    issuer.status = 302
    assert send("GET", issuer.url, timeout=5).status == 302
    assert len(issuer.asked) == 1


def test_a_silent_server_is_left_after_the_timeout(issuer: Issuer) -> None:
    """The caller's thread is not held for longer."""
    issuer.delay = 1.0
    with pytest.raises(WireError, match="no answer"):
        send("GET", issuer.url, timeout=0.05)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("300", 300.0),
        (" 300.5 ", 300.5),
        ("300, 20", 300.0),
        ("5s", 5.0),
        ("9" * 200, 86_400.0),
        ("Sun, 01 Nov 2026 12:05:00 +99999999999999999999", None),
        ("Sun, 01 Nov 1926 12:05:00 GMT", 0.0),
        ("2001-01-01T00:00:00Z", 0.0),
    ],
)
def test_a_wish_is_read_in_every_spelling(header: str | None, seconds: float | None) -> None:
    """Numbers, lists and dates are read; an unreadable value counts as absent."""
    assert wish_in_seconds(header) == seconds


def test_a_wish_may_be_a_date() -> None:
    """As RFC 9110 has it."""
    later = datetime.now(timezone.utc) + timedelta(seconds=90)
    assert 80 < (wish_in_seconds(format_datetime(later, usegmt=True)) or 0) <= 90


@given(st.text(max_size=60))
def test_any_header_is_read_without_a_crash(header: str) -> None:
    """Whatever a server sends as `Retry-After`, reading it does not fail."""
    wish = wish_in_seconds(header)
    assert wish is None or 0 <= wish <= 86_400
