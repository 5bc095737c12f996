"""Parked messages: tries them again, or dead-letters them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from shared.deciding.decide import decide_direct_run, decide_for
from shared.delivery.arrivals import GIVEN_UP, UNREADABLE, given_up, without_callers
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.delivery.rights import PERMISSION_REVOKED, revoked_permission
from shared.errors import EventError, StorageUnavailable
from shared.event import Event, Unreadable, read_events
from shared.event.arrival import dated
from shared.event.via import HOOK_VIAS
from shared.log import LOGGER
from shared.runs.direct_run import DirectRun
from shared.stores.names import PARKED_QUEUE
from shared.stores.parking import ClaimGone
from shared.stores.resent import members_again
from shared.stores.work_items import Resent, RuleEvent, UnverifiedHook, WindowClose, subject_of

if TYPE_CHECKING:
    from shared.delivery.arrivals import Arrivals
    from shared.delivery.bursts import Bursts
    from shared.delivery.closing import Closing
    from shared.delivery.relay import Relay
    from shared.delivery.unverified_hooks import UnverifiedHooks
    from shared.rules import Rules
    from shared.stores.parked import Parked
    from shared.stores.parking import Parking


class ParkedWork:
    """Tries parked deliveries again, or dead-letters them; safe to use from any thread.

    Args:
        rules: Returns the current rules.
        relay: Delivers runs.
        bursts: Closes windows.
        parking: Stores parked deliveries.
        closing: Begins and ends deliveries.
        arrivals: Handles events that were parked for all rules.
        hooks: Verifies webhook deliveries.
    """

    def __init__(
        self,
        *,
        rules: "Callable[[], Rules]",
        relay: "Relay",
        bursts: "Bursts",
        parking: "Parking",
        closing: "Closing",
        arrivals: "Arrivals",
        hooks: "UnverifiedHooks",
    ) -> None:
        self._rules = rules
        self._relay = relay
        self._bursts = bursts
        self._parking = parking
        self._closing = closing
        self._arrivals = arrivals
        self._hooks = hooks

    def resume(self, content: str | bytes, *, last_delivery: int | None) -> Outcome:
        """Try a parked delivery again.

        Args:
            content: The message, as in `Parking.unpark`.
            last_delivery: The number of this delivery, if it is the host's last: a failure becomes a dead
                letter. None if the host delivers the message again.
        """
        try:
            outcome, parked = self._resume(content)
        except Exception as error:
            if last_delivery is None:
                raise
            outcome, parked = self._bury(content, given_up(PARKED_QUEUE, last_delivery, error))
        self._forget(parked, insist=last_delivery is None)
        return outcome

    def bury(self, content: str | bytes, reason: str) -> Outcome:
        """Write the dead letter of a parked delivery."""
        outcome, parked = self._bury(content, reason)
        self._forget(parked, insist=False)
        return outcome

    def _resume(self, content: str | bytes) -> "tuple[Outcome, Parked | None]":
        """Try a parked delivery again; return the outcome, and the delivery whose blob is to be deleted."""
        try:
            parked = self._parking.unpark(content)
        except ClaimGone as error:
            with self._closing.delivery():
                return self._closing.end(Outcome(OutcomeKind.DUPLICATE, reason=str(error))), None
        except EventError as error:
            unreadable = Unreadable(error=str(error), raw=_text(content))
            return self._closing.keep(unreadable, UNREADABLE, str(error)), None
        match parked.work:
            case RuleEvent() | DirectRun() as work:
                return self._try_again(parked, work), parked
            case WindowClose() as closing:
                return self._bursts.close(parked, closing), parked
            case Resent(subject):
                return self._for_all_rules(members_again(subject)), parked
            case UnverifiedHook() as hook:
                return self._hooks.decide(parked, hook) or self._for_all_rules(_members_of(hook)), parked

    def _try_again(self, parked: "Parked", work: RuleEvent | DirectRun) -> Outcome:
        if isinstance(work, RuleEvent) and parked.first_seen is not None:
            work = replace(work, event=dated(work.event, parked.first_seen))
        asked = work if isinstance(work, DirectRun) else work.event
        with self._closing.delivery(work.rule):
            rules = self._rules()
            revoked = revoked_permission(asked, rules)
            if revoked is not None:
                return self._closing.give_up(
                    asked,
                    PERMISSION_REVOKED,
                    revoked,
                    rule=work.rule,
                    attempts=parked.attempt + 1,
                    first_seen=parked.first_seen,
                )
            started = perf_counter()
            decision = (
                decide_direct_run(asked, rules)
                if isinstance(asked, DirectRun)
                else decide_for(asked, rules, work.rule)
            )
            seconds = perf_counter() - started
            if decision.burst_key is not None and not isinstance(asked, DirectRun):
                return self._bursts.collect(asked, decision, rules, parked=parked, decide_seconds=seconds)
            return self._relay.deliver(work, decision, parked=parked, decide_seconds=seconds)

    def _for_all_rules(self, members: Sequence[Event | Unreadable]) -> Outcome:
        """Handle events as new events for all rules; return the last outcome, and count and log each."""
        outcomes = [outcome for each in self._arrivals.receive(members) for outcome in each]
        if not outcomes:  # a body that is an empty array
            with self._closing.delivery():
                return self._closing.end(Outcome(OutcomeKind.UNMATCHED))
        return outcomes[-1]

    def _bury(self, content: str | bytes, reason: str) -> "tuple[Outcome, Parked | None]":
        """Dead-letter a parked delivery; return the outcome, and the delivery whose blob is to be deleted.

        A webhook delivery is verified first: without that, its dead letter does not contain the body.
        """
        try:
            parked = self._parking.unpark(content)
        except EventError as error:
            unreadable = Unreadable(error=str(error), raw=_text(content))
            return self._closing.keep(unreadable, GIVEN_UP, f"{reason}; it cannot be read: {error}"), None
        work = parked.work
        if isinstance(work, UnverifiedHook):
            return (
                self._hooks.decide(parked, work)
                or [self._closing.keep(each, GIVEN_UP, reason) for each in _members_of(work)][-1]
            ), parked
        if isinstance(work, WindowClose):
            self._bursts.lose(work)
        outcome = self._closing.keep(
            subject_of(work),
            GIVEN_UP,
            f"{reason}; parked because: {parked.reason}",
            rule=work.rule,
            attempts=parked.attempt,
            first_seen=parked.first_seen,
        )
        return outcome, parked

    def _forget(self, parked: "Parked | None", *, insist: bool) -> None:
        """Delete the blob of a parked message; if that fails, raise if `insist`, and log it otherwise."""
        try:
            if parked is not None:
                self._parking.forget(parked)
        except StorageUnavailable as error:
            if insist:
                raise
            LOGGER.warning("%s; the blob is not needed and only costs storage", error)


def _members_of(hook: UnverifiedHook) -> list[Event | Unreadable]:
    """Return the events of a verified webhook delivery, read as at its arrival."""
    return without_callers(
        read_events(hook.body, kind=hook.hook, headers=hook.headers, via=HOOK_VIAS[hook.hook])
    )


def _text(body: str | bytes) -> str:
    return body if isinstance(body, str) else body.decode(errors="replace")
