"""How long to wait before the next try: exponential, with full jitter, never sooner than asked.

Full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/) draws from the whole
interval from zero up, so that many instances that failed together do not come back together.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_RETRY_AFTER: Final = 86_400.0
"""Seconds; a server that asks for more than a day is not believed."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """A schedule of waits.

    Attributes:
        first: Seconds that the first wait may last at most.
        longest: Seconds that any wait of its own may last at most.
        least: Seconds that every wait lasts at least.
        draw: Gives a number from 0 up to 1.
    """

    first: float
    longest: float
    least: float = 0.0
    draw: Callable[[], float] = random.random

    def delay(self, attempt: int, *, at_least: float | None = None) -> float:
        """Return the seconds to wait after the failed `attempt` (counted from 1).

        What somebody else asked for (`Retry-After`, a breaker's rest) is `at_least`; the longer one wins.
        """
        doublings = min(max(attempt, 1) - 1, 60)
        jittered = self.draw() * min(self.longest, self.first * 2.0**doublings)
        return max(jittered, self.least, at_least or 0.0)


def retry_after_seconds(header: str | None, now: Callable[[], datetime]) -> float | None:
    """Read a `Retry-After` header (RFC 9110 section 10.2.3), seconds or a date; None where unreadable."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_RETRY_AFTER)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max((when - now()).total_seconds(), 0.0), LONGEST_RETRY_AFTER)
