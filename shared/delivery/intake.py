"""From a delivered body to its outcomes: read, decide, relay. The one call that every function makes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import Final

from shared.deciding.decide import Decision, decide, decide_burst, decide_for
from shared.delivery.closing import Closing
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.delivery.relay import Relay
from shared.errors import EventError
from shared.event import Event, Unreadable, read_events
from shared.event.bursts import Burst
from shared.event.caller_stamp import strip_caller
from shared.rules import Rules
from shared.rules.model.rule import CALL
from shared.stores.dead_letters import DeadLetter
from shared.stores.names import PARKED_QUEUE
from shared.stores.parking import ClaimGone, Parked, Parking
from shared.stores.windows import WindowClose, is_closing

_UNREADABLE: Final = "Unreadable"
_EMPTY: Final = "the window has no events: another instance's was quicker, or it is no longer kept"
_RESERVED: Final = "Reserved"
_GIVEN_UP: Final = "MaxDeliveryAttemptsExceeded"


class Intake:
    """Takes bodies in and answers with what became of each event in them; safe to use from any thread.

    Every method raises only where the delivery must not be acknowledged, so that Event Grid or the queue
    delivers it again: `ConfigurationError` while rules or settings are unusable, `StorageUnavailable` when an
    event could be neither delivered nor kept.

    Args:
        rules: Gives the rules in force.
        relay: The only part that acts.
        parking: Where parked deliveries keep what is too large for a queue message.
        closing: Ends deliveries, with a dead letter where a body cannot be read or the host gave it up.
    """

    def __init__(
        self,
        *,
        rules: Callable[[], Rules],
        relay: Relay,
        parking: Parking,
        closing: Closing,
    ) -> None:
        self._rules = rules
        self._relay = relay
        self._parking = parking
        self._closing = closing

    def receive(
        self, body: str | bytes, *, kind: str | None = None, headers: Mapping[str, str] | None = None
    ) -> list[Outcome]:
        """Handle a delivered body: one event or an array, in Event Grid's schema or as CloudEvents.

        A member that fails does not keep its neighbours from being handled: its error is raised at the end,
        and what has started by then is a duplicate at the next delivery.

        Args:
            body: The body.
            kind: As `read_events` takes it, for a body without an envelope.
            headers: The request's headers, where there was a request.
        """
        members = [
            member if isinstance(member, Unreadable) else strip_caller(member)
            for member in read_events(body, kind=kind, headers=headers)
        ]
        return [outcome for outcomes in self._receive(members) for outcome in outcomes]

    def receive_events(self, events: Sequence[Event]) -> list[list[Outcome]]:
        """Handle what a verified caller sent, stamped with its identity; the outcomes of each event.

        All of them share one budget of time, because the caller waits for the answer.
        """
        return self._receive(events, deadline=self._relay.deadline())

    def receive_call(self, event: Event) -> Outcome:
        """Handle a verified caller's request for one run, as `Call.to_event` made it an event."""
        started = perf_counter()
        decision = decide_for(event, self._rules(), CALL)
        return self._relay.deliver(event, decision, decide_seconds=perf_counter() - started)

    def receive_parked(self, body: str | bytes) -> Outcome:
        """Try a parked delivery again, under the rule that it was parked for, as that rule reads now.

        A rule that has no run for the event now may be older or newer than the one that parked it: the
        delivery waits for an instance with other rules, for a grace period.
        """
        rules = self._rules()
        try:
            parked = self._parking.unpark(body)
            closing = WindowClose.of(parked.event)
        except ClaimGone as error:
            return self._closing.end(Outcome(OutcomeKind.DUPLICATE, reason=str(error)))
        except EventError as error:
            return self._keep(Unreadable(error=str(error), raw=_text(body)), _UNREADABLE, str(error))
        started = perf_counter()
        first_close = closing is not None and not (parked.attempt or parked.waits)
        if closing is not None:
            decision = self._close(parked, closing, rules)
        else:
            decision = decide_for(parked.event, rules, parked.rule)
        if decision is None:
            outcome = self._closing.end(Outcome(OutcomeKind.DUPLICATE, rule=parked.rule, reason=_EMPTY))
        else:
            outcome = self._relay.deliver(
                parked.event,
                decision,
                attempt=parked.attempt + 1,
                waits=parked.waits,
                first_seen=None if first_close else parked.first_seen,
                decide_seconds=perf_counter() - started,
                parked=parked,
            )
        self._parking.forget(parked)
        return outcome

    def hold_back(self, outcomes: Iterable[Outcome]) -> None:
        """Keep a queue's listener from fetching more, while events find no place; see `Relay.hold_back`."""
        self._relay.hold_back(outcomes)

    def bury(self, body: str | bytes, *, queue: str) -> list[Outcome]:
        """Keep what a message of `queue` holds as dead letters: the host gave it up at its last delivery."""
        reason = f"the host gave this message of {queue} up after its last delivery; its log says why"
        if queue != PARKED_QUEUE:
            return [self._keep(member, _GIVEN_UP, reason) for member in read_events(body)]
        try:
            parked = self._parking.unpark(body)
            closing = WindowClose.of(parked.event)
        except EventError as error:
            return [self._keep(Unreadable(error=str(error), raw=_text(body)), _GIVEN_UP, reason)]
        if closing is not None:  # nothing may go into a window that has lost its close
            self._relay.windows.close(parked.rule, closing.window)
        outcome = self._keep(
            parked.event,
            _GIVEN_UP,
            f"{reason}; parked because: {parked.reason}",
            rule=parked.rule,
            attempts=parked.attempt,
            first_seen=parked.first_seen,
        )
        self._parking.forget(parked)
        return [outcome]

    def _close(self, parked: Parked, closing: WindowClose, rules: Rules) -> Decision | None:
        """Close a window and decide about what is in it; None where nothing is."""
        windows, rule = self._relay.windows, parked.rule
        events = windows.close(rule, closing.window)
        if not events:
            return None
        burst = Burst(closing.window, closing.key, events, windows.conf_url(rule, closing.window))
        decision = decide_burst(burst, rules, rule)
        if decision.request is not None and decision.request.whole_conf is not None:
            windows.keep_conf(rule, closing.window, decision.request.whole_conf)
        return decision

    def _receive(
        self, members: Iterable[Event | Unreadable], *, deadline: float | None = None
    ) -> list[list[Outcome]]:
        rules = self._rules()
        outcomes: list[list[Outcome]] = []
        failures: list[Exception] = []
        for member in members:
            try:
                outcomes.append(self._handle(member, rules, deadline))
            except Exception as error:  # noqa: BLE001 - raised below, after the neighbours had their turn
                failures.append(error)
        if len(failures) > 1:
            raise ExceptionGroup(f"{len(failures)} events of one delivery could not be handled", failures)
        if failures:
            raise failures[0]
        return outcomes

    def _handle(self, member: Event | Unreadable, rules: Rules, deadline: float | None) -> list[Outcome]:
        if isinstance(member, Unreadable):
            return [self._keep(member, _UNREADABLE, member.error)]
        if is_closing(member):
            return [
                self._keep(member, _RESERVED, f"`{member.type}` is an event of this app's own queue alone")
            ]
        started = perf_counter()
        decisions = decide(member, rules)
        seconds = perf_counter() - started
        if not decisions:
            hops = {"decide": seconds * 1000, "total": seconds * 1000}
            return [
                self._closing.end(Outcome(OutcomeKind.UNMATCHED, event_id=member.id, milliseconds=hops)),
            ]
        until = self._relay.deadline() if deadline is None else deadline
        return [
            self._relay.deliver(member, decision, decide_seconds=seconds, deadline=until)
            for decision in decisions
        ]

    def _keep(
        self,
        subject: Event | Unreadable,
        code: str,
        reason: str,
        *,
        rule: str = "",
        attempts: int = 1,
        first_seen: datetime | None = None,
    ) -> Outcome:
        now = datetime.now(UTC)
        letter = DeadLetter(
            subject=subject,
            code=code,
            reason=reason,
            at=now,
            first_seen=first_seen or now,
            rule=rule,
            attempts=attempts,
        )
        outcome = Outcome(
            OutcomeKind.REJECTED,
            rule=rule,
            event_id=subject.id or "",
            code=code,
            reason=reason,
            attempt=attempts,
        )
        return self._closing.reject(letter, outcome)


def _text(body: str | bytes) -> str:
    return body if isinstance(body, str) else body.decode(errors="replace")
