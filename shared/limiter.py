"""How many requests may be in flight to one Airflow at once.

A stock Airflow 3.3 hangs for good at about 24 requests in flight, and throughput falls long before that, so
there is a budget per connection. `LocalLimiter` keeps it within one process.
"""

import threading
from typing import Protocol


class Limiter(Protocol):
    """A budget of requests in flight to one Airflow, whoever else shares it.

    Each `enter` that returned True is followed by exactly one `leave`, which says what an adaptive budget
    wants to know.
    """

    def enter(self, rule: str, *, wait: float) -> bool:
        """Take a place for one request.

        Args:
            rule: For whom, so that places can be shared fairly.
            wait: Seconds to wait for a place at most.

        Returns:
            Whether there was one; where not, nothing may be sent.
        """

    def leave(self, rule: str, *, seconds: float, healthy: bool) -> None:
        """Give the place back.

        Args:
            rule: As given to `enter`.
            seconds: How long Airflow took.
            healthy: False where the answer was an error, a time-out or 429, True for a definite answer.
        """


class LocalLimiter:
    """At most so many requests at once from this process; safe to use from any thread.

    Args:
        places: The budget, from 1 up.
    """

    def __init__(self, places: int) -> None:
        self._places = threading.BoundedSemaphore(places)

    def enter(self, rule: str, *, wait: float) -> bool:  # noqa: ARG002 - places are not kept apart by rule here
        """Take a place; see `Limiter`."""
        return self._places.acquire(timeout=max(wait, 0.0))

    def leave(self, rule: str, *, seconds: float, healthy: bool) -> None:  # noqa: ARG002 - the budget is fixed
        """Give the place back; see `Limiter`."""
        self._places.release()
