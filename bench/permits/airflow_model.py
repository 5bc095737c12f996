"""A model of Airflow for the simulation: with the measured throughput, and the number at which it hangs.

Throughput depends on the number of requests in flight, which share it evenly (processor sharing). Measured
on Airflow 3.3.2 with Postgres on two noisy cores, a 400-byte conf and a paused one-task DAG, 300 to 400
requests a row; take it as ±30 %.
"""

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

_SPREAD: Final = 0.4
"""The spread of the logarithm of a request's work: p99 was about 2.5 times p50 with one client."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The measured capacity.

    Attributes:
        name: The Airflow.
        rates: Requests in flight, ascending, and runs a second; values between are interpolated.
        hangs_at: The number of requests in flight at which it hangs.
    """

    name: str
    rates: tuple[tuple[int, float], ...]
    hangs_at: int

    def rate(self, in_flight: int) -> float:
        """Return the runs per second with this number in flight; 0 if Airflow hangs at it."""
        if in_flight >= self.hangs_at:
            return 0.0
        place = bisect_left(self.rates, (in_flight, 0.0))
        if place < len(self.rates) and self.rates[place][0] == in_flight:
            return self.rates[place][1]
        if place == len(self.rates):
            return self.rates[-1][1]
        (below, low), (above, high) = self.rates[place - 1], self.rates[place]
        return low + (high - low) * (in_flight - below) / (above - below)

    def best(self, most: int) -> float:
        """Return the throughput of the best fixed number in flight, up to `most`."""
        return max(self.rate(in_flight) for in_flight in range(1, most + 1))


ONE_WORKER: Final = Capacity(
    "one api-server worker", ((1, 30.0), (4, 36.0), (8, 35.0), (12, 31.0), (18, 27.0), (20, 19.0)), 24
)
TWO_WORKERS: Final = Capacity("two api-server workers", ((1, 32.0), (4, 82.0), (16, 72.0), (24, 58.0)), 32)


class ModelAirflow:
    """Requests in flight, each with its remaining work, in virtual time.

    Args:
        capacity: The measured capacity.
        random: Draws the work of each request; the mean is 1.

    Attributes:
        peak: The most requests in flight.
    """

    def __init__(self, capacity: Capacity, random: Random) -> None:
        self._capacity = capacity
        self._random = random
        self._requests: list[tuple[float, int, Callable[[float], None]]] = []
        self._count = 0
        self._done = 0.0
        self._now = 0.0
        self.peak = 0

    def start(self, now: float, ended: Callable[[float], None]) -> None:
        """Add a request; `ended` is called with the time when it is answered."""
        self._advance(now)
        work = self._random.lognormvariate(-_SPREAD * _SPREAD / 2, _SPREAD)
        self._count += 1
        self._requests.append((self._done + work, self._count, ended))
        self._requests.sort(key=lambda request: request[:2])
        self.peak = max(self.peak, len(self._requests))

    def next_end(self) -> float:
        """Return when the next request is answered, if no other is added before."""
        if not self._requests or not self._share():
            return math.inf
        return self._now + max(self._requests[0][0] - self._done, 0.0) / self._share()

    def end_one(self, now: float) -> None:
        """Answer the next request, at the time of `next_end`."""
        self._advance(now)
        _, _, ended = self._requests.pop(0)
        ended(now)

    def _share(self) -> float:
        in_flight = len(self._requests)
        return self._capacity.rate(in_flight) / in_flight if in_flight else 0.0

    def _advance(self, now: float) -> None:
        self._done += (now - self._now) * self._share()
        self._now = now
