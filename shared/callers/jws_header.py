"""The header of a signed token, read before anything in it is believed: it says which key to try."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final

_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def read_header(token: str, *, longest: int) -> dict[str, Any] | None:
    """Return the header of a token in compact form (RFC 7515 section 7.1); None where it is no token.

    PyJWT's own function decodes claims and signature besides, character by character, which doubles the cost.
    It also takes what is not Base64url in the signature, a header that is not UTF-8, and the last of two
    members of one name.

    Args:
        token: Anything that was sent as one.
        longest: Characters at most.
    """
    if len(token) > longest or not _COMPACT.fullmatch(token):
        return None
    segment, _, rest = token.partition(".")
    signature = rest.partition(".")[2]
    try:
        if urlsafe_b64encode(_decoded(signature)).rstrip(b"=").decode() != signature:
            return None  # one signature has one spelling
        header = json.loads(_decoded(segment).decode(), object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) else None


def _decoded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's members, which may stand there once each (RFC 7515 section 4)."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members
