"""From a delivered body to its outcomes: read, decide, relay. The one call that every function makes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import perf_counter
from typing import Final

from shared.deciding.decide import Decision, decide, decide_burst, decide_for
from shared.delivery.closing import Closing
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.delivery.relay import Relay
from shared.delivery.rights import withdrawn_right
from shared.delivery.unverified_hooks import UnverifiedHooks
from shared.errors import ConfigurationError, EventError, StorageUnavailable, UpdraftError
from shared.event import Event, Unreadable, read_events
from shared.event.arrival import dated
from shared.event.bursts import Burst
from shared.event.caller_stamp import strip_caller
from shared.event.members import shown
from shared.event.queue_bodies import open_queue_body, read_queue_body
from shared.event.via import HOOK_VIAS, Via
from shared.log import LOGGER
from shared.rules import Rules
from shared.rules.model.rule import CALL
from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE
from shared.stores.parking import ClaimGone, Parked, Parking, WorkItem
from shared.stores.resent import opened
from shared.stores.windows import WindowClose, is_closing
from shared.stores.work_items import UnverifiedHook

_UNREADABLE: Final = "Unreadable"
_EMPTY: Final = "the window has no events: another instance's was quicker, or it is no longer kept"
_RESERVED: Final = "Reserved"
_WITHDRAWN: Final = "RightWithdrawn"
_GIVEN_UP: Final = "MaxDeliveryAttemptsExceeded"
_ERROR_SHOWN: Final = 500


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
        verify_hook: Tells whether the signature of a hook's delivery is good; raises `KeysUnavailable` or
            `SettingsError` where that cannot be said. Without it, that can never be said.

    Attributes:
        hooks: Deliveries of hooks that wait until their signature can be verified.
    """

    def __init__(
        self,
        *,
        rules: Callable[[], Rules],
        relay: Relay,
        parking: Parking,
        closing: Closing,
        verify_hook: Callable[[UnverifiedHook], bool] | None = None,
    ) -> None:
        self.hooks = UnverifiedHooks(parking=parking, closing=closing, verify=verify_hook or _no_hooks)
        self._rules = rules
        self._relay = relay
        self._parking = parking
        self._closing = closing

    def receive(
        self,
        body: str | bytes,
        *,
        via: Via = "unknown",
        kind: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> list[Outcome]:
        """Handle a delivered body: one event or an array, in Event Grid's schema or as CloudEvents.

        A member that fails does not keep its neighbours from being handled: its error is raised at the end,
        and what has started by then is a duplicate at the next delivery.

        Args:
            body: The body.
            via: How it came: what the trigger is, and nothing that arrived. A rule that asks for a way takes
                nothing of which that is unknown.
            kind: As `read_events` takes it, for a body without an envelope.
            headers: The request's headers, where there was a request.
        """
        members = _without_callers(read_events(body, kind=kind, headers=headers, via=via))
        return [outcome for outcomes in self._receive(members) for outcome in outcomes]

    def receive_message(
        self,
        body: str | bytes,
        *,
        last_delivery: int | None = None,
        first_seen: datetime | None = None,
    ) -> list[Outcome]:
        """Handle a message of the event queue: as `receive`, from whatever its sender wrapped it in.

        Args:
            body: The message's body.
            last_delivery: The number of this delivery, where the host makes no further one: what fails is
                given up then, as a dead letter. None where the message comes again.
            first_seen: When the message was put into the queue, with a time zone; None for now.
        """
        members = _without_callers(read_queue_body(body, "queue"))
        received = self._receive(members, last_delivery=last_delivery, first_seen=first_seen)
        return [outcome for outcomes in received for outcome in outcomes]

    def receive_events(self, events: Sequence[Event]) -> list[list[Outcome]]:
        """Handle what a verified caller sent, stamped with its identity and its `via`; each event's outcomes.

        All of them share one budget of time, because the caller waits for the answer.
        """
        return self._receive(events, deadline=self._relay.deadline())

    def receive_call(self, event: Event) -> Outcome:
        """Handle a verified caller's request for one run, as `Call.to_event` made it an event."""
        started = perf_counter()
        with self._closing.delivery(CALL):
            decision = decide_for(event, self._rules(), CALL)
            return self._relay.deliver(event, decision, decide_seconds=perf_counter() - started)

    def receive_parked(self, body: str | bytes, *, last_delivery: int | None = None) -> Outcome:
        """Try a parked delivery again, under the rule that it was parked for, as that rule reads now.

        A rule that has no run for the event now may be older or newer than the one that parked it: the
        delivery waits for an instance with other rules, for a grace period. What a caller asked for does not
        wait where its right is gone: it ends as a dead letter.

        Args:
            body: The message's body.
            last_delivery: As `receive_message` takes it.
        """
        content = open_queue_body(body).content
        try:
            outcome, parked = self._resume(content)
        except Exception as error:
            if last_delivery is None:
                raise
            outcome, parked = self._bury_parked(content, _given_up(PARKED_QUEUE, last_delivery, error))
        if parked is not None:
            self._forget(parked, insist=last_delivery is None)
        return outcome

    def _resume(self, body: str | bytes) -> tuple[Outcome, WorkItem | None]:
        """Try a parked delivery again, and return how that ended and what need no longer be kept."""
        try:
            parked = self._parking.unpark(body)
            if isinstance(parked, UnverifiedHook):
                return self._resume_hook(parked), parked
            closing = WindowClose.of(parked.event) if parked.rule else None
        except ClaimGone as error:
            with self._closing.delivery():
                return self._closing.end(Outcome(OutcomeKind.DUPLICATE, reason=str(error))), None
        except EventError as error:
            unreadable = Unreadable(error=str(error), raw=_text(body))
            return self._keep(unreadable, _UNREADABLE, str(error)), None
        if not parked.rule:
            return self._for_all_rules(opened(parked.event)), parked
        parked = replace(parked, event=dated(parked.event, parked.first_seen))
        return self._close(parked, closing) if closing else self._try_again(parked), parked

    def _try_again(self, parked: Parked) -> Outcome:
        with self._closing.delivery(parked.rule):
            rules = self._rules()
            withdrawn = withdrawn_right(parked.event, parked.rule, rules)
            if withdrawn is not None:
                return self._withdraw(parked, parked.event, withdrawn)
            started = perf_counter()
            decision = decide_for(parked.event, rules, parked.rule)
            return self._deliver(parked, decision, perf_counter() - started, parked.first_seen)

    def _deliver(
        self, parked: Parked, decision: Decision, decide_seconds: float, first_seen: datetime | None
    ) -> Outcome:
        return self._relay.deliver(
            parked.event,
            decision,
            attempt=parked.attempt + 1,
            waits=parked.waits,
            first_seen=first_seen,
            decide_seconds=decide_seconds,
            parked=parked,
        )

    def _withdraw(self, parked: Parked, event: Event, reason: str) -> Outcome:
        """Keep an event as a dead letter whose caller may no longer ask for it; nothing waits for a right."""
        outcome = _rejected(event, _WITHDRAWN, reason, rule=parked.rule, attempts=parked.attempt + 1)
        return self._closing.reject(outcome, event, first_seen=parked.first_seen)

    def _for_all_rules(self, members: Sequence[Event | Unreadable]) -> Outcome:
        """Handle what is parked for no rule, as something new for all of them.

        The last outcome stands for all: each is counted and logged where it ends.
        """
        outcomes = [outcome for each in self._receive(members) for outcome in each]
        if not outcomes:  # a body that is an empty array
            with self._closing.delivery():
                return self._closing.end(Outcome(OutcomeKind.UNMATCHED))
        return outcomes[-1]

    def _resume_hook(self, hook: UnverifiedHook) -> Outcome:
        """Handle a delivery of a hook if its signature is good, as if it came now."""
        return self.hooks.decide(hook) or self._for_all_rules(_members_of(hook))

    def hold_back(self, outcomes: Iterable[Outcome]) -> None:
        """Keep a queue's listener from fetching more, while events find no place; see `Relay.hold_back`."""
        self._relay.hold_back(outcomes)

    def bury(self, body: str | bytes, *, queue: str) -> list[Outcome]:
        """Keep what a message of `queue` holds as dead letters: the host gave it up at its last delivery."""
        reason = f"the host gave this message of {queue} up after its last delivery; its log says why"
        if queue != PARKED_QUEUE:
            members = _without_callers(read_queue_body(body, "queue"))
            return [self._keep(member, _GIVEN_UP, reason) for member in members]
        outcome, parked = self._bury_parked(open_queue_body(body).content, reason)
        if parked is not None:
            self._forget(parked, insist=False)
        return [outcome]

    def _bury_parked(self, body: str | bytes, reason: str) -> tuple[Outcome, WorkItem | None]:
        """Keep a parked delivery as a dead letter, and return the outcome and what need no longer be kept.

        A hook that is not verified has no dead letter with its body: it is verified first.
        """
        try:
            parked = self._parking.unpark(body)
            if isinstance(parked, UnverifiedHook):
                outcome = self.hooks.decide(parked)
                if outcome is None:
                    outcome = [self._keep(each, _GIVEN_UP, reason) for each in _members_of(parked)][-1]
                return outcome, parked
            closing = WindowClose.of(parked.event) if parked.rule else None
        except EventError as error:
            unreadable = Unreadable(error=str(error), raw=_text(body))
            return self._keep(unreadable, _GIVEN_UP, f"{reason}; it cannot be read: {error}"), None
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
        return outcome, parked

    def _forget(self, parked: WorkItem, *, insist: bool) -> None:
        """Delete what was kept beside a parked message, and raise where that fails only to `insist` on it."""
        try:
            self._parking.forget(parked)
        except StorageUnavailable as error:
            if insist:
                raise
            LOGGER.warning("%s; it does no harm but its cost", error)

    def _close(self, parked: Parked, closing: WindowClose) -> Outcome:
        """Close a window, and start the run of what is in it.

        Events of callers whose right is gone are left out. Each is a delivery of its own when the window is
        done with, so that a close which comes back from the queue does not write and count it again.
        """
        with self._closing.delivery(parked.rule):
            outcome, withdrawn = self._run_of_window(parked, closing)
        if outcome.kind is not OutcomeKind.PARKED:
            for event, reason in withdrawn:
                with self._closing.delivery(parked.rule):
                    self._withdraw(parked, event, reason)
        return outcome

    def _run_of_window(
        self, parked: Parked, closing: WindowClose
    ) -> tuple[Outcome, Sequence[tuple[Event, str]]]:
        """Return how the close of a window ended, and the events that were left out, each with the reason."""
        started, rules = perf_counter(), self._rules()
        windows, rule = self._relay.windows, parked.rule
        collected = windows.close(rule, closing.window)
        reasons = [withdrawn_right(event, rule, rules) for event in collected]
        withdrawn = [(event, reason) for event, reason in zip(collected, reasons, strict=True) if reason]
        events = tuple(event for event, reason in zip(collected, reasons, strict=True) if not reason)
        if not collected:
            return self._closing.end(Outcome(OutcomeKind.DUPLICATE, rule=rule, reason=_EMPTY)), ()
        if not events:  # the last of them is the end of the close
            *others, (event, reason) = withdrawn
            return self._withdraw(parked, event, reason), others
        burst = Burst(closing.window, closing.key, events, windows.conf_url(rule, closing.window))
        decision = decide_burst(burst, rules, rule)
        if decision.request is not None and decision.request.whole_conf is not None:
            windows.keep_conf(rule, closing.window, decision.request.whole_conf)
        first_close = not (parked.attempt or parked.waits)
        first_seen = None if first_close else parked.first_seen
        return self._deliver(parked, decision, perf_counter() - started, first_seen), withdrawn

    def _receive(
        self,
        members: Sequence[Event | Unreadable],
        *,
        deadline: float | None = None,
        last_delivery: int | None = None,
        first_seen: datetime | None = None,
    ) -> list[list[Outcome]]:
        try:
            rules = self._rules()
        except ConfigurationError as error:
            if last_delivery is None:
                raise
            return [[self._give_up(member, last_delivery, error)] for member in members]
        if rules.ordered:
            now = first_seen or datetime.now(UTC)
            members = [each if isinstance(each, Unreadable) else dated(each, now) for each in members]
        outcomes: list[list[Outcome]] = []
        failures: list[Exception] = []
        for member in members:
            try:
                outcomes.append(self._handle_or_give_up(member, rules, deadline, last_delivery))
            except Exception as error:  # noqa: BLE001 - raised below, after the neighbours had their turn
                failures.append(error)
        if len(failures) > 1:
            raise ExceptionGroup(f"{len(failures)} events of one delivery could not be handled", failures)
        if failures:
            raise failures[0]
        return outcomes

    def _handle_or_give_up(
        self, member: Event | Unreadable, rules: Rules, deadline: float | None, last_delivery: int | None
    ) -> list[Outcome]:
        try:
            return self._handle(member, rules, deadline)
        except Exception as error:
            if last_delivery is None:
                raise
            return [self._give_up(member, last_delivery, error)]

    def _give_up(self, member: Event | Unreadable, delivery: int, error: Exception) -> Outcome:
        """Keep a member of a message of the event queue that failed at the last delivery.

        The letter has no rule: which of them failed is not known, and sent again to all of them it ends as a
        duplicate at those that had started their run.
        """
        reason = _given_up(EVENT_QUEUE, delivery, error)
        return self._keep(member, _GIVEN_UP, reason, attempts=delivery)

    def _handle(self, member: Event | Unreadable, rules: Rules, deadline: float | None) -> list[Outcome]:
        if isinstance(member, Unreadable):
            return [self._keep(member, _UNREADABLE, member.error)]
        if member.notes:
            LOGGER.warning("event %s: %s", shown(member.id), "; ".join(member.notes))
        if is_closing(member):
            return [
                self._keep(member, _RESERVED, f"`{member.type}` is an event of this app's own queue alone")
            ]
        started = perf_counter()
        decisions = decide(member, rules)
        seconds = perf_counter() - started
        if not decisions:
            hops = {"decide": seconds * 1000, "total": seconds * 1000}
            with self._closing.delivery():
                unmatched = Outcome(OutcomeKind.UNMATCHED, event_id=member.id, milliseconds=hops)
                return [self._closing.end(unmatched)]
        until = self._relay.deadline() if deadline is None else deadline
        outcomes: list[Outcome] = []
        for decision in decisions:
            with self._closing.delivery(decision.rule):
                outcomes.append(self._relay.deliver(member, decision, decide_seconds=seconds, deadline=until))
        return outcomes

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
        """Keep something as a dead letter: a delivery that begins and ends with that."""
        with self._closing.delivery(rule):
            outcome = _rejected(subject, code, reason, rule=rule, attempts=attempts)
            return self._closing.reject(outcome, subject, first_seen=first_seen)


def _rejected(
    subject: Event | Unreadable, code: str, reason: str, *, rule: str = "", attempts: int = 1
) -> Outcome:
    return Outcome(
        OutcomeKind.REJECTED,
        rule=rule,
        event_id=subject.id or "",
        code=code,
        reason=reason,
        attempt=attempts,
    )


def _without_callers(members: Iterable[Event | Unreadable]) -> list[Event | Unreadable]:
    """Return events without the stamp of a verified caller, which nobody proved here."""
    return [member if isinstance(member, Unreadable) else strip_caller(member) for member in members]


def _no_hooks(_: UnverifiedHook) -> bool:
    raise ConfigurationError("no hook is switched on")


def _members_of(hook: UnverifiedHook) -> list[Event | Unreadable]:
    """Return what a verified delivery of a hook holds, as it would have been read when it came."""
    return _without_callers(
        read_events(hook.body, kind=hook.hook, headers=hook.headers, via=HOOK_VIAS[hook.hook])
    )


def _given_up(queue: str, delivery: int, error: Exception) -> str:
    """Log why the last delivery of a message failed, and return that for its dead letter.

    Of errors that are not our own only the type is in the letter: their words may hold anything.
    """
    LOGGER.error("a message of %s is given up at delivery %d", queue, delivery, exc_info=error)
    words = str(error) if isinstance(error, UpdraftError) else type(error).__name__
    return f"delivery {delivery} from the queue {queue} was the last, and failed: {words[:_ERROR_SHOWN]}"


def _text(body: str | bytes) -> str:
    return body if isinstance(body, str) else body.decode(errors="replace")
