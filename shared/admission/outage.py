"""An Airflow that does not answer, in words: since when, and when it is asked next."""

from dataclasses import dataclass
from datetime import UTC, datetime

from shared.values.json_text import JsonObject
from shared.values.times import time_text


@dataclass(frozen=True, slots=True)
class Outage:
    """What is known about an Airflow that does not answer.

    Attributes:
        since: When the first request was sent that got no answer, or an error.
        next_try: When the next request may be sent; None where that is now.
        status: The HTTP status of the last answer, where an error came in place of none.
        is_tried: Whether it was left alone for a while, and one request now finds out how it is.
    """

    since: datetime
    next_try: datetime | None = None
    status: int | None = None
    is_tried: bool = False

    @property
    def condition(self) -> str:
        """The condition in words, without its times."""
        if self.is_tried:
            return "trying again"
        if self.status is None:
            return "not answering"
        return f"answering with errors (HTTP {self.status})"

    def reason(self, connection: str) -> str:
        """Return why an event waits for this Airflow."""
        failed = (
            "has not answered"
            if self.status is None
            else f"has answered only with errors (the last one HTTP {self.status})"
        )
        again = f"; next try {clock_time(self.next_try)}" if self.next_try else ""
        return f"Airflow `{connection}` {failed} since {clock_time(self.since)}{again}"

    def to_document(self) -> JsonObject:
        """Return the condition for the app's status."""
        known: JsonObject = {"condition": self.condition, "since": time_text(self.since)}
        return known | ({"next_try": time_text(self.next_try)} if self.next_try else {})


def clock_time(moment: datetime) -> str:
    """Return a time of day for a person, as in `10:06:40 UTC`."""
    return moment.astimezone(UTC).strftime("%H:%M:%S UTC")
