"""Windows of rules with `coalesce`: collects events, and starts one run for them at the close.

The first event of a key opens a window (`shared/stores/windows.py`). The close of the window is a parked
message. When the message becomes visible, the run is rendered from all events of the window.
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
_EMPTY: Final = "the window has no events: another instance opened one first, or its blob was deleted"


class Bursts:
    """Collects events and closes their windows; safe to use from any thread.

    Args:
        windows: Stores the windows.
        relay: Delivers the run of a window.
        closing: Ends deliveries.
        rules: Returns the current rules.
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
        parked: "Parked | None" = None,
        decide_seconds: float = 0.0,
        arrival: "Arrival | None" = None,
    ) -> Outcome:
        """Put an event into its window, and end its delivery.

        Args:
            event: The event.
            decision: The decision of its rule, with the key of the burst.
            rules: The rules of the decision.
            parked: The parked message of the event; None for a new event.
            decide_seconds: How long deciding took, for the log.
            arrival: When and how a new event arrived, for the log.

        Raises:
            StorageUnavailable: The event is neither in a window nor dead-lettered; do not acknowledge it.
        """
        started = perf_counter()
        attempt, first_seen = (parked.attempt + 1, parked.first_seen) if parked else (1, None)
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
                reason="the event is in a window that has closed" if joined.was_collected else "",
                connection=rule.connection,
                dag_id=rule.spec.start.dag,
                dag_run_id=run_id_for_window(rule.name, burst_key.key, joined.window),
                attempt=attempt,
                milliseconds=milliseconds(sum(parts.values()), parts, before=before),
            )
        )

    def close(self, parked: "Parked", closing: "WindowClose") -> Outcome:
        """Close a window, and start the run of its events.

        Events of callers without permission are left out, and dead-lettered when the close is not parked
        again: each gets one dead letter.

        Args:
            parked: The parked message of the close.
            closing: The window.

        Raises:
            StorageUnavailable: The run was neither started nor parked; the close has to be delivered again.
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
        """Seal a window whose close is dead-lettered.

        Raises:
            StorageUnavailable: The window still accepts events.
        """
        self._windows.close(closing.rule, closing.id)

    def _run_of_window(
        self, parked: "Parked", closing: "WindowClose"
    ) -> tuple[Outcome, "Sequence[tuple[Event, str]]"]:
        """Return the outcome of a close, and the events that were left out, each with the reason."""
        started, rules, rule = perf_counter(), self._rules(), closing.rule
        collected = self._windows.close(rule, closing.id)
        asked = [(event, revoked_permission(event, rules)) for event in collected]
        withdrawn = [(event, reason) for event, reason in asked if reason]
        events = tuple(event for event, reason in asked if not reason)
        if not collected:
            return self._closing.end(Outcome(OutcomeKind.DUPLICATE, rule=rule, reason=_EMPTY)), ()
        if not events:  # one of the dead letters is the outcome of the close
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
            parked=parked,
            decide_seconds=perf_counter() - started,
        ), withdrawn
