"""How long things are tried."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from shared.backoff import Backoff
from shared.delivery.outcomes import Wait

_AS_THE_LIMITER_SAYS: Final = Backoff(first=0.0, longest=0.0)


@dataclass(frozen=True, slots=True)
class Policy:
    """How long things are tried; all times in seconds.

    Attributes:
        budget: For the tries at Airflow within one delivery. Event Grid waits 30 s for an answer, and a token
            that has to be fetched anew may come on top.
        hold_back: How long a queue's listener is kept from fetching more events at most, where one of them
            found no place. It has to fit into the host's `functionTimeout`, with the budget.
        later: Waits in the queue after failures that pass by themselves.
        alarm: Waits in the queue while a person has to act.
        dag_not_found: Waits in the queue for a DAG that is not there.
        rule_changed: Waits in the queue for an instance whose rules have a run for the event.
        grace: How long after it was first seen an event waits for its DAG; and how long a parked event waits
            for an instance with other rules, from the first instance on whose rules have no run for it.
        grace_attempts: And how many deliveries of it find no DAG, or no run in the rules, at least.
        paused: Waits in the queue for a paused DAG; they do not grow.
        max_age: The most that a rule's own `max_age` may be.
        breaker_rest: How long an Airflow that failed repeatedly is left alone before the next probe.
        queue_deliveries: How often the host delivers a queue message that fails: `maxDequeueCount` in
            host.json (tests/docs/test_host_settings.py compares the two). A larger number there, as by an
            application setting, does no harm; with a smaller one the poison queues' functions write the dead
            letters.
    """

    budget: float = 18.0
    hold_back: float = 60.0
    later: Backoff = field(default_factory=lambda: Backoff(first=5.0, longest=900.0, least=1.0))
    alarm: Backoff = field(default_factory=lambda: Backoff(first=1800.0, longest=1800.0, least=900.0))
    dag_not_found: Backoff = field(default_factory=lambda: Backoff(first=30.0, longest=300.0, least=15.0))
    rule_changed: Backoff = field(default_factory=lambda: Backoff(first=30.0, longest=300.0, least=15.0))
    grace: float = 3600.0
    grace_attempts: int = 12
    paused: Backoff = field(default_factory=lambda: Backoff(first=120.0, longest=120.0, least=60.0))
    max_age: float = math.inf
    breaker_rest: float = 30.0
    queue_deliveries: int = 12

    def waits(self, wait: Wait) -> Backoff:
        """Return the waits in the queue for a cause."""
        return {
            Wait.NO_CAPACITY: _AS_THE_LIMITER_SAYS,
            Wait.SOON: self.later,
            Wait.OPERATOR: self.alarm,
            Wait.DAG_NOT_FOUND: self.dag_not_found,
            Wait.PAUSED: self.paused,
            Wait.OTHER_RULES: self.rule_changed,
        }[wait]


@dataclass(frozen=True, slots=True)
class Budget:
    """What one delivery may spend at Airflow.

    Attributes:
        deadline: When the tries have to be over, on `clock`.
        tries: How many requests at most.
        pauses: How long between them.
        place_wait: Seconds to wait for a place among the requests in flight; nobody begins to wait who has to
            expect more than half of them.
        clock: Monotonic seconds.
        sleep: Waits for seconds.
    """

    deadline: float
    tries: int = 6
    pauses: Backoff = field(default_factory=lambda: Backoff(first=0.25, longest=4.0))
    place_wait: float = 4.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - self.clock()
