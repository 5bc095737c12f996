"""Which DAGs of one Airflow are paused or draining: asked at most once a minute for each."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from shared.values.json_text import JsonObject

KEPT: Final = 60.0
"""Seconds for which an answer is believed."""
FAILURE_KEPT: Final = 5.0
"""Seconds for which a question that brought no answer is not asked again."""


class Scheduling(StrEnum):
    """What Airflow does with runs that a DAG is asked for (`DagSchedulingState` of Airflow 3.4)."""

    ACTIVE = "active"
    """It runs them."""
    PAUSED = "paused"
    """They wait until the DAG is unpaused."""
    DRAINING = "draining"
    """It runs them, and pauses the DAG once no run is left: each run that is asked for delays that."""


def scheduling_of(dag: "JsonObject") -> Scheduling | None:
    """Return the state that Airflow gives a DAG; None where it says nothing of it.

    Airflow up to 3.3 knows `is_paused` alone. In 3.4 a draining DAG has `is_paused: false`, and its
    `scheduling_state` is `draining`.

    Args:
        dag: A DAG as Airflow's API describes it.
    """
    paused = dag.get("is_paused")
    if not isinstance(paused, bool):
        return None
    if paused:
        return Scheduling.PAUSED
    said = dag.get("scheduling_state")
    return next((state for state in Scheduling if state.value == said), Scheduling.ACTIVE)


@dataclass(slots=True)
class _State:
    """What is known of one DAG; `asking` is held by whoever asks, and the others wait for that."""

    asking: threading.Lock = field(default_factory=threading.Lock)
    scheduling: object = None
    until: float = float("-inf")


class PausedDags:
    """Remembers which DAGs are paused or draining; safe to use from any thread.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._states: dict[str, _State] = {}

    def scheduling[T](self, dag_id: str, ask: Callable[[], Scheduling | T]) -> Scheduling | T:
        """Return the state of a DAG, or what stood in the way of finding out.

        However many threads want to know, one of them asks and the others wait for its answer.

        Args:
            dag_id: The DAG.
            ask: Asks Airflow, in bounded time; whatever it returns but a state is a failure, which is kept
                for a shorter time.
        """
        with self._lock:
            state = self._states.setdefault(dag_id, _State())
        with state.asking:
            if self._clock() >= state.until:
                state.scheduling = ask()
                answered = isinstance(state.scheduling, Scheduling)
                state.until = self._clock() + (KEPT if answered else FAILURE_KEPT)
            return state.scheduling  # type: ignore[return-value] # one `ask` a DAG: it returned a T before
