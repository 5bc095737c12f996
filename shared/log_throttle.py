"""Limits the log lines that unauthenticated clients can cause to one a minute of each kind.

The first line is logged. Those that follow within a minute are counted, and the count is logged when the
minute is over: by the next line of that kind, or by a timer if no line follows. One timer serves all
kinds; it runs only while something is counted.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shared.log import LOGGER
from shared.throttle import ONCE_A_MINUTE

MOST_KINDS: Final = 500
"""Kinds of lines with a window each; further kinds share one. This app has about a hundred kinds."""

_OTHERS: Final = ("other lines",)


@dataclass(slots=True)
class _Window:
    level: int
    closes_at: float
    left_out: int = 0


def _by_timer(seconds: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, call)
    timer.daemon = True  # so that a pending count does not delay the end of the process
    timer.start()


class LogThrottle:
    """Decides which lines may be logged, and logs how many were left out; safe to use from any thread.

    Args:
        pause: The seconds of a window.
        clock: Monotonic seconds.
        later: Makes a call after some seconds, on another thread.
    """

    def __init__(
        self,
        pause: float = ONCE_A_MINUTE,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], None] = _by_timer,
    ) -> None:
        self._pause = pause
        self._clock = clock
        self._later = later
        self._lock = threading.Lock()
        self._windows: dict[tuple[object, ...], _Window] = {}
        self._is_armed = False

    def may_log(self, level: int, *kind: object) -> bool:
        """Return whether a line may be logged now; if not, it is counted.

        Args:
            level: The line's level; the count is logged with it too.
            kind: The line's function, status and code; never a caller's text.
        """
        with self._lock:
            now = self._clock()
            closed = self._close(now) if kind not in self._windows else self._close(now, kind)
            if kind not in self._windows and len(self._windows) >= MOST_KINDS:
                kind = _OTHERS
            window = self._windows.get(kind)
            if window is None:
                self._windows[kind] = _Window(level, now + self._pause)
            else:
                window.left_out += 1
                self._arm(now)
        self._report(closed)
        return window is None

    def _close(
        self, now: float, kind: tuple[object, ...] | None = None
    ) -> list[tuple[tuple[object, ...], _Window]]:
        """Remove and return the windows that are over, of all kinds or of one; the lock is held."""
        looked_at = [kind] if kind is not None else [*self._windows]
        over = [each for each in looked_at if now >= self._windows[each].closes_at]
        return [(each, self._windows.pop(each)) for each in over]

    def _arm(self, now: float) -> None:
        """Start the timer that logs the counts when the first window is over; the lock is held."""
        counted = [window.closes_at for window in self._windows.values() if window.left_out]
        if counted and not self._is_armed:
            try:
                self._later(max(min(counted) - now, 0.01), self._sweep)
            except RuntimeError:  # no more threads can be started; the next line logs the count
                return
            self._is_armed = True

    def _sweep(self) -> None:
        with self._lock:
            self._is_armed = False
            now = self._clock()
            closed = self._close(now)
            self._arm(now)
        self._report(closed)

    def _report(self, closed: list[tuple[tuple[object, ...], _Window]]) -> None:
        for kind, window in closed:
            if window.left_out:
                LOGGER.log(
                    window.level,
                    "%d more log lines like one before were left out in %.0f s: %s",
                    window.left_out,
                    self._pause,
                    " ".join(str(each) for each in kind if each != ""),
                )


_lines = LogThrottle()


def may_log(level: int, *kind: object) -> bool:
    """Return whether this process may log a line of some kind now; see `LogThrottle.may_log`."""
    return _lines.may_log(level, *kind)
