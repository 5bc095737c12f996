"""The circuit breaker of one connection: it pauses requests to an Airflow that is down, except for one probe.

The libraries do not fit: pybreaker holds its lock during the call, so calls wait for each other. purgatory
and circuitbreaker allow all waiting calls when the pause ends, and a breaker has to prevent that load.
"""

import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.admission.outage import Outage

SILENT_SECONDS: Final = 3.0
"""An Airflow that answers nothing, or errors alone, for less than this is not said to be out of order: most
requests take less, and a single failure is mostly followed by an answer."""


class Breaker:
    """Opens after consecutive transient failures; safe to use from any thread.

    Args:
        failures: How many consecutive failures open it.
        rest: Seconds from opening to the first probe.
        probe_lasts: Seconds after which another probe replaces one that has not ended.
        clock: Monotonic seconds.
        now: The time of day, with a time zone.
    """

    def __init__(
        self,
        *,
        failures: int = 5,
        rest: float = 30.0,
        probe_lasts: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._limit = failures
        self._rest = rest
        self._probe_lasts = probe_lasts
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._sent: dict[Permission, float] = {}
        self._answered = -math.inf
        self._failing_since: float | None = None
        self._last_status: int | None = None
        self._failures = 0
        self._opened: float | None = None
        self._probe: float | None = None
        self._period = 0

    def enter(self) -> "Permission | None":
        """Return the permission for one request, whose end is reported once; None if it is refused."""
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
    def retry_in(self) -> float:
        """Seconds until the next probe is allowed; 0 if a request is allowed now."""
        with self._lock:
            return 0.0 if self._opened is None else max(0.0, self._opened + self._rest - self._clock())

    @property
    def outage(self) -> Outage | None:
        """Return since when Airflow has given no answer, or errors alone; None while it answers.

        It counts from the moment when the first request was sent that got no answer, so the requests that
        still wait for one count, too. The last known condition stays until an answer comes.
        """
        with self._lock:
            now, since = self._clock(), self._failing_since
            if since is None and self._sent:
                since = max(next(iter(self._sent.values())), self._answered)
            if since is None or (self._opened is None and now - since < SILENT_SECONDS):
                return None
            moment = self._now()
            rest = None if self._opened is None else self._opened + self._rest - now
            return Outage(
                since=moment - timedelta(seconds=now - since),
                next_try=moment + timedelta(seconds=rest) if rest is not None and rest > 0 else None,
                status=self._last_status if self._failing_since is not None else None,
                is_tried=rest is not None and rest <= 0,
            )

    @property
    def oldest_seconds(self) -> float | None:
        """Seconds since the oldest request without an answer was sent; None if every request has one."""
        with self._lock:
            return self._clock() - next(iter(self._sent.values())) if self._sent else None

    def sent(self, permission: "Permission") -> None:
        """Note that the request of a permission is on its way."""
        with self._lock:
            self._sent[permission] = self._clock()

    def report(
        self, permission: "Permission", period: int, *, healthy: bool | None, status: int | None = None
    ) -> None:
        """Take a passage's end; one that began before the breaker opened, or before a later probe, is late.

        Args:
            permission: The passage.
            period: When the passage began.
            healthy: True for a definite answer, False for a transient failure, None where nothing was learnt.
            status: The HTTP status of a failure, where an answer came.
        """
        with self._lock:
            sent = self._sent.pop(permission, None)
            if period != self._period:
                return
            if healthy:
                self._failures, self._opened, self._probe = 0, None, None
                self._failing_since, self._answered = None, self._clock()
            elif healthy is None:
                self._probe = None
            else:
                self._failures += 1
                self._last_status = status
                if self._failing_since is None:
                    self._failing_since = max(self._clock() if sent is None else sent, self._answered)
                if self._opened is not None or self._failures >= self._limit:
                    self._opened, self._probe = self._clock(), None
                    self._period += 1


class Permission:
    """The permission to send one request; `end` is called once."""

    def __init__(self, breaker: Breaker, period: int) -> None:
        self._breaker = breaker
        self._period = period

    def sent(self) -> None:
        """Say that the request is sent now."""
        self._breaker.sent(self)

    def end(self, *, healthy: bool | None, status: int | None = None) -> None:
        """Report the end; see `Breaker.report`."""
        self._breaker.report(self, self._period, healthy=healthy, status=status)
