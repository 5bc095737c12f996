"""Clocks that only a test moves."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

SEEN = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
"""When the clocks of these tests begin."""


class UnixClock:
    """Unix seconds that pass only when a test advances them."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@dataclass
class MonotonicClock:
    """Time that passes only during a sleep."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        """Return the monotonic seconds."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.seconds += seconds

    def now(self) -> datetime:
        """Return the time of day."""
        return SEEN + timedelta(seconds=self.seconds)
