"""Limits how often unauthenticated clients can cause some work."""

import threading
import time
from collections.abc import Callable
from typing import Final

ONCE_A_MINUTE: Final = 60.0


class Throttle:
    """Allows one call, and the next one only after a pause; safe to use from any thread.

    Args:
        pause: Seconds.
        clock: Monotonic seconds.
    """

    def __init__(self, pause: float = ONCE_A_MINUTE, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._open_at = float("-inf")

    def enter(self) -> bool:
        """Return whether a call is allowed now; True starts the next pause."""
        with self._lock:
            now = self._clock()
            if now < self._open_at:
                return False
            self._open_at = now + self._pause
            return True

    def opens_in(self) -> float:
        """Return the seconds until the next call is allowed; 0.0 if it is allowed now."""
        with self._lock:
            return max(self._open_at - self._clock(), 0.0)
