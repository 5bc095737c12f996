"""One log line a minute of each kind that somebody without a right can cause, and a count of the others.

The first line is logged. Those that follow within a minute are counted, and the count is logged when the
minute is over: by the next line of that kind, or by a timer where none comes. There is one timer for all
kinds, and only while something is counted.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shared.log import LOGGER
from shared.throttle import ONCE_A_MINUTE

MOST_KINDS: Final = 500
"""Kinds of lines that are told apart; further ones share a window. Our own are some hundred."""

_OTHERS: Final = ("other lines",)


@dataclass(slots=True)
class _Window:
    level: int
    closes_at: float
    left_out: int = 0


def _by_timer(seconds: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, call)
    timer.daemon = True  # a count never keeps the process from ending
    timer.start()


class LogThrottle:
    """Says which lines may be logged, and logs how many could not; safe to use from any thread.

    Args:
        pause: Seconds of a window.
        clock: Monotonic seconds.
        later: Makes a call after some seconds, in another thread.
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
        """Tell whether a line may be logged now; where not, it is counted.

        Args:
            level: The line's level; the count has it too.
            kind: What the line is about: a function, a status and a code; never a caller's text.
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
        """Take out the windows that are over, or that of one kind if it is; the lock is held."""
        looked_at = [kind] if kind is not None else [*self._windows]
        over = [each for each in looked_at if now >= self._windows[each].closes_at]
        return [(each, self._windows.pop(each)) for each in over]

    def _arm(self, now: float) -> None:
        """Have the counts logged when the first of their windows is over; the lock is held."""
        counted = [window.closes_at for window in self._windows.values() if window.left_out]
        if counted and not self._is_armed:
            try:
                self._later(max(min(counted) - now, 0.01), self._sweep)
            except RuntimeError:  # no more threads can be started: the next line logs the count
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
    """Tell whether a line of some kind may be logged by this process now; see `LogThrottle.may_log`."""
    return _lines.may_log(level, *kind)
