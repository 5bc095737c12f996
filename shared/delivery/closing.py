"""Begins and ends deliveries: counts them, logs the outcome, and writes the dead letter of a failure."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.delivery.outcome_log import report
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.delivery.repeats import Repeats
from shared.stores.dead_letters import DeadLetter
from shared.stores.work_items import source_of, type_of, via_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from shared.codes import Code
    from shared.delivery.outcomes import OutcomeCounts
    from shared.runs.request import RunRequest
    from shared.stores.dead_letters import DeadLetters
    from shared.stores.work_items import Subject


class Closing:
    """Begins and ends deliveries; safe to use from any thread.

    Args:
        dead_letters: Stores dead letters.
        outcome_counts: Counts deliveries.
        now: The time of day, with a time zone.
    """

    def __init__(
        self,
        dead_letters: "DeadLetters",
        outcome_counts: "OutcomeCounts",
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._dead_letters = dead_letters
        self._outcome_counts = outcome_counts
        self._now = now
        self._repeats = Repeats()

    def delivery(self, rule: str = "") -> "AbstractContextManager[None]":
        """Count a delivery to `rule` (empty: to no rule); call exactly one method that ends it inside.

        If the delivery raises, the event is delivered again, and `raised` counts it.
        """
        return self._outcome_counts.delivery(rule)

    def end(self, outcome: "Outcome") -> "Outcome":
        """Count the outcome of a delivery, log it, and return it.

        A delivery that is parked again for the same cause has no log line of its own (`repeats.py`).
        """
        self._outcome_counts.end(outcome)
        if outcome.kind is OutcomeKind.PARKED:
            self._repeats.note(outcome)
        if not outcome.is_repeat:
            report(outcome)
        return outcome

    def keep(
        self,
        subject: "Subject",
        code: "Code",
        reason: str,
        *,
        rule: str = "",
        attempts: int = 1,
        first_seen: datetime | None = None,
    ) -> "Outcome":
        """Write a dead letter as a delivery of its own; see `give_up`."""
        with self.delivery(rule):
            return self.give_up(subject, code, reason, rule=rule, attempts=attempts, first_seen=first_seen)

    def give_up(
        self,
        subject: "Subject",
        code: "Code",
        reason: str,
        *,
        rule: str,
        attempts: int,
        first_seen: datetime | None,
    ) -> "Outcome":
        """End a delivery with a dead letter, without a request to Airflow.

        Raises:
            StorageUnavailable: As `reject`.
        """
        outcome = Outcome(
            OutcomeKind.REJECTED,
            rule=rule,
            event_id=subject.id or "",
            event_type=type_of(subject),
            source=source_of(subject),
            via=via_of(subject),
            code=code,
            reason=reason,
            attempt=attempts,
        )
        return self.reject(outcome, subject, first_seen=first_seen)

    def reject(
        self,
        outcome: "Outcome",
        subject: "Subject",
        *,
        first_seen: datetime | None = None,
        request: "RunRequest | None" = None,
    ) -> "Outcome":
        """Write the dead letter of a delivery, then end it.

        Args:
            outcome: The outcome; the dead letter has its rule, code, reason, status and attempts.
            subject: The content of the dead letter.
            first_seen: When the subject first arrived, with a time zone; None for now.
            request: The run request, if there was one.

        Raises:
            StorageUnavailable: The dead letter is not written; do not acknowledge the event.
        """
        now = self._now()
        letter = DeadLetter(
            subject=subject,
            code=outcome.code,
            reason=outcome.reason,
            at=now,
            first_seen=first_seen or now,
            rule=outcome.rule,
            request=request,
            status=outcome.status,
            attempts=outcome.attempt,
        )
        self._dead_letters.write(letter)
        return self.end(outcome)
