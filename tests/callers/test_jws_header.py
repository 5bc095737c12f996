"""The form of a token, before verification."""

import json
from base64 import urlsafe_b64encode

import pytest

from shared.callers.jws_header import read_header

HEADER = {"alg": "RS256", "kid": "a-key"}


def token(header: object = HEADER, claims: str = "e30", signature: str = "QUJD") -> str:
    """Return a token in compact form; `QUJD` is Base64url."""
    text = header if isinstance(header, str) else json.dumps(header)
    return ".".join((urlsafe_b64encode(text.encode()).rstrip(b"=").decode(), claims, signature))


def test_a_header_is_read() -> None:
    """The header of a token of the greatest length is returned."""
    assert read_header(token(), longest=len(token())) == HEADER


def test_a_longer_token_is_not_read() -> None:
    """One character more is too long."""
    assert read_header(token(), longest=len(token()) - 1) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        token() + ".e30",
        token() + "=",
        token(claims="e+0"),
        token(claims=""),
        token(signature=""),
        token(signature="QUJ/"),
        token(signature="QUJDR"),
        token(signature="QUJDRB"),
        token("not JSON"),
        token('{"alg": "RS256", "alg": "none"}'),
        token(["RS256"]),
        token("7"),
    ],
)
def test_another_form_is_no_token(text: str) -> None:
    """A token is three parts of Base64url, a canonical signature, and an object with each member once."""
    assert read_header(text, longest=1_000) is None
