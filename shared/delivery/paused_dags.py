"""Which DAGs of one Airflow are paused or draining; each is requested at most once a minute."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from shared.values.json_text import JsonObject

KEPT: Final = 60.0
"""Seconds for which an answer is cached."""
FAILURE_KEPT: Final = 5.0
"""Seconds for which a failure is cached."""


class Scheduling(StrEnum):
    """What Airflow does with new runs of a DAG (`DagSchedulingState` of Airflow 3.4)."""

    ACTIVE = "active"
    """Airflow runs them."""
    PAUSED = "paused"
    """They wait until the DAG is unpaused."""
    DRAINING = "draining"
    """Airflow runs them, and pauses the DAG when no run is left: each new run delays the pause."""


def scheduling_of(dag: "JsonObject") -> Scheduling | None:
    """Return the state of a DAG; None if Airflow's answer does not contain it.

    Airflow up to 3.3 has only `is_paused`. In 3.4 a draining DAG has `is_paused: false` and
    `scheduling_state: draining`.

    Args:
        dag: A DAG as Airflow's API describes it.
    """
    paused = dag.get("is_paused")
    if not isinstance(paused, bool):
        return None
    if paused:
        return Scheduling.PAUSED
    value = dag.get("scheduling_state")
    return next((state for state in Scheduling if state.value == value), Scheduling.ACTIVE)


@dataclass(slots=True)
class _State:
    """The cached state of one DAG; the thread that asks Airflow holds `asking`, and the others wait."""

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
        """Return the state of a DAG, or the failure of `ask`.

        If several threads need the state, one asks and the others wait for its answer.

        Args:
            dag_id: The DAG.
            ask: Asks Airflow, in bounded time. A result that is not a state is a failure.
        """
        with self._lock:
            state = self._states.setdefault(dag_id, _State())
        with state.asking:
            if self._clock() >= state.until:
                state.scheduling = ask()
                answered = isinstance(state.scheduling, Scheduling)
                state.until = self._clock() + (KEPT if answered else FAILURE_KEPT)
            return state.scheduling  # type: ignore[return-value] # one `ask` a DAG: it returned a T before
