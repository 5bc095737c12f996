"""The answer "try again": whether a token or a signature is good cannot be said now.

A key that is not known may be a new one. While the keys may not be read again yet, a refusal would be final
for a genuine sender, so the answer is 503 with `Retry-After` (RFC 9110 section 15.6.4). It is the same for a
genuine sender and for a forger, and says only when to come again.
"""

from typing import Final

from shared.errors import KeysUnavailable
from shared.web import CallRefused

MOST_WAITING: Final = 2
"""Threads that wait for a read of keys by another thread; the other ones of the 32 go on with other work."""
BUSY: Final = 2.0
"""Seconds until a sender may come again whose thread would have been one too many to wait."""


def try_again(error: KeysUnavailable) -> CallRefused:
    """Return the answer to the sender; the log has the reason besides."""
    return CallRefused(
        503,
        "keys_unavailable",
        "tokens and signatures cannot be verified just now; try again",
        headers={"Retry-After": str(error.retry_after)},
        inside=f"({error})",
    )
