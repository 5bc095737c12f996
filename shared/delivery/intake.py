"""From a delivered body to its outcomes: each function calls it."""

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
    """Receives bodies and returns the outcomes of their events; safe to use from any thread.

    A method raises only if the delivery must not be acknowledged, so that Event Grid or the queue delivers it
    again: `ConfigurationError` if rules or settings cannot be used, `StorageUnavailable` if an event could be
    neither delivered nor stored.

    Args:
        rules: Returns the current rules.
        relay: Delivers runs.
        windows: Stores the windows.
        parking: Stores parked deliveries.
        closing: Begins and ends deliveries.
        verify_hook: Returns whether the signature of a webhook delivery is valid; gets the time of arrival.
            Raises `KeysUnavailable` or `SettingsError` if it cannot verify. None if no webhook is enabled.

    Attributes:
        hooks: Webhook deliveries whose signature cannot be verified yet.
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

        If an event fails, the others are still handled. The error is raised at the end; at the next delivery
        the runs that started are duplicates.

        Args:
            body: The body.
            via: How the body came: the trigger decides it, never the content.
            kind: As in `read_events`, for a body without an envelope.
            headers: The headers of an HTTP request.
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
        """Handle a message of the event queue, in any encoding of its sender; otherwise as `receive`.

        Args:
            body: The message's body.
            last_delivery: The number of this delivery, if it is the host's last: a failure becomes a dead
                letter. None if the host delivers the message again.
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
        """Handle the events of a verified caller, which have its stamp; return the outcomes of each event.

        The events share one time budget, because the caller waits for the answer.
        """
        return self._arrivals.receive(events, deadline=self._relay.deadline())

    def receive_direct_run(self, run: DirectRun) -> Outcome:
        """Handle a verified caller's request for one run."""
        started = perf_counter()
        with self._closing.delivery(run.rule):
            decision = decide_direct_run(run, self._rules())
            return self._relay.deliver(run, decision, decide_seconds=perf_counter() - started)

    def receive_parked(self, body: str | bytes, *, last_delivery: int | None = None) -> Outcome:
        """Try a parked delivery again, with the current version of its rule.

        If the rule has no run for the event now, the delivery waits for an instance with other rules, for a
        grace period. If the caller has no permission any more, the delivery becomes a dead letter.

        Args:
            body: The message's body.
            last_delivery: As in `receive_message`.
        """
        return self._parked.resume(open_queue_body(body).content, last_delivery=last_delivery)

    def hold_back(self, outcomes: Iterable[Outcome]) -> None:
        """Delay a queue's listener while there are no slots; see `Relay.hold_back`."""
        self._relay.hold_back(outcomes)

    def bury(self, body: str | bytes, *, queue: str) -> list[Outcome]:
        """Write the dead letters of a message of `queue` that the host gave up after its last delivery."""
        reason = f"the host gave up this message of {queue} after its last delivery; its log has the cause"
        if queue == PARKED_QUEUE:
            return [self._parked.bury(open_queue_body(body).content, reason)]
        members = without_callers(read_queue_body(body, "queue"))
        return [self._closing.keep(member, GIVEN_UP, reason) for member in members]


def _no_hooks(_: UnverifiedHook, __: datetime) -> bool:
    raise ConfigurationError("no webhook is enabled")
