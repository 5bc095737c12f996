"""What happened to one event at one rule: the outcomes of guarantee 2, and their counts."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING, Final, Literal

from shared.codes import Code
from shared.visible_text import visible

if TYPE_CHECKING:
    from shared.deciding.nearest import Unmatched


class OutcomeKind(StrEnum):
    """Every way in which the handling of an event can end, each with one meaning."""

    UNMATCHED = "unmatched"
    """No rule wanted it."""
    STARTED = "started"
    """Airflow has a new run."""
    DUPLICATE = "duplicate"
    """Airflow has this very run already."""
    COALESCED = "coalesced"
    """It waits in a window's blob and starts with the others."""
    SUPERSEDED = "superseded"
    """A newer event of the same key has started already."""
    REJECTED = "rejected"
    """In the dead-letter store, with the reason."""
    PARKED = "parked"
    """In the queue, with the time of its next try."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the handling of one event at one rule ended.

    Attributes:
        kind: The word that it is counted under.
        rule: The rule's name; empty where the event matched none or could not be read.
        event_id: The event's id; empty where the event could not be read.
        code: The row of the failure table, or our own word for what happened (docs/delivery.md).
        reason: Why, in words for a person; empty where the kind says it all.
        connection: The Airflow that was asked.
        dag_id: The DAG that was to run.
        dag_run_id: The run's id, the same at every delivery of the event.
        status: Airflow's last HTTP status, if it answered.
        attempt: How many deliveries there were, counting from 1.
        wait: Why a parked delivery waits.
        retry_in: Seconds until the next try of a parked delivery.
        milliseconds: How long each hop took, by its name in `hops.py`.
        event_type: The event's type; empty where the event could not be read.
        source: The event's source; empty where the event could not be read.
        waits: How often the delivery was parked before.
        cause: Why a parked delivery waits, in one word: the code, or `AIRFLOW_NOT_ANSWERING`.
        is_repeat: Whether it was parked for the same cause before: then it has its line in the log already.
        unmatched: Why the nearest rule did not want the event; None where a rule wanted it. It quotes
            rules.yaml: for the log, never for a caller.
    """

    kind: OutcomeKind
    rule: str = ""
    event_id: str = ""
    code: Code | Literal[""] = ""
    reason: str = ""
    connection: str = ""
    dag_id: str = ""
    dag_run_id: str = ""
    status: int | None = None
    attempt: int = 1
    wait: "Wait | None" = None
    retry_in: float | None = None
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    event_type: str = ""
    source: str = ""
    waits: int = 0
    cause: str = ""
    is_repeat: bool = False
    unmatched: "Unmatched | None" = None

    def __post_init__(self) -> None:
        """Make the reason visible: it goes to the log, to a caller, into the queue and into a dead letter."""
        object.__setattr__(self, "reason", visible(self.reason))


AIRFLOW_NOT_ANSWERING: Final = "AirflowNotAnswering"
"""The cause of what waits because Airflow does not answer, or with errors alone, whatever its code."""
NO_RULE: Final = "-"
"""The name under which the app counts events that no rule claimed."""


class OutcomeCounts:
    """Counts deliveries and how each ended, per rule, in this process; safe to use from any thread.

    A delivery is counted when it begins and when it ends, by different code: so a delivery that ends twice,
    or never, or at another rule, shows. For each rule

        received = the sum of the words of `OutcomeKind` + raised + in_progress

    `received` counts one for each rule that an event matched, and one for an event that matched none.
    `raised` counts deliveries that ended in an error: Event Grid or the queue delivers them again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received: Counter[str] = Counter()
        self._raised: Counter[str] = Counter()
        self._in_progress: Counter[str] = Counter()
        self._ended: Counter[tuple[str, OutcomeKind]] = Counter()

    @contextmanager
    def delivery(self, rule: str = "") -> Iterator[None]:
        """Count one delivery to `rule` (empty: to no rule), which has to end inside; an error passes."""
        rule = rule or NO_RULE
        with self._lock:
            self._received[rule] += 1
            self._in_progress[rule] += 1
        raised = True
        try:
            yield
            raised = False
        finally:
            with self._lock:
                self._in_progress[rule] -= 1
                self._raised[rule] += raised

    def end(self, outcome: Outcome) -> None:
        """Count how a delivery ended."""
        with self._lock:
            self._ended[outcome.rule or NO_RULE, outcome.kind] += 1

    def by_rule(self) -> dict[str, dict[str, int]]:
        """Return `{rule: {"received": n, "started": n, …}}`, every word present for every rule seen."""
        with self._lock:
            return {
                rule: {"received": self._received[rule]}
                | {kind.value: self._ended[rule, kind] for kind in OutcomeKind}
                | {"raised": self._raised[rule], "in_progress": self._in_progress[rule]}
                for rule in sorted({*self._received, *(rule for rule, _ in self._ended)})
            }

    def balances(self) -> bool:
        """Tell whether each delivery has ended exactly once, or raised, or may be in progress still.

        A delivery that is in progress may be counted as ended already. At rest the figure is exact.
        """
        return all(
            0
            <= count["received"] - count["raised"] - sum(count[kind] for kind in OutcomeKind)
            <= count["in_progress"]
            for count in self.by_rule().values()
        )


class Wait(Enum):
    """Why a delivery is parked, which decides how long it waits (`Policy.waits`)."""

    NO_CAPACITY = auto()
    """Nothing was asked, because too many requests are in flight: until a slot is expected."""
    SOON = auto()
    """Nothing definite within the budget: a failure that passes by itself."""
    OPERATOR = auto()
    """Operator action is needed first: much longer, and an error is logged."""
    DAG_NOT_FOUND = auto()
    """Airflow has no such DAG: slowly, for a while."""
    PAUSED = auto()
    """The DAG is paused, and the rule waits for it."""
    OTHER_RULES = auto()
    """The rules of this instance have no run for the event; those of another instance may have one."""

    @property
    def is_attempt(self) -> bool:
        """Whether the delivery was an attempt, after which the next wait is longer."""
        return self in {Wait.SOON, Wait.OPERATOR, Wait.DAG_NOT_FOUND}


@dataclass(frozen=True, slots=True)
class Ending:
    """How the tries of one delivery ended.

    Attributes:
        kind: STARTED, DUPLICATE, SUPERSEDED, REJECTED or PARKED.
        code: The reason as one word: the failure table's row, or one of ours (docs/delivery.md).
        reason: The reason for a person.
        wait: Why a parked delivery waits; None for the other kinds.
        at_least: Seconds that the next try must wait at least.
        is_outage: Whether a parked delivery waits because Airflow does not answer, or with errors alone:
            whatever the code says then, as of slots that unanswered requests hold, this is the cause.
    """

    kind: OutcomeKind
    code: Code
    reason: str = ""
    wait: Wait | None = None
    at_least: float = 0.0
    is_outage: bool = False

    @property
    def cause(self) -> str:
        """Why a parked delivery waits, in one word; the same for all that one outage does to it."""
        return AIRFLOW_NOT_ANSWERING if self.is_outage else self.code

    @staticmethod
    def parked(
        wait: Wait, code: Code, reason: str, *, at_least: float = 0.0, is_outage: bool = False
    ) -> "Ending":
        """Return the ending of a delivery that is to be parked."""
        return Ending(OutcomeKind.PARKED, code, reason, wait, at_least, is_outage)
