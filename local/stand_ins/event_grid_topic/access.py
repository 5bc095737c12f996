"""Who may publish: a bearer token for Event Grid, or the topic's key."""

import hmac
from collections.abc import Callable, Mapping
from typing import Any

import jwt

AUDIENCE = "https://eventgrid.azure.net"

type ReadClaims = Callable[[str], Mapping[str, Any]]
"""Checks the signature and the expiry of a token, and returns its claims or raises jwt.InvalidTokenError."""


class NotAllowed(Exception):
    """A request without a usable credential; the message has the problem, never the credential."""


def unsigned_claims(token: str) -> Mapping[str, Any]:
    """Return the claims of an RS256 token that has not expired, with any signature.

    Raises:
        jwt.InvalidTokenError: If it is not such a token.
    """
    if jwt.get_unverified_header(token).get("alg") != "RS256":
        raise jwt.InvalidTokenError("it is not signed with RS256")
    switched = {"verify_signature": False, "verify_exp": True, "verify_nbf": True, "require": ["exp"]}
    claims: Mapping[str, Any] = jwt.decode(token, options=switched)  # type: ignore[arg-type]  # a dict will do
    return claims


def check_access(headers: Mapping[str, str], *, key: str | None, read_claims: ReadClaims) -> None:
    """Refuse a request whose credential is not valid for the topic.

    Args:
        headers: The request's, in lower case.
        key: The topic's key; None: keys are switched off (`disableLocalAuth`).
        read_claims: Checks a token.

    Raises:
        NotAllowed: With the reason.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        _check_token(token, read_claims)
        return
    given = headers.get("aeg-sas-key")
    if given is None:
        raise NotAllowed("The request must have Authorization with a bearer token, or aeg-sas-key.")
    if key is None:
        raise NotAllowed("Keys are switched off for this topic: use a bearer token.")
    if not hmac.compare_digest(given.encode(), key.encode()):
        raise NotAllowed("The key is not this topic's.")


def _check_token(token: str, read_claims: ReadClaims) -> None:
    try:
        audience = read_claims(token).get("aud")
    except jwt.InvalidTokenError as error:
        raise NotAllowed(f"The token is not valid here: {error}.") from None
    if str(audience).rstrip("/") != AUDIENCE:
        raise NotAllowed(f"The token is for {audience!r}; it must be for {AUDIENCE!r}.")
