"""Reads the header of a signed token before verification: it names the key."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final

_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def read_header(token: str, *, longest: int) -> dict[str, Any] | None:
    """Return the header of a token in compact form (RFC 7515 section 7.1); None if it is not a token.

    PyJWT's function also decodes claims and signature, character by character, which doubles the cost. It
    accepts a signature that is not Base64url, a header that is not UTF-8, and two members of the same name.

    Args:
        token: The text that was sent as a token.
        longest: The most characters.
    """
    if len(token) > longest or not _COMPACT.fullmatch(token):
        return None
    segment, _, rest = token.partition(".")
    signature = rest.partition(".")[2]
    try:
        if urlsafe_b64encode(_decoded(signature)).rstrip(b"=").decode() != signature:
            return None  # one signature has one encoding
        header = json.loads(_decoded(segment).decode(), object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) else None


def _decoded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's members, and refuse duplicate names (RFC 7515 section 4)."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name is used twice")
    return members
