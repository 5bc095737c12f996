"""The requests of one delivery to Airflow, within its time budget, until the answer is definite.

After a request that may have reached Airflow without an answer, the run is looked up by its id. Its conf
shows whether this event started it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from shared.airflow.failure_table import AnswerClass, TableRow, classify, explain
from shared.airflow.response import AirflowResponse
from shared.airflow.shapes import is_conflict, is_our_conflict
from shared.delivery.outcomes import Ending, OutcomeKind, Wait
from shared.delivery.policy import Budget
from shared.delivery.target import Target
from shared.errors import CredentialError
from shared.runs.provenance import is_ours

if TYPE_CHECKING:
    from shared.admission.breaker import Permission
    from shared.airflow.client import AirflowClient
    from shared.runs.request import RunRequest

_LEAST_SECONDS: Final = 0.5
"""With less time left, no request is sent."""
_ABSENT: Final = frozenset({AnswerClass.DAG_RUN_NOT_FOUND, AnswerClass.DAG_NOT_FOUND})
_UNHEALTHY: Final = frozenset({AnswerClass.AMBIGUOUS, AnswerClass.TRANSIENT})


class Attempts:
    """The requests of one delivery.

    Args:
        target: The Airflow.
        request: The run request.
        budget: The time and number of requests.

    Attributes:
        status: Airflow's last HTTP status.
        slot_seconds: Time spent on waiting for slots.
        token_seconds: Time spent on tokens.
        airflow_seconds: Time spent on waiting for Airflow.
        pause_seconds: Time spent between requests.
    """

    def __init__(self, target: Target, request: "RunRequest", budget: Budget) -> None:
        self._target = target
        self._request = request
        self._budget = budget
        self._in_doubt = False
        self._conflict: TableRow | None = None
        self.status: int | None = None
        self.slot_seconds = 0.0
        self.token_seconds = 0.0
        self.airflow_seconds = 0.0
        self.pause_seconds = 0.0

    def run(self) -> Ending:
        """Try until the answer is definite or the time budget is used up."""
        step = _Next(look_up=False, otherwise=_deadline_exceeded(""))
        for attempt in range(1, self._budget.tries + 1):
            if not self._pause(step.pause):
                return step.otherwise if attempt > 1 else _deadline_exceeded(self._outage())
            admitted = self._enter()
            if isinstance(admitted, Ending):
                first = attempt == 1
                return admitted if first else replace(step.otherwise, at_least=admitted.at_least)
            judged = self._ask(admitted, attempt, look_up=step.look_up)
            if isinstance(judged, Ending):
                return judged
            step = judged
        return step.otherwise

    def question(
        self, ask: "Callable[[AirflowClient, float], AirflowResponse]", *, wait: float | None = None
    ) -> tuple[AirflowResponse, TableRow] | Ending:
        """Send one other request to Airflow, within the same budget.

        Args:
            ask: Sends the request; it gets the client and the seconds that are left.
            wait: Seconds to wait for a slot, if less than usual.

        Returns:
            A definite answer with its row of the failure table; otherwise how the delivery ends.
        """
        if not self._pause(0.0):
            return _deadline_exceeded(self._outage())
        admitted = self._enter(wait)
        if isinstance(admitted, Ending):
            return admitted
        try:
            answer, row = self._guarded(admitted, lambda: ask(self._target.airflow, self._budget.left))
        except CredentialError as exc:
            return _credential_unavailable(exc)
        return _later(row, answer) if row.answer_class in _UNHEALTHY else (answer, row)

    def _pause(self, seconds: float) -> bool:
        """Wait if there is time for another request after the wait, and return whether there is."""
        if self._budget.left < seconds + _LEAST_SECONDS:
            return False
        if seconds > 0:
            self._budget.sleep(seconds)
            self.pause_seconds += seconds
        return True

    def _enter(self, wait: float | None = None) -> "Permission | Ending":
        """Take the circuit breaker's permission and a slot for one request; an ending if one is missing."""
        breaker = self._target.breaker
        permission = breaker.enter()
        if permission is None:
            return Ending.parked(
                Wait.SOON,
                "CircuitOpen",
                self._outage() or "Airflow failed repeatedly; Updraft pauses its requests",
                at_least=breaker.retry_in,
                is_outage=True,
            )
        began = self._budget.clock()
        wait = min(self._budget.slot_wait if wait is None else wait, self._budget.deadline - began)
        has_slot = self._target.limiter.enter(self._request.rule, wait=wait)
        self.slot_seconds += self._budget.clock() - began
        if not has_slot:
            permission.end(healthy=None)
            outage = self._outage()
            return Ending.parked(
                Wait.NO_CAPACITY,
                "NoCapacity",
                outage or self._slots_taken(),
                at_least=self._target.limiter.delay_for_rejected(),
                is_outage=bool(outage),
            )
        permission.sent()
        return permission

    def _outage(self) -> str:
        """Return since when Airflow does not answer, in words; empty if it answers."""
        outage = self._target.breaker.outage
        return outage.reason(self._request.connection) if outage else ""

    def _slots_taken(self) -> str:
        """Return why a request found no slot while Airflow answers."""
        slots, oldest = self._target.limiter.slots(), self._target.breaker.oldest_seconds
        lasting = f" (oldest for {oldest:.0f} s)" if oldest is not None else ""
        if slots.taken >= slots.most:
            return (
                f"waits for a slot: {slots.most} of {slots.most} requests to Airflow are in flight{lasting}"
            )
        if not slots.usable:
            return f"waits for a slot: other instances hold the {slots.most} slots of this Airflow"
        return (
            f"waits for a slot: {slots.taken} of {slots.usable} requests that this instance may send now are "
            f"in flight{lasting}; all instances together may send {slots.most}"
        )

    def _ask(self, permission: "Permission", attempt: int, *, look_up: bool) -> "Ending | _Next":
        """Send one request, and return the ending or the next request."""
        try:
            answer, row = self._guarded(permission, lambda: self._send(look_up=look_up))
        except CredentialError as exc:
            ending = _credential_unavailable(exc)
            if ending.wait is Wait.OPERATOR:
                return ending
            return _Next(look_up, ending, self._budget.pauses.delay(attempt))
        self.status = answer.status if answer.status is not None else self.status
        if row.answer_class in _UNHEALTHY:
            self._in_doubt |= row.answer_class is AnswerClass.AMBIGUOUS
            pause = self._budget.pauses.delay(attempt, at_least=answer.retry_after)
            return _Next(self._in_doubt, _later(row, answer), pause)
        return self._judge_look_up(row, answer) if look_up else self._judge_start(row, answer)

    def _guarded(
        self, permission: "Permission", send: Callable[[], AirflowResponse]
    ) -> tuple[AirflowResponse, TableRow]:
        """Send one request, then release the permission and the slot; raises the errors of `send`."""
        healthy: bool | None = None
        status: int | None = None
        seconds = 0.0
        began = self._budget.clock()
        try:
            answer = send()
            seconds, status = answer.seconds, answer.status
            row = classify(answer)
            if not answer.invalid:
                healthy = row.answer_class not in _UNHEALTHY
        except CredentialError:
            self.token_seconds += self._budget.clock() - began
            raise
        finally:
            permission.end(healthy=healthy, status=status)
            self._target.limiter.leave(self._request.rule, seconds=seconds, healthy=healthy is not False)
        self.token_seconds += answer.token_seconds
        self.airflow_seconds += answer.seconds
        return answer, row

    def _send(self, *, look_up: bool) -> AirflowResponse:
        request, airflow, within = self._request, self._target.airflow, self._budget.left
        if look_up:
            return airflow.get_run(request.dag_id, request.dag_run_id, within=within)
        return airflow.start_run(request, within=within)

    def _judge_start(self, row: TableRow, answer: AirflowResponse) -> "Ending | _Next":
        """Return what follows a definite answer to the run request."""
        if row.answer_class is AnswerClass.CONFLICT:
            if is_our_conflict(answer) and not self._in_doubt:
                return Ending(OutcomeKind.DUPLICATE, row.name)
            foreign = not is_conflict(answer)
            if foreign and self._conflict is row:  # the look-up between the two found no run
                return Ending.parked(Wait.OPERATOR, row.name, explain(row, answer))
            self._conflict = row
            return _Next(look_up=True, otherwise=_later(row, answer))
        kind, wait = _ENDINGS[row.answer_class]
        return Ending(kind, row.name, _reason(row, answer), wait)

    def _judge_look_up(self, row: TableRow, answer: AirflowResponse) -> "Ending | _Next":
        """Return what follows a definite answer to the look-up of the run."""
        if row.answer_class in _ABSENT:
            by_airflow = self._conflict is not None and self._conflict.name == "Conflict"
            named = row.answer_class is AnswerClass.DAG_RUN_NOT_FOUND
            if by_airflow and named and self._request.logical_date is not None:
                return Ending(
                    OutcomeKind.REJECTED,
                    "LogicalDateTaken",
                    f"another run of the DAG holds the logical date {self._request.logical_date}, "
                    "and Airflow allows one run per date",
                )
            return _Next(look_up=False, otherwise=_later(row, answer))
        if row.answer_class is not AnswerClass.ANSWERED:
            reason = f"the run cannot be looked up: {explain(row, answer)}"
            return Ending.parked(Wait.OPERATOR, row.name, reason)
        conf = (answer.body or {}).get("conf")
        if not is_ours(conf, self._request):
            return Ending(
                OutcomeKind.REJECTED,
                "RunIdTaken",
                f"Airflow has a run {self._request.dag_run_id} that this event did not start",
            )
        return Ending(OutcomeKind.STARTED if self._in_doubt else OutcomeKind.DUPLICATE, "RunFound")


