"""New events: decides each member of a body, and delivers it to each rule that matches."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Final

from shared.deciding.decide import decide
from shared.deciding.nearest import nearest
from shared.delivery.hops import DECIDE, READ, Arrival, milliseconds
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.errors import ConfigurationError, UpdraftError
from shared.event import Event, Unreadable
from shared.event.arrival import dated
from shared.event.caller_stamp import strip_caller
from shared.event.members import shown
from shared.log import LOGGER
from shared.stores.names import EVENT_QUEUE
from shared.stores.work_items import RuleEvent

if TYPE_CHECKING:
    from shared.delivery.bursts import Bursts
    from shared.delivery.closing import Closing
    from shared.delivery.relay import Relay
    from shared.rules import Rules

UNREADABLE: Final = "Unreadable"
"""The code of a body that cannot be read."""
GIVEN_UP: Final = "MaxDeliveryAttemptsExceeded"
"""The code of an event that failed at the last delivery of its message."""
_ERROR_SHOWN: Final = 500


class Arrivals:
    """Handles new events; safe to use from any thread.

    Args:
        rules: Returns the current rules.
        relay: Delivers runs.
        bursts: Collects events of rules with `coalesce`.
        closing: Begins and ends deliveries.
    """

    def __init__(
        self, *, rules: "Callable[[], Rules]", relay: "Relay", bursts: "Bursts", closing: "Closing"
    ) -> None:
        self._rules = rules
        self._relay = relay
        self._bursts = bursts
        self._closing = closing

    def receive(
        self,
        members: Sequence[Event | Unreadable],
        *,
        deadline: float | None = None,
        last_delivery: int | None = None,
        first_seen: datetime | None = None,
        read_seconds: float = 0.0,
    ) -> list[list[Outcome]]:
        """Handle the members of a body, and return the outcomes of each.

        If a member fails, the others are still handled. The error is raised at the end.

        Args:
            members: The events of the body.
            deadline: From `Relay.deadline`, if all members share one time budget.
            last_delivery: The number of this delivery, if it is the host's last; None otherwise.
            first_seen: When the body first arrived, with a time zone; None for now.
            read_seconds: How long reading the body took, for the log.
        """
        try:
            rules = self._rules()
        except ConfigurationError as error:
            if last_delivery is None:
                raise
            return [[self._give_up(member, last_delivery, error)] for member in members]
        arrival = Arrival(first_seen or datetime.now(UTC), read_seconds)
        if rules.ordered:
            members = [each if isinstance(each, Unreadable) else dated(each, arrival.at) for each in members]
        outcomes: list[list[Outcome]] = []
        failures: list[Exception] = []
        for member in members:
            try:
                outcomes.append(self._handle_or_give_up(member, rules, deadline, last_delivery, arrival))
            except Exception as error:  # noqa: BLE001 - raised below, after the other members
                failures.append(error)
        if len(failures) > 1:
            raise ExceptionGroup(f"{len(failures)} events of one delivery could not be handled", failures)
        if failures:
            raise failures[0]
        return outcomes

    def _handle_or_give_up(
        self,
        member: Event | Unreadable,
        rules: "Rules",
        deadline: float | None,
        last_delivery: int | None,
        arrival: Arrival,
    ) -> list[Outcome]:
        try:
            return self._handle(member, rules, deadline, arrival)
        except Exception as error:
            if last_delivery is None:
                raise
            return [self._give_up(member, last_delivery, error)]

    def _give_up(self, member: Event | Unreadable, delivery: int, error: Exception) -> Outcome:
        """Dead-letter a member of an event-queue message that failed at the last delivery.

        The dead letter has no rule, because the rule that failed is not known. A replay goes to all rules; it
        is a duplicate at each rule that has started its run.
        """
        reason = given_up(EVENT_QUEUE, delivery, error)
        return self._closing.keep(member, GIVEN_UP, reason, attempts=delivery)

    def _handle(
        self, member: Event | Unreadable, rules: "Rules", deadline: float | None, arrival: Arrival
    ) -> list[Outcome]:
        if isinstance(member, Unreadable):
            return [self._closing.keep(member, UNREADABLE, member.error)]
        if member.notes:
            LOGGER.warning("event %s: %s", shown(member.id), "; ".join(member.notes))
        started = perf_counter()
        decisions = decide(member, rules)
        seconds = perf_counter() - started
        if not decisions:
            with self._closing.delivery():
                return [self._closing.end(_unmatched(member, rules, arrival, seconds))]
        until = self._relay.deadline() if deadline is None else deadline
        outcomes: list[Outcome] = []
        for decision in decisions:
            with self._closing.delivery(decision.rule):
                outcomes.append(
                    self._relay.deliver(
                        RuleEvent(member, decision.rule),
                        decision,
                        decide_seconds=seconds,
                        deadline=until,
                        arrival=arrival,
                    )
                    if decision.burst_key is None
                    else self._bursts.collect(
                        member, decision, rules, decide_seconds=seconds, arrival=arrival
                    )
                )
        return outcomes


def _unmatched(event: Event, rules: "Rules", arrival: Arrival, seconds: float) -> Outcome:
    """Return the outcome of an event that matches no rule, with the nearest rule's reason."""
    total = arrival.read_seconds + seconds
    before = arrival.before(event, datetime.now(UTC), total)
    return Outcome(
        OutcomeKind.UNMATCHED,
        event_id=event.id,
        event_type=event.type,
        source=event.source,
        milliseconds=milliseconds(total, {READ: arrival.read_seconds, DECIDE: seconds}, before=before),
        unmatched=nearest(event, rules) if LOGGER.isEnabledFor(logging.INFO) else None,
    )


def without_callers(members: Iterable[Event | Unreadable]) -> list[Event | Unreadable]:
    """Return events without a caller stamp: nothing verified a caller here."""
    return [member if isinstance(member, Unreadable) else strip_caller(member) for member in members]


def given_up(queue: str, delivery: int, error: Exception) -> str:
    """Log why the last delivery of a message failed, and return the reason for its dead letter.

    The dead letter has only the type of a foreign error, because its text may contain secrets.
    """
    LOGGER.error("a message of %s is given up at delivery %d", queue, delivery, exc_info=error)
    text = str(error) if isinstance(error, UpdraftError) else type(error).__name__
    return f"delivery {delivery} from the queue {queue} was the last, and failed: {text[:_ERROR_SHOWN]}"
