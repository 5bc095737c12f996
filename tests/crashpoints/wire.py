"""The requests of one case, numbered by kind, and the faults of some."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LATE: Final = 6.0
"""Seconds after which a late request takes effect: 60 s, shortened like the product's waits (`SHORT`)."""


class Fault(StrEnum):
    """A fault of a request."""

    NEVER = "never arrives"
    """The connection breaks before the request arrives."""
    LOST = "answer lost"
    """The request takes effect, and its answer is lost."""
    KILLED = "killed"
    """The request takes effect, and the process is killed before it reads the answer."""
    LATE = "late"
    """The answer is lost, and the request takes effect later."""


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One request of a scenario.

    Attributes:
        kind: The service, the method and the normalised path, as in `airflow POST dagRuns`.
        number: The number of the request among requests of its kind, from 1.
    """

    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind} #{self.number}"


class Wire:
    """Passes on all requests of the app in one case; safe to use from any thread.

    Args:
        plan: The faults, by request.
        kill: Kills the instance that runs an action.

    Attributes:
        meanwhile: Functions to call between a request's effect and its answer, once each.
        points: Every request so far, in the order of arrival.
        hit: The planned requests that arrived.
    """

    def __init__(self, plan: Mapping[Point, Fault], kill: Callable[[], None]) -> None:
        self.meanwhile: dict[Point, Callable[[], None]] = {}
        self.points: list[Point] = []
        self.hit: set[Point] = set()
        self._plan = plan
        self._kill = kill
        self._lock = threading.Lock()
        self._numbers: Counter[str] = Counter()
        self._late: list[threading.Thread] = []
        self._closed = threading.Event()

    def carry[T](self, kind: str, forward: Callable[[], T]) -> T | None:
        """Pass on one request and return its answer; None if the connection breaks.

        Args:
            kind: The request's kind.
            forward: Sends the request, and returns its answer.
        """
        with self._lock:
            self._numbers[kind] += 1
            point = Point(kind, self._numbers[kind])
            self.points.append(point)
            fault = self._plan.get(point)
            meanwhile = self.meanwhile.pop(point, None)
            if fault is not None:
                self.hit.add(point)
        if fault is None:
            answer = forward()
            if meanwhile is not None:
                meanwhile()
            return answer
        if fault is Fault.LATE:
            self._later(forward)
        elif fault is not Fault.NEVER:
            forward()
        if fault is Fault.KILLED:
            self._kill()
        return None

    def settle(self) -> None:
        """Wait until every late request has taken effect."""
        with self._lock:
            late = tuple(self._late)
        for thread in late:
            thread.join()

    @property
    def quiet(self) -> bool:
        """Whether no late request is in flight."""
        with self._lock:
            return not any(thread.is_alive() for thread in self._late)

    def close(self) -> None:
        """Cancel all late requests."""
        self._closed.set()
        self.settle()

    def _later(self, forward: Callable[[], object]) -> None:
        def act() -> None:
            if not self._closed.wait(LATE):
                forward()

        thread = threading.Thread(target=act, daemon=True)
        with self._lock:
            self._late.append(thread)
        thread.start()