@dataclass(frozen=True, slots=True)
class _Next:
    """The next request.

    Attributes:
        look_up: Whether to look the run up, and not to start it.
        otherwise: The ending if there is no time for the request.
        pause: Seconds to wait before the request.
    """

    look_up: bool
    otherwise: Ending
    pause: float = 0.0


_ENDINGS: Final = {
    AnswerClass.STARTED: (OutcomeKind.STARTED, None),
    AnswerClass.UNAUTHORIZED: (OutcomeKind.PARKED, Wait.OPERATOR),
    AnswerClass.DENIED: (OutcomeKind.PARKED, Wait.OPERATOR),
    AnswerClass.DAG_NOT_FOUND: (OutcomeKind.PARKED, Wait.DAG_NOT_FOUND),
    AnswerClass.REJECTED: (OutcomeKind.REJECTED, None),
}


def _reason(row: TableRow, answer: AirflowResponse) -> str:
    return "" if row.answer_class is AnswerClass.STARTED else explain(row, answer)


def _deadline_exceeded(outage: str) -> Ending:
    reason = outage or "the time budget was used up before a request to Airflow"
    return Ending.parked(Wait.SOON, "DeadlineExceeded", reason, is_outage=bool(outage))


def _credential_unavailable(error: CredentialError) -> Ending:
    return Ending.parked(Wait.OPERATOR if error.permanent else Wait.SOON, "CredentialUnavailable", str(error))


def _later(row: TableRow, answer: AirflowResponse) -> Ending:
    return Ending.parked(
        Wait.SOON,
        row.name,
        explain(row, answer),
        at_least=answer.retry_after or 0.0,
        is_outage=row.answer_class in _UNHEALTHY,
    )
