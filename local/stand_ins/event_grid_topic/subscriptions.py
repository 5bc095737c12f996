"""A subscription: its filter, destination, schema and retries."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.stand_ins.event_grid_topic.schemas import Schema, type_of

if TYPE_CHECKING:
    from local.stand_ins.event_grid_topic.destinations import StorageQueue, Webhook

SCHEDULE = (10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 10800.0, 21600.0)
"""Seconds between attempts (delivery-and-retry), then LAST_WAIT; Event Grid randomises them."""

LAST_WAIT = 43200.0
_LEAST_WAIT = {408: 120.0, 503: 30.0}
NEVER_RETRIED = frozenset({400, 401, 403, 413})
"""Statuses of a webhook after which Event Grid gives up at once (delivery-and-retry)."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a subscription gives up.

    Attributes:
        max_attempts: 1 to 30; 30 by default.
        time_to_live: Seconds after which an event is given up; a day by default. Checked before an attempt.
        scale: The factor of every wait; 1 for Event Grid's waits.
    """

    max_attempts: int = 30
    time_to_live: float = 86400.0
    scale: float = 1.0

    def wait(self, attempt: int, status: int | None) -> float:
        """Seconds to wait after the `attempt`-th attempt, counted from 1, which ended with `status`."""
        planned = SCHEDULE[attempt - 1] if attempt <= len(SCHEDULE) else LAST_WAIT
        return max(planned, _LEAST_WAIT.get(status or 0, 0.0)) * self.scale


@dataclass(frozen=True, slots=True)
class Subscription:
    """An event subscription.

    Attributes:
        name: Its name.
        destination: A webhook or a Storage queue.
        schema: The schema of deliveries; None: the event as it was published.
        included_event_types: None: all types. Letter case does not count.
        subject_begins_with: Letter case does not count.
        subject_ends_with: The same.
        advanced_filters: `advancedFilters` as in Event Grid; all must match.
        retry: When it gives up.
    """

    name: str
    destination: "Webhook | StorageQueue"
    schema: Schema | None = None
    included_event_types: tuple[str, ...] | None = None
    subject_begins_with: str = ""
    subject_ends_with: str = ""
    advanced_filters: tuple[dict[str, Any], ...] = ()
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def wants(self, event: dict[str, Any]) -> bool:
        """Return whether the filter matches the event."""
        if self.included_event_types is not None:
            types = {name.lower() for name in self.included_event_types}
            if type_of(event).lower() not in types:
                return False
        subject = str(event.get("subject") or "").lower()
        if not subject.startswith(self.subject_begins_with.lower()):
            return False
        if not subject.endswith(self.subject_ends_with.lower()):
            return False
        return not self.advanced_filters or self._holds(event)

    def _holds(self, event: dict[str, Any]) -> bool:
        from shared.event import Event, read_events
        from shared.rules.filters import Fields, compile_filter

        (read,) = read_events(json.dumps(event))
        condition = compile_filter(list(self.advanced_filters))
        return isinstance(read, Event) and condition.failure(Fields(read)) is None
