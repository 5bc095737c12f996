"""The header of a signed token, read before anything in it is believed: it says which key to try."""

import json
import re
from base64 import urlsafe_b64decode
from typing import Any, Final

_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def read_header(token: str, *, longest: int) -> dict[str, Any] | None:
    """Return the header of a token in compact form (RFC 7515 section 7.1); None where it is no token.

    PyJWT's own function decodes claims and signature besides, character by character, which doubles the cost.

    Args:
        token: Anything that was sent as one.
        longest: Characters at most.
    """
    if len(token) > longest or not _COMPACT.fullmatch(token):
        return None
    segment = token.partition(".")[0]
    try:
        header = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) else None
