import logging

import pytest

from shared.errors import SettingsError, StorageUnavailable
from shared.web import CallRefused, Reply, Request, bearer, read_object, respond, unauthorized
from tests.support.log_lines import said, throttled

REQUEST = Request({})


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (CallRefused(409, "already_reported", "why"), 409, "already_reported"),
        (SettingsError("UPDRAFT_X is missing"), 503, "not_configured"),
        (StorageUnavailable("the queue updraft-parked"), 503, "temporarily_unavailable"),
        (ExceptionGroup("two", [StorageUnavailable("a"), StorageUnavailable("b")]), 500, "internal_error"),
        (RuntimeError("a secret place"), 500, "internal_error"),
    ],
)
def test_every_error_has_an_answer(
    error: Exception, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is raised; the log has the reason, and an answer never has `inside`."""

    def fail(_: Request) -> Reply:
        raise error

    with caplog.at_level(logging.WARNING):
        reply = respond(REQUEST, fail)
    assert (reply.status, reply.body["code"]) == (status, code)
    assert reply.media_type == "application/problem+json"
    assert str(error) in caplog.text
    assert isinstance(error, CallRefused) or str(error) not in str(reply.body)
    assert reply.body["help"] == f"docs/codes.md#{code}"


def test_an_answer_is_passed_on() -> None:
    """A call that succeeds has its own answer."""
    reply = Reply(202, {"a": 1})
    assert respond(REQUEST, lambda _: reply) is reply


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "bearer", "Token abc"])
def test_without_a_token_there_is_a_challenge(header: str) -> None:
    """A request without a token gets 401 without an error code, as in RFC 6750."""
    with pytest.raises(CallRefused) as caught:
        bearer(Request({"authorization": header}))
    assert caught.value.headers == {"WWW-Authenticate": 'Bearer realm="updraft"'}


def test_the_scheme_has_no_letter_case() -> None:
    """Letter case of the scheme does not count (RFC 9110 section 11.1)."""
    assert bearer(Request({"authorization": "bEaReR  abc "})) == "abc"


def test_a_refusal_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Text of a caller cannot begin a line of the log."""

    def refuse(_: Request) -> Reply:
        raise CallRefused(400, "bad_body", "a\r\nFORGED line\ud800" + "x" * 5_000)

    with caplog.at_level(logging.WARNING):
        reply = respond(REQUEST, refuse)
    (record,) = caplog.records
    assert "\n" not in record.getMessage()
    assert len(record.getMessage()) < 1_200
    assert said(record).endswith("; see docs/codes.md#bad_body")
    assert len(str(reply.body["detail"])) == 1_000


def test_an_empty_body_is_an_empty_object() -> None:
    """A request without a body has an empty object."""
    assert read_object(REQUEST, limit=1) == {}


def test_a_content_type_may_have_parameters() -> None:
    """The parameters of a content type do not count."""
    request = Request({"content-type": "Application/JSON; charset=utf-8"}, b'{"a": 1}')
    assert read_object(request, limit=100) == {"a": 1}


def test_strangers_cannot_fill_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the calls without a valid token one a minute is logged, with the reason."""
    now = [0.0]
    throttled(monkeypatch, lambda: now[0])

    def refuse(_: Request) -> Reply:
        raise unauthorized("no_token", "go away", inside="(wrong issuer)")

    with caplog.at_level(logging.WARNING):
        replies = [respond(REQUEST, refuse) for _ in range(50)]
        now[0] = 61.0
        respond(REQUEST, refuse)
    first, left_out, again = map(said, caplog.records)
    assert first == again
    assert left_out.startswith("49 more log lines")
    assert "wrong issuer" in caplog.text
    assert "wrong issuer" not in str(replies)


@pytest.mark.parametrize("coding", ["gzip", "br, identity", "x"])
def test_no_body_is_unpacked(coding: str) -> None:
    """Each endpoint reads its body with this function, which refuses a compressed body with the reason."""
    request = Request({"content-type": "application/json", "content-encoding": coding}, b"{}")
    with pytest.raises(CallRefused) as caught:
        read_object(request, limit=10)
    assert (caught.value.status, caught.value.code) == (415, "unsupported_content_encoding")
