"""Outcomes: what happened to one event at one rule; and their counts."""

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
    from shared.event.via import Via


class OutcomeKind(StrEnum):
    """The kinds of outcome."""

    UNMATCHED = "unmatched"
    """No rule matches the event."""
    STARTED = "started"
    """Airflow has a new run."""
    DUPLICATE = "duplicate"
    """Airflow has this run already."""
    COALESCED = "coalesced"
    """The event is in a window; one run will start for all events of the window."""
    SUPERSEDED = "superseded"
    """A newer event of the same key has a run."""
    REJECTED = "rejected"
    """The event is a dead letter, with the reason."""
    PARKED = "parked"
    """The event is in the queue, with the time of its next try."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one event at one rule.

    Attributes:
        kind: The kind of outcome.
        rule: The rule's name; empty if no rule matches or the event could not be read.
        event_id: The event's id; empty if the event could not be read.
        code: The row of the failure table, or another code of docs/codes.md.
        reason: The reason, in words; may be empty.
        connection: The connection to the Airflow.
        dag_id: The DAG.
        dag_run_id: The run's id, the same at each delivery of the event.
        status: Airflow's last HTTP status, if it answered.
        attempt: The number of deliveries, counted from 1.
        wait: Why the delivery is parked.
        retry_in: Seconds until the next try of a parked delivery.
        milliseconds: How long each hop took, by its name in `hops.py`.
        event_type: The event's type; empty if the event could not be read.
        source: The event's source; empty if the event could not be read.
        via: The channel of a body without an event id, for the log line; otherwise it may be empty.
        waits: How often the delivery was parked before.
        cause: Why the delivery is parked, in one word: the code, or `AIRFLOW_NOT_ANSWERING`.
        is_repeat: Whether the delivery was parked for the same cause before, and so has a log line already.
        unmatched: Why the nearest rule does not match; None if a rule matches. It quotes rules.yaml: use it
            in the log, and never in the answer to a caller.
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
    via: "Via | Literal['']" = ""
    waits: int = 0
    cause: str = ""
    is_repeat: bool = False
    unmatched: "Unmatched | None" = None

    def __post_init__(self) -> None:
        """Make the reason visible: it is shown in the log, in answers and in dead letters."""
        object.__setattr__(self, "reason", visible(self.reason))


AIRFLOW_NOT_ANSWERING: Final = "AirflowNotAnswering"
"""The cause of deliveries that wait while Airflow does not answer or answers only with errors."""
NO_RULE: Final = "-"
"""The name under which events that match no rule are counted."""


class OutcomeCounts:
    """Counts deliveries and their outcomes, per rule, in this process; safe to use from any thread.

    Different code counts the begin and the end of a delivery. So the counts show a delivery that ended twice,
    never, or at another rule. For each rule

        received = the sum of the kinds of `OutcomeKind` + raised + in_progress

    `received` counts one for each rule that an event matches, and one for an event that matches no rule.
    `raised` counts deliveries that ended with an error: Event Grid or the queue delivers them again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received: Counter[str] = Counter()
        self._raised: Counter[str] = Counter()
        self._in_progress: Counter[str] = Counter()
        self._ended: Counter[tuple[str, OutcomeKind]] = Counter()

    @contextmanager
    def delivery(self, rule: str = "") -> Iterator[None]:
        """Count one delivery to `rule` (empty: to no rule), which has to end inside."""
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
        """Count the outcome of a delivery."""
        with self._lock:
            self._ended[outcome.rule or NO_RULE, outcome.kind] += 1

    def by_rule(self) -> dict[str, dict[str, int]]:
        """Return `{rule: {"received": n, "started": n, …}}`, with all kinds for each rule."""
        with self._lock:
            return {
                rule: {"received": self._received[rule]}
                | {kind.value: self._ended[rule, kind] for kind in OutcomeKind}
                | {"raised": self._raised[rule], "in_progress": self._in_progress[rule]}
                for rule in sorted({*self._received, *(rule for rule, _ in self._ended)})
            }

    def balances(self) -> bool:
        """Return whether each delivery has ended exactly once, has raised, or may be in progress.

        A delivery in progress may be counted as ended already. With none in progress the result is exact.
        """
        return all(
            0
            <= count["received"] - count["raised"] - sum(count[kind] for kind in OutcomeKind)
            <= count["in_progress"]
            for count in self.by_rule().values()
        )


class Wait(Enum):
    """Why a delivery is parked; decides how long it waits (`Policy.waits`)."""

    NO_CAPACITY = auto()
    """Too many requests are in flight: wait until a slot is expected."""
    SOON = auto()
    """No definite answer within the time budget: a transient failure."""
    OPERATOR = auto()
    """Operator action is needed first: a long wait, and an error in the log."""
    DAG_NOT_FOUND = auto()
    """Airflow has no such DAG: long waits, for a limited time."""
    PAUSED = auto()
    """The DAG is paused, and the rule waits until it is active."""
    OTHER_RULES = auto()
    """The rules of this instance have no run for the event; the rules of another instance may have one."""

    @property
    def is_attempt(self) -> bool:
        """Whether the delivery was an attempt: each attempt makes the next wait longer."""
        return self in {Wait.SOON, Wait.OPERATOR, Wait.DAG_NOT_FOUND}


@dataclass(frozen=True, slots=True)
class Ending:
    """The result of the requests of one delivery.

    Attributes:
        kind: STARTED, DUPLICATE, SUPERSEDED, REJECTED or PARKED.
        code: The row of the failure table, or another code of docs/codes.md.
        reason: The reason, in words.
        wait: Why the delivery is parked; None for the other kinds.
        at_least: The least number of seconds until the next try.
        is_outage: Whether the delivery waits because Airflow does not answer or answers only with errors.
            Then the outage is the cause, and not the code: unanswered requests may use all slots.
    """

    kind: OutcomeKind
    code: Code
    reason: str = ""
    wait: Wait | None = None
    at_least: float = 0.0
    is_outage: bool = False

    @property
    def cause(self) -> str:
        """Why the delivery is parked, in one word; the same for all codes of one outage."""
        return AIRFLOW_NOT_ANSWERING if self.is_outage else self.code

    @staticmethod
    def parked(
        wait: Wait, code: Code, reason: str, *, at_least: float = 0.0, is_outage: bool = False
    ) -> "Ending":
        """Return the result of a delivery that has to be parked."""
        return Ending(OutcomeKind.PARKED, code, reason, wait, at_least, is_outage)
