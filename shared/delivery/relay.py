"""The relay: delivers one work item to one Airflow, and does what the result requires.

`preconditions.py` and `attempts.py` make the requests. The relay counts and logs the outcome, and parks or
dead-letters a run that did not start. A delivery that can be neither finished nor stored raises, so that the
event is delivered again.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from shared.delivery.attempts import Attempts
from shared.delivery.closing import Closing
from shared.delivery.hops import WAITED, Arrival
from shared.delivery.outcomes import Ending, Outcome, OutcomeKind, Wait
from shared.delivery.policy import Budget, Policy
from shared.delivery.preconditions import start_on_terms
from shared.delivery.run_delivery import RunDelivery
from shared.delivery.target import Target
from shared.runs.request import MAX_AGE
from shared.stores.parked import Parked
from shared.stores.parking import Parking
from shared.stores.work_items import RuleEvent, RunWork, subject_of
from shared.values.wording import duration_text

if TYPE_CHECKING:
    from shared.codes import Code
    from shared.deciding.decide import Decision

_RULE_CHANGED: Final = "RuleChanged"
_TEMPLATE_ERROR: Final = "TemplateError"
_TOO_OLD: Final = "TimeToLiveExceeded"


class Relay:
    """Delivers the runs that were decided; safe to use from any thread.

    Args:
        targets: Returns the Airflow of a connection, by the connection's name.
        parking: Stores parked deliveries.
        closing: Ends deliveries.
        policy: How long deliveries are tried.
        clock: Monotonic seconds.
        sleep: Waits for seconds.
        now: The time of day, with a time zone.
    """

    def __init__(
        self,
        targets: Callable[[str], Target],
        *,
        parking: Parking,
        closing: Closing,
        policy: Policy | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._targets = targets
        self._parking = parking
        self._closing = closing
        self._policy = policy or Policy()
        self._clock = clock
        self._sleep = sleep
        self._now = now

    def deadline(self) -> float:
        """Return the end of a time budget that begins now; the rules of one event share it."""
        return self._clock() + self._policy.budget

    def deliver(
        self,
        work: RunWork,
        decision: "Decision",
        *,
        parked: Parked | None = None,
        decide_seconds: float = 0.0,
        deadline: float | None = None,
        arrival: Arrival | None = None,
    ) -> Outcome:
        """Start one run, and return the outcome, which is counted and logged by then.

        Args:
            work: The work item: it is parked or dead-lettered if the run does not start.
            decision: The run. New work without a run request becomes a dead letter. A parked delivery without
                one waits for an instance with other rules: during a deployment, instances with old and with
                new rules share one queue, and no instance knows which rules it has.
            parked: The parked message of the work item; None for new work.
            decide_seconds: How long deciding took, for the log.
            deadline: From `deadline()`, if several deliveries share a time budget.
            arrival: When and how a new event arrived, for the log.

        Raises:
            StorageUnavailable: The event could be neither delivered nor stored; do not acknowledge it.
            ConfigurationError: The connection or the Storage account is not configured.
        """
        now, read_seconds = self._now(), arrival.read_seconds if arrival else 0.0
        first_seen, before = parked.first_seen if parked else None, None
        if arrival is not None and isinstance(work, RuleEvent):
            before = arrival.before(work.event, now, read_seconds + decide_seconds)
        elif first_seen is not None:
            before = {WAITED: (now - first_seen).total_seconds()}
        delivery = RunDelivery(
            work=work,
            decision=decision,
            parked=parked,
            first_seen=first_seen or now,
            began=self._clock(),
            read_seconds=read_seconds,
            decide_seconds=decide_seconds,
            before=before,
        )
        if not decision.matched:
            return self._without_run(delivery, _RULE_CHANGED, promised=parked is not None)
        if decision.request is None:
            promised = parked is not None and parked.rendered
            return self._without_run(delivery, _TEMPLATE_ERROR, promised=promised)
        budget = Budget(
            deadline=deadline if deadline is not None else self.deadline(),
            clock=self._clock,
            sleep=self._sleep,
        )
        target = self._targets(decision.request.connection)
        attempts = Attempts(target, decision.request, budget)
        ending = start_on_terms(attempts, decision.request, target.dags)
        return self._act(replace(delivery, attempts=attempts), ending)

    def hold_back(self, outcomes: Iterable[Outcome]) -> None:
        """Wait for a free slot if one of these deliveries found none.

        The queue's listener fetches more messages when this delivery is done. Without a slot they would only
        be parked, while another instance may have a slot for them.

        Args:
            outcomes: The outcomes of a delivery from a queue; all its events are stored or done.
        """
        until = self._clock() + self._policy.hold_back
        for connection in dict.fromkeys(
            each.connection for each in outcomes if each.wait is Wait.NO_CAPACITY
        ):
            self._targets(connection).limiter.hold_back(longest=max(until - self._clock(), 0.0))

    def _act(self, delivery: RunDelivery, ending: Ending) -> Outcome:
        if ending.wait is Wait.DAG_NOT_FOUND and self._waited_long(delivery):
            return self._reject(delivery, ending)
        if ending.wait is not None:
            return self._park(delivery, ending, ending.wait)
        if ending.kind is OutcomeKind.REJECTED:
            return self._reject(delivery, ending)
        return self._closing.end(
            delivery.outcome(ending.kind, ending.code, ending.reason, ended=self._clock())
        )

    def _waited_long(self, delivery: RunDelivery) -> bool:
        """Return whether the grace for a missing DAG is over.

        The age is not enough: `first_seen` may come from an instance with a wrong clock.
        """
        policy = self._policy
        return self._age(delivery) >= policy.grace and delivery.attempt >= policy.grace_attempts

    def _without_run(self, delivery: RunDelivery, code: "Code", *, promised: bool) -> Outcome:
        """End a delivery for which the rules of this instance have no run.

        A promised run waits for other rules first. The wait counts from the first instance without a run,
        because the event may have waited for Airflow for days before. Only the rules that have a run know
        its `max_age`, so it is not checked here.
        """
        reason = delivery.decision.reason or ""
        parked = delivery.parked
        if not promised or parked is None:
            return self._reject(delivery, Ending(OutcomeKind.REJECTED, code, reason))
        now, policy = self._now(), self._policy
        since, tries = parked.rule_changed_since or now, parked.rule_changed_tries + 1
        if (now - since).total_seconds() >= policy.grace and tries >= policy.grace_attempts:
            waited = f"{reason}; for {duration_text(policy.grace)} no instance had other rules"
            return self._reject(delivery, Ending(OutcomeKind.REJECTED, code, waited))
        waiting = (
            f"{reason}; waits for an instance with other rules, for {duration_text(policy.grace)} at least"
        )
        ending = Ending.parked(Wait.OTHER_RULES, code, waiting)
        delay = policy.waits(Wait.OTHER_RULES).delay(tries)
        return self._wait(
            delivery, ending, delay, rendered=parked.rendered, rule_changed_since=since, tries=tries
        )

    def _park(self, delivery: RunDelivery, ending: Ending, wait: Wait) -> Outcome:
        """Park a delivery, at most until its `max_age`; a last try follows."""
        parkings = delivery.attempt if wait.is_attempt else delivery.waits + 1
        delay = self._policy.waits(wait).delay(parkings, at_least=ending.at_least)
        request = delivery.decision.request
        max_age = min(request.terms.max_age if request else MAX_AGE, self._policy.max_age)
        age = self._age(delivery)
        if age >= max_age:
            reason = f"given up after {_age_text(age, max_age)}: {ending.reason}"
            return self._reject(delivery, Ending(OutcomeKind.REJECTED, _TOO_OLD, reason))
        # The age is below zero if the first instance had a fast clock.
        return self._wait(delivery, ending, min(delay, max_age - max(age, 0.0)), rendered=True)

    def _wait(
        self,
        delivery: RunDelivery,
        ending: Ending,
        delay: float,
        *,
        rendered: bool,
        rule_changed_since: datetime | None = None,
        tries: int = 0,
    ) -> Outcome:
        """Put a delivery into the queue of parked deliveries until its next try."""
        is_attempt = ending.wait is not None and ending.wait.is_attempt
        before = delivery.parked.cause if delivery.parked else ""
        for_a_slot = ending.wait is Wait.NO_CAPACITY and not ending.is_outage
        # After an outage or in a burst, many deliveries find no slot: not worth a second log line.
        cause = before if before and for_a_slot else ending.cause
        parked = Parked(
            work=delivery.work,
            attempt=delivery.attempt - (not is_attempt),
            waits=delivery.waits + (not is_attempt),
            first_seen=delivery.first_seen,
            reason=ending.reason,
            rendered=rendered,
            rule_changed_since=rule_changed_since,
            rule_changed_tries=tries,
            cause=cause,
        )
        began = self._clock()
        self._parking.park(parked, delay)
        ended = self._clock()
        outcome = delivery.outcome(
            OutcomeKind.PARKED, ending.code, ending.reason, ended=ended, storage_seconds=ended - began
        )
        return self._closing.end(
            replace(
                outcome,
                wait=ending.wait,
                retry_in=delay,
                cause=ending.cause,
                is_repeat=before == cause,
            )
        )

    def _reject(self, delivery: RunDelivery, ending: Ending) -> Outcome:
        return self._closing.reject(
            delivery.outcome(OutcomeKind.REJECTED, ending.code, ending.reason, ended=self._clock()),
            subject_of(delivery.work),
            first_seen=delivery.first_seen,
            request=delivery.decision.request,
        )

    def _age(self, delivery: RunDelivery) -> float:
        return (self._now() - delivery.first_seen).total_seconds()


def _age_text(age: float, max_age: float) -> str:
    """Return the `max_age` of an event, and also its age if that is much greater."""
    bound = duration_text(max_age)
    return bound if age < 1.02 * max_age + 60 else f"{duration_text(age)} (its `max_age` is {bound})"
