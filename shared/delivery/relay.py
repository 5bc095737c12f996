"""The relay: the only part that acts. Admit, get a token, ask Airflow, judge the answer, act on it.

What an answer means is the failure table's matter (`shared/airflow/failure_table.py`), and the tries at
Airflow are those of `attempts.py`; here their ending becomes an `Outcome`: counted, logged,
and parked or dead-lettered where the run was not started. A delivery that can be neither delivered nor kept
raises, so that it comes again.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from shared.delivery.attempts import Attempts
from shared.delivery.closing import Closing
from shared.delivery.hops import DECIDE, READ, STORAGE, WAITED, Arrival, milliseconds
from shared.delivery.outcomes import Ending, Outcome, OutcomeKind, Wait
from shared.delivery.policy import Budget, Policy
from shared.delivery.preconditions import start_on_terms
from shared.delivery.target import Target
from shared.runs.request import MAX_AGE
from shared.stores.parked import Parked
from shared.stores.parking import Parking
from shared.stores.work_items import RuleEvent, RunWork, source_of, subject_of, type_of
from shared.values.wording import duration_text

if TYPE_CHECKING:
    from shared.codes import Code
    from shared.deciding.decide import Decision

_RULE_CHANGED: Final = "RuleChanged"
_TEMPLATE_ERROR: Final = "TemplateError"
_TOO_OLD: Final = "TimeToLiveExceeded"


@dataclass(frozen=True, slots=True)
class _Delivery:
    """One delivery of a work item that one run is started for.

    Attributes:
        work: The work item.
        decision: The run.
        attempt: Counted from 1.
        waits: How often it was parked without that being an attempt.
        first_seen: When it first arrived.
        began: When this delivery did, on the monotonic clock.
        decide_seconds: How long deciding took before that.
        parked: The message that it came back as; None for work that has just arrived.
        attempts: The tries at Airflow, where it came to that.
        before: Seconds that passed before this delivery, by the names of `hops.py`.
        read_seconds: How long reading its body took.
    """

    work: RunWork
    decision: "Decision"
    attempt: int
    waits: int
    first_seen: datetime
    began: float
    decide_seconds: float
    parked: Parked | None = None
    attempts: Attempts | None = None
    before: Mapping[str, float] | None = None
    read_seconds: float = 0.0


class Relay:
    """Delivers the runs that were decided; safe to use from any thread.

    Args:
        targets: Gives the Airflow of a connection, by its name; raises what configuration raises.
        parking: Where deliveries wait.
        closing: Ends deliveries.
        policy: How long things are tried.
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
        """Return when tries that begin now have to be over; several rules of one event share one."""
        return self._clock() + self._policy.budget

    def deliver(
        self,
        work: RunWork,
        decision: "Decision",
        *,
        attempt: int = 1,
        waits: int = 0,
        first_seen: datetime | None = None,
        decide_seconds: float = 0.0,
        deadline: float | None = None,
        parked: Parked | None = None,
        arrival: Arrival | None = None,
    ) -> Outcome:
        """Start one run, and return how that ended; the end is counted and logged by then.

        Args:
            work: The work item: it is parked, or kept as a dead letter, where the run does not start.
            decision: The run. One without a request ends as a dead letter; a parked delivery,
                which was promised a run, first waits for an instance with other rules (see `parked`).
            attempt: The number of this delivery, counted from 1.
            waits: How often it was parked without that being an attempt.
            first_seen: When it first arrived, with a time zone; None for now.
            decide_seconds: How long deciding took, for the log.
            deadline: From `deadline()`, where several deliveries share a budget.
            parked: The message that the delivery came back as. While an app is deployed, instances with old
                and with new rules take from one queue, and neither can tell which of them it is.
            arrival: How an event that has just arrived came, for the log.

        Raises:
            StorageUnavailable: The event could be neither delivered nor kept; it must not be acknowledged.
            ConfigurationError: The connection, or the Storage account, is not configured.
        """
        now, read_seconds = self._now(), arrival.read_seconds if arrival else 0.0
        before = None
        if arrival is not None and isinstance(work, RuleEvent):
            before = arrival.before(work.event, now, read_seconds + decide_seconds)
        elif first_seen is not None:
            before = {WAITED: (now - first_seen).total_seconds()}
        delivery = _Delivery(
            work=work,
            decision=decision,
            attempt=attempt,
            waits=waits,
            first_seen=first_seen or now,
            began=self._clock(),
            decide_seconds=decide_seconds,
            parked=parked,
            before=before,
            read_seconds=read_seconds,
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
        """Wait until there is room for more events, where one of these found no place.

        For a delivery by a queue, once all of it is safe: the listener fetches more as soon as this one is
        done, which would only be parked as well, where another instance may have a place for it.

        Args:
            outcomes: What became of the delivery.
        """
        until = self._clock() + self._policy.hold_back
        for connection in dict.fromkeys(
            each.connection for each in outcomes if each.wait is Wait.NO_CAPACITY
        ):
            self._targets(connection).limiter.hold_back(longest=max(until - self._clock(), 0.0))

    def _act(self, delivery: _Delivery, ending: Ending) -> Outcome:
        if ending.wait is Wait.DAG_NOT_FOUND and self._waited_long(delivery):
            return self._reject(delivery, ending)
        if ending.wait is not None:
            return self._park(delivery, ending, ending.wait)
        if ending.kind is OutcomeKind.REJECTED:
            return self._reject(delivery, ending)
        return self._closing.end(self._outcome(delivery, ending.kind, ending.code, ending.reason))

    def _waited_long(self, delivery: _Delivery) -> bool:
        """Tell whether an event has waited for its DAG long enough.

        Its age alone does not tell: an instance whose clock is wrong may have noted when it was first seen.
        """
        policy = self._policy
        return self._age(delivery) >= policy.grace and delivery.attempt >= policy.grace_attempts

    def _without_run(self, delivery: _Delivery, code: "Code", *, promised: bool) -> Outcome:
        """End a delivery for which the rules of this instance have no run.

        One that was promised a run waits first. How long is counted from the first instance that had no run
        for it, because the event may have waited for Airflow for days before. Its `max_age` is not asked:
        only rules that have a run for it know that, and they ask it again.
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

    def _park(self, delivery: _Delivery, ending: Ending, wait: Wait) -> Outcome:
        """Let a delivery wait, no longer than the time that its event has left; a last try follows."""
        parkings = delivery.attempt if wait.is_attempt else delivery.waits + 1
        delay = self._policy.waits(wait).delay(parkings, at_least=ending.at_least)
        request = delivery.decision.request
        max_age = min(request.terms.max_age if request else MAX_AGE, self._policy.max_age)
        age = self._age(delivery)
        if age >= max_age:
            reason = f"given up after {_age_text(age, max_age)}: {ending.reason}"
            return self._reject(delivery, Ending(OutcomeKind.REJECTED, _TOO_OLD, reason))
        # An age below zero is that of an event which an instance with a fast clock saw first.
        return self._wait(delivery, ending, min(delay, max_age - max(age, 0.0)), rendered=True)

    def _wait(
        self,
        delivery: _Delivery,
        ending: Ending,
        delay: float,
        *,
        rendered: bool,
        rule_changed_since: datetime | None = None,
        tries: int = 0,
    ) -> Outcome:
        """Put a delivery into the queue until its next try."""
        is_attempt = ending.wait is not None and ending.wait.is_attempt
        before = delivery.parked.cause if delivery.parked else ""
        for_a_slot = ending.wait is Wait.NO_CAPACITY and not ending.is_outage
        # To find no slot is how an outage and every burst end: no news of an event that waits already.
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
        outcome = self._outcome(
            delivery, OutcomeKind.PARKED, ending.code, ending.reason, storage=self._clock() - began
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

    def _reject(self, delivery: _Delivery, ending: Ending) -> Outcome:
        return self._closing.reject(
            self._outcome(delivery, OutcomeKind.REJECTED, ending.code, ending.reason),
            subject_of(delivery.work),
            first_seen=delivery.first_seen,
            request=delivery.decision.request,
        )

    def _outcome(
        self,
        delivery: _Delivery,
        kind: OutcomeKind,
        code: "Code",
        reason: str,
        *,
        storage: float | None = None,
    ) -> Outcome:
        request, attempts = delivery.decision.request, delivery.attempts
        subject = subject_of(delivery.work)
        parts = {READ: delivery.read_seconds, DECIDE: delivery.decide_seconds}
        if storage is not None:
            parts[STORAGE] = storage
        total = delivery.read_seconds + delivery.decide_seconds + self._clock() - delivery.began
        parked = delivery.parked
        return Outcome(
            kind=kind,
            rule=delivery.decision.rule,
            event_id=subject.id or "",
            event_type=type_of(subject),
            source=source_of(subject),
            code=code,
            reason=reason,
            connection=request.connection if request else "",
            dag_id=request.dag_id if request else "",
            dag_run_id=request.dag_run_id if request else "",
            status=attempts.status if attempts else None,
            attempt=delivery.attempt,
            waits=parked.attempt + parked.waits if parked else 0,
            milliseconds=milliseconds(total, parts, before=delivery.before, attempts=attempts),
        )

    def _age(self, delivery: _Delivery) -> float:
        return (self._now() - delivery.first_seen).total_seconds()


def _age_text(age: float, max_age: float) -> str:
    """Return how old an event became: its `max_age`, and its age where that is far beyond."""
    bound = duration_text(max_age)
    return bound if age < 1.02 * max_age + 60 else f"{duration_text(age)} (its `max_age` is {bound})"
