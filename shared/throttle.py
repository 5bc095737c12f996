"""At most once in a while: what a stranger may cause this app to do."""

import threading
import time
from collections.abc import Callable
from typing import Final

ONCE_A_MINUTE: Final = 60.0


class Throttle:
    """Lets one caller through, and the next one only after a pause; safe to use from any thread.

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
        """Tell whether it may be done now; True counts as done."""
        with self._lock:
            now = self._clock()
            if now < self._open_at:
                return False
            self._open_at = now + self._pause
            return True

    def opens_in(self) -> float:
        """Return the seconds until somebody may do it again; 0.0 where that is now."""
        with self._lock:
            return max(self._open_at - self._clock(), 0.0)
