"""How long and how often deliveries are tried."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from shared.backoff import Backoff
from shared.delivery.outcomes import Wait

_NO_BACKOFF: Final = Backoff(first=0.0, longest=0.0)
"""The limiter's estimate is the wait."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How long and how often deliveries are tried; all times in seconds.

    Attributes:
        budget: For the requests to Airflow within one delivery. Event Grid waits 30 s for an answer; a new
            token may take more time.
        hold_back: The longest delay of a queue's listener if there are no slots. The sum of this and the
            budget has to be below the host's `functionTimeout`.
        later: Waits in the queue after transient failures.
        alarm: Waits in the queue if operator action is needed.
        dag_not_found: Waits in the queue for a missing DAG.
        rule_changed: Waits in the queue for an instance whose rules have a run for the event.
        grace: How long an event waits for its DAG, from its first arrival; and how long a parked event waits
            for an instance with other rules, from the first instance without a run for it.
        grace_attempts: The least number of deliveries within the grace.
        paused: Waits in the queue for a paused DAG; they do not grow.
        max_age: The upper limit of a rule's own `max_age`.
        breaker_rest: The time from the opening of the circuit breaker to the next probe.
        queue_deliveries: How often the host delivers a queue message that fails: `maxDequeueCount` in
            host.json (tests/docs/test_host_settings.py compares the two). If the host's number is smaller,
            the poison queues' functions write the dead letters.
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
            Wait.NO_CAPACITY: _NO_BACKOFF,
            Wait.SOON: self.later,
            Wait.OPERATOR: self.alarm,
            Wait.DAG_NOT_FOUND: self.dag_not_found,
            Wait.PAUSED: self.paused,
            Wait.OTHER_RULES: self.rule_changed,
        }[wait]


@dataclass(frozen=True, slots=True)
class Budget:
    """The time and the number of requests of one delivery.

    Attributes:
        deadline: The end of the requests, on `clock`.
        tries: The greatest number of requests.
        pauses: The pauses between requests.
        slot_wait: Seconds to wait for a slot. A request whose expected wait is more than half of that is
            rejected at once.
        clock: Monotonic seconds.
        sleep: Waits for seconds.
    """

    deadline: float
    tries: int = 6
    pauses: Backoff = field(default_factory=lambda: Backoff(first=0.25, longest=4.0))
    slot_wait: float = 4.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - self.clock()
