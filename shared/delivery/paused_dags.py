"""Which DAGs of one Airflow are paused: asked at most once a minute for each, whoever wants to know."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

KEPT: Final = 60.0
"""Seconds for which an answer is believed."""
FAILURE_KEPT: Final = 5.0
"""Seconds for which a question that brought no answer is not asked again."""


@dataclass(slots=True)
class _State:
    """What is known of one DAG; `asking` is held by whoever asks, and the others wait for that."""

    asking: threading.Lock = field(default_factory=threading.Lock)
    paused: object = None
    until: float = float("-inf")


class PausedDags:
    """Remembers which DAGs are paused; safe to use from any thread.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._states: dict[str, _State] = {}

    def paused[T](self, dag_id: str, ask: Callable[[], bool | T]) -> bool | T:
        """Return whether a DAG is paused, or what stood in the way of finding out.

        However many threads want to know, one of them asks and the others wait for its answer.

        Args:
            dag_id: The DAG.
            ask: Asks Airflow, in bounded time; whatever it returns but True and False is a failure, which
                is kept for a shorter time.
        """
        with self._lock:
            state = self._states.setdefault(dag_id, _State())
        with state.asking:
            if self._clock() >= state.until:
                state.paused = ask()
                state.until = self._clock() + (KEPT if isinstance(state.paused, bool) else FAILURE_KEPT)
            return state.paused  # type: ignore[return-value] # one `ask` a DAG: it returned a T before
