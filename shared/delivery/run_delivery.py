"""One delivery of a work item for which one run is to start, and its outcome."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.delivery.hops import DECIDE, READ, STORAGE, milliseconds
from shared.delivery.outcomes import Outcome
from shared.stores.work_items import source_of, subject_of, type_of

if TYPE_CHECKING:
    from shared.codes import Code
    from shared.deciding.decide import Decision
    from shared.delivery.attempts import Attempts
    from shared.delivery.outcomes import OutcomeKind
    from shared.stores.parked import Parked
    from shared.stores.work_items import RunWork


@dataclass(frozen=True, slots=True)
class RunDelivery:
    """One delivery of a work item for which one run is to start.

    Attributes:
        work: The work item.
        decision: The run.
        parked: The parked message of the work item; None for new work.
        first_seen: When the work item first arrived, with a time zone.
        began: When this delivery began, on the monotonic clock.
        read_seconds: How long reading the body took, before `began`.
        decide_seconds: How long deciding took, before `began`.
        before: Seconds before this delivery, by the names of `hops.py`.
        attempts: The requests to Airflow; None if there were none.
    """

    work: "RunWork"
    decision: "Decision"
    parked: "Parked | None"
    first_seen: datetime
    began: float
    read_seconds: float = 0.0
    decide_seconds: float = 0.0
    before: Mapping[str, float] | None = None
    attempts: "Attempts | None" = None

    @property
    def attempt(self) -> int:
        """The number of this delivery, counted from 1."""
        return self.parked.attempt + 1 if self.parked else 1

    @property
    def waits(self) -> int:
        """How often the work item was parked without an attempt."""
        return self.parked.waits if self.parked else 0

    def outcome(
        self,
        kind: "OutcomeKind",
        code: "Code",
        reason: str,
        *,
        ended: float,
        storage_seconds: float | None = None,
    ) -> Outcome:
        """Return the outcome of this delivery.

        Args:
            kind: The kind of outcome.
            code: The code.
            reason: The reason, in words.
            ended: When the delivery ended, on the monotonic clock.
            storage_seconds: How long parking took; None if nothing was parked.
        """
        request, attempts, parked = self.decision.request, self.attempts, self.parked
        subject = subject_of(self.work)
        parts = {READ: self.read_seconds, DECIDE: self.decide_seconds}
        if storage_seconds is not None:
            parts[STORAGE] = storage_seconds
        total = self.read_seconds + self.decide_seconds + ended - self.began
        return Outcome(
            kind=kind,
            rule=self.decision.rule,
            event_id=subject.id or "",
            event_type=type_of(subject),
            source=source_of(subject),
            code=code,
            reason=reason,
            connection=request.connection if request else "",
            dag_id=request.dag_id if request else "",
            dag_run_id=request.dag_run_id if request else "",
            status=attempts.status if attempts else None,
            attempt=self.attempt,
            waits=parked.attempt + parked.waits if parked else 0,
            milliseconds=milliseconds(total, parts, before=self.before, attempts=attempts),
        )
