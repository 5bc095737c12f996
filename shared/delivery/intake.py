"""From a delivered body to its outcomes: the one call that every function makes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING

from shared.deciding.decide import decide_direct_run
from shared.delivery.arrivals import GIVEN_UP, Arrivals, without_callers
from shared.delivery.bursts import Bursts
from shared.delivery.closing import Closing
from shared.delivery.outcomes import Outcome
from shared.delivery.parked_work import ParkedWork
from shared.delivery.relay import Relay
from shared.delivery.unverified_hooks import UnverifiedHooks
from shared.errors import ConfigurationError
from shared.event import Event, read_events
from shared.event.queue_bodies import open_queue_body, read_queue_body
from shared.event.via import Via
from shared.rules import Rules
from shared.runs.direct_run import DirectRun
from shared.stores.names import PARKED_QUEUE
from shared.stores.parking import Parking
from shared.stores.work_items import UnverifiedHook

if TYPE_CHECKING:
    from shared.stores.windows import Windows


class Intake:
    """Takes bodies in and answers with what became of each event in them; safe to use from any thread.

    Every method raises only where the delivery must not be acknowledged, so that Event Grid or the queue
    delivers it again: `ConfigurationError` while rules or settings are unusable, `StorageUnavailable` when an
    event could be neither delivered nor kept.

    Args:
        rules: Gives the rules in force.
        relay: The only part that asks Airflow.
        windows: Where bursts are collected.
        parking: Where parked deliveries keep what is too large for a queue message.
        closing: Ends deliveries, with a dead letter where a body cannot be read or the host gave it up.
        verify_hook: Tells whether the signature of a hook's delivery, which came at a time, is good. Raises
            `KeysUnavailable` or `SettingsError` where that cannot be said. Without it, that never can be.

    Attributes:
        hooks: Deliveries of hooks that wait until their signature can be verified.
    """

    def __init__(
        self,
        *,
        rules: Callable[[], Rules],
        relay: Relay,
        windows: "Windows",
        parking: Parking,
        closing: Closing,
        verify_hook: Callable[[UnverifiedHook, datetime], bool] | None = None,
    ) -> None:
        self.hooks = UnverifiedHooks(parking=parking, closing=closing, verify=verify_hook or _no_hooks)
        self._rules = rules
        self._relay = relay
        self._closing = closing
        bursts = Bursts(windows, relay=relay, closing=closing, rules=rules)
        self._arrivals = Arrivals(rules=rules, relay=relay, bursts=bursts, closing=closing)
        self._parked = ParkedWork(
            rules=rules,
            relay=relay,
            bursts=bursts,
            parking=parking,
            closing=closing,
            arrivals=self._arrivals,
            hooks=self.hooks,
        )

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
        started = perf_counter()
        members = without_callers(read_events(body, kind=kind, headers=headers, via=via))
        received = self._arrivals.receive(members, read_seconds=perf_counter() - started)
        return [outcome for outcomes in received for outcome in outcomes]

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
        started = perf_counter()
        members = without_callers(read_queue_body(body, "queue"))
        received = self._arrivals.receive(
            members,
            last_delivery=last_delivery,
            first_seen=first_seen,
            read_seconds=perf_counter() - started,
        )
        return [outcome for outcomes in received for outcome in outcomes]

    def receive_events(self, events: Sequence[Event]) -> list[list[Outcome]]:
        """Handle what a verified caller sent, stamped with its identity and its `via`; each event's outcomes.

        All of them share one budget of time, because the caller waits for the answer.
        """
        return self._arrivals.receive(events, deadline=self._relay.deadline())

    def receive_direct_run(self, run: DirectRun) -> Outcome:
        """Handle a verified caller's request for one run."""
        started = perf_counter()
        with self._closing.delivery(run.rule):
            decision = decide_direct_run(run, self._rules())
            return self._relay.deliver(run, decision, decide_seconds=perf_counter() - started)

    def receive_parked(self, body: str | bytes, *, last_delivery: int | None = None) -> Outcome:
        """Try a parked delivery again, under the rule that it was parked for, as that rule reads now.

        A rule that has no run for the event now may be older or newer than the one that parked it: the
        delivery waits for an instance with other rules, for a grace period. What a caller asked for does not
        wait where its right is gone: it ends as a dead letter.

        Args:
            body: The message's body.
            last_delivery: As `receive_message` takes it.
        """
        return self._parked.resume(open_queue_body(body).content, last_delivery=last_delivery)

    def hold_back(self, outcomes: Iterable[Outcome]) -> None:
        """Keep a queue's listener from fetching more, while events find no place; see `Relay.hold_back`."""
        self._relay.hold_back(outcomes)

    def bury(self, body: str | bytes, *, queue: str) -> list[Outcome]:
        """Keep what a message of `queue` holds as dead letters: the host gave it up at its last delivery."""
        reason = f"the host gave this message of {queue} up after its last delivery; its log says why"
        if queue == PARKED_QUEUE:
            return [self._parked.bury(open_queue_body(body).content, reason)]
        members = without_callers(read_queue_body(body, "queue"))
        return [self._closing.keep(member, GIVEN_UP, reason) for member in members]


def _no_hooks(_: UnverifiedHook, __: datetime) -> bool:
    raise ConfigurationError("no hook is switched on")
