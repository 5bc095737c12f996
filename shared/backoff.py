"""How long to wait before the next try: exponential backoff with full jitter.

Full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/) draws from the whole
interval from zero up, so that many instances that failed at the same time do not retry at the same time.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_RETRY_AFTER: Final = 86_400.0
"""Seconds; a longer `Retry-After` of a server is cut to this."""
_HEADER_READ: Final = 400
"""Only so many characters of a header are read."""
_SECONDS: Final = re.compile(
    r"\s*(?:[\"']\s*)?\+?([0-9]{1,400}(?:\.[0-9]{0,400})?)\s*(?:(?:s|secs?|seconds?)\s*)?(?:[\"']\s*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Backoff:
    """A schedule of waits.

    Attributes:
        first: The longest first wait, in seconds.
        longest: The longest wait that this schedule draws, in seconds.
        least: The shortest wait, in seconds.
        draw: Returns a number from 0 up to 1.
    """

    first: float
    longest: float
    least: float = 0.0
    draw: Callable[[], float] = random.random

    def delay(self, attempt: int, *, at_least: float | None = None) -> float:
        """Return the seconds to wait after the failed `attempt` (counted from 1).

        `at_least` is a wait that a server or the circuit breaker asked for; the longer wait counts.
        """
        doublings = min(max(attempt, 1) - 1, 60)
        jittered = self.draw() * min(self.longest, self.first * 2.0**doublings)
        return max(jittered, self.least, at_least or 0.0)


def retry_after_seconds(header: str | None, now: Callable[[], datetime]) -> float | None:
    """Return the seconds of a `Retry-After` header; None if it cannot be read.

    RFC 9110 section 10.2.3 allows whole seconds and an HTTP date. Servers also send fractions, a unit, an ISO
    8601 date, or several values because each proxy adds one: the longest counts.

    Args:
        header: The header's value.
        now: Returns the current time, with a time zone.
    """
    text = (header or "")[:_HEADER_READ].strip()
    wishes = [float(found[1]) for part in text.split(",") if (found := _SECONDS.fullmatch(part))]
    if not wishes:
        when = _date(text.strip(' "'))
        if when is None:
            return None
        wishes = [(when - now()).total_seconds()]
    return min(max(*wishes, 0.0), LONGEST_RETRY_AFTER)


def _date(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            when = read(text)
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
        except (
            ValueError,
            TypeError,
            OverflowError,
            IndexError,
        ):  # an unknown format, or a day that does not exist
            continue
    return None
