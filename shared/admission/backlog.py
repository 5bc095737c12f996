"""When an event that found no place should come back: when those before it have had their turn.

Each one turned away is counted, and the count drains at the rate at which requests can come to an end here:
the rate at which they did of late, or what the places held make possible, whichever is more. The second
matters when a burst begins and next to nothing has ended yet: events that were told to come back slowly would
arrive slowly, and nothing more could be measured. So 10,000 events that are turned away at once come back one
by one, as fast as they can be served, instead of all together again and again.
"""

import math
from typing import Final

LEAST_RATE: Final = 1.0
"""Events a second; so many are taken to be served where no place is held and nothing ended of late."""
FIRST_SECONDS: Final = 0.05
"""How long a request is taken to last before one has ended; too short costs a turn, too long a stall."""
LONGEST: Final = 900.0
"""Seconds that anyone is sent away for at most."""
_MEMORY: Final = 10.0
_WEIGHT: Final = 0.1


class Backlog:
    """The events that were turned away, as a number that drains. The caller keeps threads apart.

    Attributes:
        seconds: How long requests take of late.
    """

    def __init__(self) -> None:
        self._rate = 0.0
        self.seconds = FIRST_SECONDS
        self._rated_at = 0.0
        self._waiting = 0.0
        self._drained_at = 0.0
        self._drains = LEAST_RATE

    def served(self, now: float, *, seconds: float) -> None:
        """Count a request that came to its end after so many seconds."""
        self.seconds += _WEIGHT * (seconds - self.seconds)
        self._rate = self._rate_at(now) + 1 / _MEMORY
        self._rated_at = now

    def delay_for_rejected(self, now: float, *, places: int) -> float:
        """Count an event that is turned away, and return the seconds until its turn.

        Args:
            now: The monotonic clock.
            places: How many requests may be in flight from here.
        """
        rate = max(self._rate_at(now), places / max(self.seconds, FIRST_SECONDS / 10), LEAST_RATE)
        self._waiting = max(self._waiting - (now - self._drained_at) * max(rate, self._drains), 0.0)
        self._drained_at, self._drains = now, rate
        self._waiting = min(self._waiting + 1, LONGEST * rate)
        return self._waiting / rate

    def _rate_at(self, now: float) -> float:
        return self._rate * math.exp((self._rated_at - now) / _MEMORY)
