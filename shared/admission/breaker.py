"""The circuit breaker of one connection: an Airflow that is down is left alone, and asked by one probe.

Of the libraries, pybreaker holds its lock during the call, so that calls queue up behind each other, and
purgatory and circuitbreaker let every waiting caller through when the rest is over, which is the stampede
that a breaker is there to prevent. What is needed is short enough to own.
"""

import threading
import time
from collections.abc import Callable
from enum import StrEnum


class BreakerState(StrEnum):
    """What a breaker does with the next request."""

    CLOSED = "closed"
    """It goes."""
    OPEN = "open"
    """It is refused."""
    HALF_OPEN = "half-open"
    """One goes as a probe, the others are refused."""


class Breaker:
    """Opens after consecutive transient failures; safe to use from any thread.

    Args:
        failures: How many in a row open it.
        rest: Seconds from opening to the first probe.
        probe_lasts: Seconds after which a probe that never came back is given up, and another may go.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        failures: int = 5,
        rest: float = 30.0,
        probe_lasts: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._rest = rest
        self._probe_lasts = probe_lasts
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opened: float | None = None
        self._probe: float | None = None
        self._period = 0

    def enter(self) -> "Permission | None":
        """Return a passage for one request, to be reported on exactly once; None where it may not go."""
        with self._lock:
            if self._opened is None:
                return Permission(self, self._period)
            now = self._clock()
            if now < self._opened + self._rest:
                return None
            if self._probe is not None and now < self._probe + self._probe_lasts:
                return None
            self._probe = now
            self._period += 1
            return Permission(self, self._period)

    @property
    def state(self) -> BreakerState:
        """What the next request would meet, for health."""
        with self._lock:
            if self._opened is None:
                return BreakerState.CLOSED
            return BreakerState.OPEN if self._clock() < self._opened + self._rest else BreakerState.HALF_OPEN

    @property
    def retry_in(self) -> float:
        """Seconds until the next probe may go; 0 where a request may go now."""
        with self._lock:
            return 0.0 if self._opened is None else max(0.0, self._opened + self._rest - self._clock())

    def report(self, period: int, *, healthy: bool | None) -> None:
        """Take a passage's end; one that began before the breaker opened, or before a later probe, is late.

        Args:
            period: When the passage began.
            healthy: True for a definite answer, False for a transient failure, None where nothing was learnt.
        """
        with self._lock:
            if period != self._period:
                return
            if healthy:
                self._failures, self._opened, self._probe = 0, None, None
            elif healthy is None:
                self._probe = None
            else:
                self._failures += 1
                if self._opened is not None or self._failures >= self._limit:
                    self._opened, self._probe = self._clock(), None
                    self._period += 1


class Permission:
    """Leave to send one request; tell the breaker how it ended, once."""

    def __init__(self, breaker: Breaker, period: int) -> None:
        self._breaker = breaker
        self._period = period

    def end(self, *, healthy: bool | None) -> None:
        """Report the end; see `Breaker.report`."""
        self._breaker.report(self._period, healthy=healthy)
