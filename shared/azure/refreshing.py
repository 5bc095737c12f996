"""A cached value with a single fetch at a time: a token, a secret.

Reading the cached value takes no lock. Before it expires, one thread fetches a new value while the others use
the old one. Without a usable value, one thread fetches, and the others wait for this fetch and get its value
or its error.
"""

import contextlib
import copy
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shared.errors import CredentialError
from shared.log import LOGGER
from shared.log_throttle import may_log

PAUSE: Final = 1.0
"""Seconds for which a transient failure is cached."""
LONG_PAUSE: Final = 5.0
"""The same for a failure that only an operator can fix, and for a renewal with the same value."""


class TooManyWaiting(CredentialError):
    """The value is being fetched, and the most threads are waiting for it."""


@dataclass(frozen=True, slots=True)
class Fetched[T]:
    """A fetched value and how long it may be used.

    Attributes:
        value: The value; never shown.
        renew_at: Unix seconds after which one caller fetches a new value.
        expires_at: Unix seconds after which the value must not be used.
    """

    value: T
    renew_at: float
    expires_at: float

    def __repr__(self) -> str:
        return f"Lease(renew_at={self.renew_at:.0f}, expires_at={self.expires_at:.0f})"


class _Flight[T]:
    """One running fetch, for which other threads can wait."""

    def __init__(self) -> None:
        self.waiting = 0
        self._landed = threading.Event()
        self._lease: Fetched[T] | None = None
        self._error: BaseException | None = None

    def bring(self, lease: Fetched[T] | None, error: BaseException | None) -> None:
        self._lease, self._error = lease, error
        self._landed.set()

    def wait(self) -> T:
        self._landed.wait()
        if self._lease is None:
            assert self._error is not None
            raise _again(self._error) from self._error
        return self._lease.value


@dataclass(frozen=True, slots=True)
class _Failure:
    error: CredentialError
    until: float


class RefreshingValue[T]:
    """Single-flight cache; returns the old value while one thread renews it; safe to use from any thread.

    Args:
        fetch: Returns a new value. It gets the value that was refused, or None. It raises a
            `CredentialError` if it cannot, and takes a limited time.
        what: Names the value in the log, as in `the token of connection 'analytics'`.
        drop_when_denied: A permanent failure of a renewal (a disabled secret, a removed role) drops the old
            value at once. Otherwise the old value is used until it expires, as for a token.
        clock: Returns Unix seconds.
    """

    def __init__(
        self,
        fetch: Callable[[T | None], Fetched[T]],
        *,
        what: str,
        drop_when_denied: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = fetch
        self._what = what
        self._drop_when_denied = drop_when_denied
        self._clock = clock
        self._lock = threading.Lock()
        self._lease: Fetched[T] | None = None
        self._flight: _Flight[T] | None = None
        self._failure: _Failure | None = None
        self._same_until = 0.0

    def get(self, *, waiters: int | None = None) -> T:
        """Return the value; fetch it first if it is missing or about to expire.

        Args:
            waiters: The most threads that wait for a fetch of another thread; further ones get the error.
                None sets no limit.

        Raises:
            CredentialError: There is no usable value, and the fetch failed.
            TooManyWaiting: The most threads are waiting already.
        """
        lease = self._lease  # read once, because other threads may replace it
        now = self._clock()
        if lease is not None and now < lease.renew_at:
            return lease.value
        with self._lock:
            lease = self._lease
            usable = lease is not None and now < lease.expires_at
            if lease is not None and (
                now < lease.renew_at or (usable and (self._flight or self._paused(now)))
            ):
                return lease.value
            flight, mine = self._board(now)
            if not mine:
                if waiters is not None and flight.waiting >= waiters:
                    raise TooManyWaiting(f"{self._what} is being fetched, and {waiters} threads wait for it")
                flight.waiting += 1
        if not mine:
            return flight.wait()
        try:
            return self._fly(flight, None).value
        except CredentialError as exc:
            if lease is None or not usable or (exc.permanent and self._drop_when_denied):
                raise
            if may_log(logging.WARNING, self._what, "could not be renewed"):
                LOGGER.warning(
                    "%s could not be renewed, the old one is used for at most %.0f s more: %s",
                    self._what,
                    lease.expires_at - now,
                    exc,
                )
            return lease.value

    def renew(self, refused: T | None = None) -> T:
        """Return another value than `refused`, or the newest one.

        A value that another thread has fetched since counts as new. All threads with the same refused value
        share one fetch. If the last renewal has just returned the same value, there is no fetch, so that
        renewing in a loop costs nothing.

        Args:
            refused: The value that was not accepted; None fetches in any case.

        Raises:
            CredentialError: The fetch failed; the refused value is dropped.
        """
        now = self._clock()
        with self._lock:
            lease = self._lease
            if lease is not None and refused is not None and now < lease.expires_at:
                if lease.value != refused or now < self._same_until:
                    return lease.value
                refused = lease.value
            flight, mine = self._board(now)
        if not mine:
            return flight.wait()
        try:
            renewed = self._fly(flight, refused)
        except CredentialError:
            with self._lock:
                if self._lease is lease:
                    self._lease = None
            raise
        if lease is not None and renewed.value == lease.value:
            self._same_until = self._clock() + LONG_PAUSE
        return renewed.value

    def reread(self) -> T:
        """Return the value of a fetch that begins after this call.

        The old value was not refused, so it stays usable if the fetch fails for a while.

        Raises:
            CredentialError: The fetch failed.
        """
        with self._lock:
            flight, mine = self._board(self._clock())
        if not mine:  # this fetch began before the call, so it may return the old value
            with contextlib.suppress(CredentialError):
                flight.wait()
            with self._lock:
                flight, mine = self._board(self._clock())
        return self._fly(flight, None).value if mine else flight.wait()

    def _board(self, now: float) -> tuple[_Flight[T], bool]:
        """Join the running fetch, or begin one; the lock is held.

        Raises:
            CredentialError: The last fetch failed a moment ago.
        """
        if self._flight is not None:
            return self._flight, False
        if self._failure is not None and now < self._failure.until:
            raise _again(self._failure.error) from self._failure.error
        self._flight = _Flight()
        return self._flight, True

    def _paused(self, now: float) -> bool:
        return self._failure is not None and now < self._failure.until

    def _fly(self, flight: _Flight[T], refused: T | None) -> Fetched[T]:
        lease: Fetched[T] | None = None
        failure: BaseException | None = None
        try:
            lease = self._fetch(refused)
        except BaseException as exc:
            failure = exc
            raise
        else:
            return lease
        finally:
            with self._lock:
                self._flight = None
                if lease is not None:
                    self._lease, self._failure = lease, None
                elif isinstance(failure, CredentialError):
                    self._remember(failure)
            flight.bring(lease, failure)

    def _remember(self, error: CredentialError) -> None:
        pause = LONG_PAUSE if error.permanent else PAUSE
        self._failure = _Failure(error, self._clock() + pause)
        if error.permanent and self._drop_when_denied:
            self._lease = None


def _again(error: BaseException) -> BaseException:
    """Return a copy of an error for another thread: one object would collect the tracebacks of all."""
    return copy.copy(error)
