"""The life of a window: its rule collects events in it, and its close starts their one run.

A window is opened by the first event of its key (`shared/stores/windows.py`). Its close waits in the queue of
parked deliveries; when that comes back, the run is rendered from all that the window has.
"""

from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Final

from shared.deciding.decide import Decision, decide_burst
from shared.delivery.hops import DECIDE, READ, STORAGE, milliseconds
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.delivery.rights import PERMISSION_REVOKED, revoked_permission
from shared.errors import EventError
from shared.event.bursts import Burst
from shared.runs.ids import run_id_for_window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.delivery.closing import Closing
    from shared.delivery.hops import Arrival
    from shared.delivery.relay import Relay
    from shared.event import Event
    from shared.rules import Rules
    from shared.stores.parked import Parked
    from shared.stores.windows import Windows
    from shared.stores.work_items import WindowClose

_UNREADABLE: Final = "Unreadable"
_EMPTY: Final = "the window has no events: another instance's was quicker, or it is no longer kept"


class Bursts:
    """Collects events and closes their windows; safe to use from any thread.

    Args:
        windows: Where bursts are collected.
        relay: Delivers the run of a window.
        closing: Ends deliveries.
        rules: Gives the rules in force.
    """

    def __init__(
        self, windows: "Windows", *, relay: "Relay", closing: "Closing", rules: "Callable[[], Rules]"
    ) -> None:
        self._windows = windows
        self._relay = relay
        self._closing = closing
        self._rules = rules

    def collect(
        self,
        event: "Event",
        decision: Decision,
        rules: "Rules",
        *,
        attempt: int = 1,
        first_seen: datetime | None = None,
        decide_seconds: float = 0.0,
        arrival: "Arrival | None" = None,
    ) -> Outcome:
        """Put an event into its window, and end its delivery; the run of the window will have it.

        Args:
            event: The event.
            decision: What its rule wants, with the key of the burst.
            rules: The rules that decided.
            attempt: The number of this delivery, counted from 1.
            first_seen: When the event first arrived, with a time zone; None for now.
            decide_seconds: How long deciding took, for the log.
            arrival: How an event that has just arrived came, for the log.

        Raises:
            StorageUnavailable: The event is neither in a window nor kept; it must not be acknowledged.
        """
        started = perf_counter()
        rule, burst_key = rules.named(decision.rule), decision.burst_key
        assert rule is not None
        assert burst_key is not None
        try:
            joined = self._windows.collect(rule.name, burst_key, event)
        except EventError as error:
            return self._closing.give_up(
                event, _UNREADABLE, str(error), rule=rule.name, attempts=attempt, first_seen=first_seen
            )
        storage = perf_counter() - started
        read_seconds, before = 0.0, None
        if arrival is not None:
            read_seconds = arrival.read_seconds
            spent = read_seconds + decide_seconds + storage
            before = arrival.before(event, datetime.now(UTC), spent)
        parts = {READ: read_seconds, DECIDE: decide_seconds, STORAGE: storage}
        return self._closing.end(
            Outcome(
                OutcomeKind.DUPLICATE if joined.was_collected else OutcomeKind.COALESCED,
                rule=rule.name,
                event_id=event.id,
                event_type=event.type,
                source=event.source,
                reason="it is in a window that has closed" if joined.was_collected else "",
                connection=rule.connection,
                dag_id=rule.spec.start.dag,
                dag_run_id=run_id_for_window(rule.name, burst_key.key, joined.window),
                attempt=attempt,
                milliseconds=milliseconds(sum(parts.values()), parts, before=before),
            )
        )

    def close(self, parked: "Parked", closing: "WindowClose") -> Outcome:
        """Close a window, and start the run of what is in it.

        Events of callers whose right is gone are left out. Each is a delivery of its own when the window is
        done with, so that a close which comes back from the queue does not write and count it again.

        Args:
            parked: The close as it waited.
            closing: The window.

        Raises:
            StorageUnavailable: The run was neither started nor parked; the close has to come again.
            ConfigurationError: As `Relay.deliver`.
        """
        with self._closing.delivery(closing.rule):
            outcome, withdrawn = self._run_of_window(parked, closing)
        if outcome.kind is not OutcomeKind.PARKED:
            for event, reason in withdrawn:
                self._closing.keep(
                    event,
                    PERMISSION_REVOKED,
                    reason,
                    rule=closing.rule,
                    attempts=parked.attempt + 1,
                    first_seen=parked.first_seen,
                )
        return outcome

    def lose(self, closing: "WindowClose") -> None:
        """Let nothing more into a window that has lost its close.

        Raises:
            StorageUnavailable: It still takes events.
        """
        self._windows.close(closing.rule, closing.id)

    def _run_of_window(
        self, parked: "Parked", closing: "WindowClose"
    ) -> tuple[Outcome, "Sequence[tuple[Event, str]]"]:
        """Return how the close of a window ended, and the events that were left out, each with the reason."""
        started, rules, rule = perf_counter(), self._rules(), closing.rule
        collected = self._windows.close(rule, closing.id)
        asked = [(event, revoked_permission(event, rules)) for event in collected]
        withdrawn = [(event, reason) for event, reason in asked if reason]
        events = tuple(event for event, reason in asked if not reason)
        if not collected:
            return self._closing.end(Outcome(OutcomeKind.DUPLICATE, rule=rule, reason=_EMPTY)), ()
        if not events:  # the last of them is the end of the close
            *others, (event, reason) = withdrawn
            attempt, first_seen = parked.attempt + 1, parked.first_seen
            return self._closing.give_up(
                event, PERMISSION_REVOKED, reason, rule=rule, attempts=attempt, first_seen=first_seen
            ), others
        burst = Burst(closing.id, closing.key, events, self._windows.conf_url(rule, closing.id))
        decision = decide_burst(burst, rules, rule)
        if decision.request is not None and decision.request.whole_conf is not None:
            self._windows.keep_conf(rule, closing.id, decision.request.whole_conf)
        return self._relay.deliver(
            closing,
            decision,
            attempt=parked.attempt + 1,
            waits=parked.waits,
            first_seen=parked.first_seen,
            decide_seconds=perf_counter() - started,
            parked=parked,
        ), withdrawn
