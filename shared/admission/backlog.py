"""The delay of an event that got no slot: the expected time until all earlier events are served.

Each event without a slot is counted, and the count drains at this process's service rate: the recent rate of
ended requests, or the rate that its slots allow, whichever is higher. The second counts when a burst begins
and few requests have ended: with the first alone, events would come back slowly, and the rate would stay low.
So 10,000 events without a slot come back one by one, as fast as they can be served, and not all together.
"""

import math
from typing import Final

LEAST_RATE: Final = 1.0
"""Events a second: the assumed service rate without slots and without recently ended requests."""
FIRST_SECONDS: Final = 0.05
"""The assumed time of a request before one has ended: too short parks an event again, too long delays it."""
LONGEST: Final = 900.0
"""The longest delay in seconds."""
_MEMORY: Final = 10.0
_WEIGHT: Final = 0.1


class Backlog:
    """The number of events without a slot, which drains; the caller locks it.

    Attributes:
        seconds: The recent time of a request.
    """

    def __init__(self) -> None:
        self._rate = 0.0
        self.seconds = FIRST_SECONDS
        self._rated_at = 0.0
        self._waiting = 0.0
        self._drained_at = 0.0
        self._drains = LEAST_RATE

    def served(self, now: float, *, seconds: float) -> None:
        """Count a request that ended after so many seconds."""
        self.seconds += _WEIGHT * (seconds - self.seconds)
        self._rate = self._rate_at(now) + 1 / _MEMORY
        self._rated_at = now

    def delay_for_rejected(self, now: float, *, slots: int) -> float:
        """Count an event without a slot, and return the seconds until it should come back.

        Args:
            now: The monotonic clock.
            slots: How many requests this process may have in flight.
        """
        rate = max(self._rate_at(now), slots / max(self.seconds, FIRST_SECONDS / 10), LEAST_RATE)
        self._waiting = max(self._waiting - (now - self._drained_at) * max(rate, self._drains), 0.0)
        self._drained_at, self._drains = now, rate
        self._waiting = min(self._waiting + 1, LONGEST * rate)
        return self._waiting / rate

    def _rate_at(self, now: float) -> float:
        return self._rate * math.exp((self._rated_at - now) / _MEMORY)
