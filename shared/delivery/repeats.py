"""One log line for many parked deliveries with the same cause.

During an outage each parked event is tried many times. The log has its first parking and its outcome. Between
them there is one line for each connection and cause, once in `EVERY` seconds.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shared.delivery.outcome_log import level_of
from shared.delivery.outcomes import Outcome
from shared.log import FIELDS, LOGGER
from shared.values.wording import duration_text

EVERY: Final = 300.0
"""Seconds."""


@dataclass(slots=True)
class _Window:
    began: float
    tries: int = 0


class Repeats:
    """Counts the deliveries that were parked again for the same cause; safe to use from any thread.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str], _Window] = {}

    def note(self, outcome: Outcome) -> None:
        """Count a parked delivery, and log the count once in `EVERY` seconds.

        A delivery with a log line of its own also begins the next `EVERY` seconds.
        """
        now = self._clock()
        with self._lock:
            window = self._windows.setdefault((outcome.connection, outcome.cause), _Window(now))
            window.tries += outcome.is_repeat
            lasted, tries = now - window.began, window.tries
            if lasted < EVERY:
                return
            window.began, window.tries = now, 0
        if not outcome.is_repeat:
            return
        retry_in = outcome.retry_in or 0.0
        LOGGER.log(
            level_of(outcome),
            "events still wait for %s: %d tries in the last %s had the same result; the next try is in "
            "%.0f s: %s",
            outcome.connection or "the key of a signature",
            tries,
            duration_text(lasted),
            retry_in,
            outcome.reason,
            extra={
                FIELDS: {
                    "connection": outcome.connection,
                    "cause": outcome.cause,
                    "tries": tries,
                    "retry_in": round(retry_in, 1),
                    "reason": outcome.reason,
                }
            },
        )
