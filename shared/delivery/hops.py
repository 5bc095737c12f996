"""The time that a delivery took, by part (hop). `other` is the rest of the total.

docs/monitoring.md explains the names. `published` and `waited` are before the delivery, and use the clocks of
other machines. The others are parts of `total`, on one monotonic clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.errors import UnusableValue
from shared.values.times import parse_time

if TYPE_CHECKING:
    from shared.delivery.attempts import Attempts
    from shared.event.model import Event

PUBLISHED: Final = "published"
WAITED: Final = "waited"
READ: Final = "read"
DECIDE: Final = "decide"
SLOT: Final = "slot"
TOKEN: Final = "token"  # noqa: S105 - a hop, not a password
AIRFLOW: Final = "airflow"
PAUSE: Final = "pause"
STORAGE: Final = "storage"
OTHER: Final = "other"
TOTAL: Final = "total"

HOPS: Final = (PUBLISHED, WAITED, READ, DECIDE, SLOT, TOKEN, AIRFLOW, PAUSE, STORAGE, OTHER, TOTAL)
"""All hops, in the order of time."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a body arrived, and how long reading it took.

    Attributes:
        at: When the body arrived, with a time zone; for a queue message, when Storage received it.
        read_seconds: How long reading the body took.
    """

    at: datetime
    read_seconds: float = 0.0

    def before(self, event: "Event", now: datetime, spent: float) -> dict[str, float]:
        """Return the seconds before an event's first delivery to a rule, by name.

        Args:
            event: The event. Without a readable time there is no `published`.
            now: When the delivery to the rule began, with a time zone.
            spent: Seconds between the arrival and `now` that other hops count.
        """
        hops = {WAITED: max((now - self.at).total_seconds() - spent, 0.0)}
        if event.time is None:
            return hops
        try:
            return {PUBLISHED: (self.at - parse_time(event.time)).total_seconds()} | hops
        except UnusableValue:
            return hops


def milliseconds(
    total: float,
    parts: Mapping[str, float],
    *,
    before: Mapping[str, float] | None = None,
    attempts: "Attempts | None" = None,
) -> dict[str, float]:
    """Return the hops of a delivery in milliseconds, by name.

    Args:
        total: Seconds of the whole delivery.
        parts: Seconds of the hops in the total, by name.
        before: Seconds of the hops before the delivery, by name.
        attempts: The requests to Airflow, if there were any.
    """
    hops = dict(parts)
    if attempts is not None:
        hops |= {
            SLOT: attempts.slot_seconds,
            TOKEN: attempts.token_seconds,
            AIRFLOW: attempts.airflow_seconds,
        }
        if attempts.pause_seconds:
            hops[PAUSE] = attempts.pause_seconds
    hops[OTHER] = max(total - sum(hops.values()), 0.0)
    hops[TOTAL] = total
    hops |= before or {}
    return {name: hops[name] * 1000 for name in HOPS if name in hops}
