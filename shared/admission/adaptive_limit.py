"""The limit of requests in flight: it grows while latency stays low, and is cut when Airflow fails.

The rule is TCP Vegas (Brakmo and Peterson, 1995, https://doi.org/10.1109/49.464716). The floor is the latency
of an unloaded Airflow, and `limit * (1 - floor / latency)` requests are queued in Airflow. If few are queued,
the limit grows by one; if many are, it shrinks by one. A stock Airflow serves about 30 runs a second to one
client and 36 to four (docs/scaling.md): queueing begins at two, and Airflow hangs at 24.
"""

import math
from typing import Final

_QUEUE_LITTLE: Final = 2.0
_QUEUE_MUCH: Final = 3.5
_SMOOTHING: Final = 0.2
_CUT: Final = 0.5
_WINDOW: Final = 60.0
_CEILING_GROWS: Final = 1 / 60
"""After errors, the limit may grow beyond the limit at the errors by one request a minute."""


class AdaptiveLimit:
    """The limit, from 1 to `most`; the caller locks it.

    Args:
        most: The budget over all instances, which this limit never exceeds.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._limit = 1.0
        self._ceiling = self._most
        self._ceiling_at = 0.0
        self._latency = 0.0
        self._floor = math.inf
        self._window_ends = -math.inf
        self._cut_at = -math.inf

    @property
    def value(self) -> int:
        """How many requests may be in flight."""
        return int(self._limit)

    def ended(self, now: float, *, seconds: float, healthy: bool, in_flight: int) -> None:
        """Adapt the limit to a request that ended.

        Args:
            now: Monotonic seconds.
            seconds: Airflow's time; 0 if no request was sent.
            healthy: False after an error, a time-out or a 429.
            in_flight: How many requests were in flight, including this one.
        """
        if not healthy:
            self._cut(now, began=now - seconds)
        elif seconds > 0:
            self._observe(now, seconds)
            if now - seconds >= self._cut_at:
                self._adjust(now, full=in_flight >= self.value)

    def _cut(self, now: float, *, began: float) -> None:
        """Halve the limit, once for all requests that were in flight at the same time."""
        if began < self._cut_at:
            return
        self._ceiling, self._ceiling_at = max(1.0, self.value - 1.0), now
        self._limit = max(1.0, self._limit * _CUT)
        self._cut_at = now

    def _observe(self, now: float, seconds: float) -> None:
        """Update the smoothed latency and its minimum of the last minute."""
        self._latency += (seconds - self._latency) * _SMOOTHING
        if now >= self._window_ends:
            # The limit is halved for a moment, so that our own queue does not raise the new minimum.
            self._limit = max(1.0, self._limit * _CUT)
            self._latency, self._floor = seconds, math.inf
            self._window_ends = now + _WINDOW
        self._floor = min(self._floor, self._latency)

    def _adjust(self, now: float, *, full: bool) -> None:
        queued = self._limit * (1 - self._floor / self._latency)
        if queued > _QUEUE_MUCH:
            self._limit -= 1 / self._limit  # more than 3.5 are queued, so the limit is above 3.5
        elif full and queued < _QUEUE_LITTLE:
            ceiling = self._ceiling + (now - self._ceiling_at) * _CEILING_GROWS
            self._limit = min(self._limit + 1 / self._limit, max(ceiling, 1.0), self._most)
