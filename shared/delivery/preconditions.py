"""The checks of a rule's `latest_by` and `when_paused`, before and after the run request.

With `hold` and `reject`, Airflow is asked before the run whether the DAG is paused or draining. With `start`
it is asked after the run, for a warning only: without a wait for a slot, and a failure has no effect.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.airflow.failure_table import AnswerClass, explain
from shared.delivery.attempts import Attempts
from shared.delivery.outcomes import Ending, OutcomeKind, Wait
from shared.delivery.paused_dags import PausedDags, Scheduling, scheduling_of
from shared.errors import UnusableValue
from shared.log import LOGGER
from shared.runs.provenance import RESERVED
from shared.values.json_text import Json, JsonObject
from shared.values.times import parse_time, time_text

if TYPE_CHECKING:
    from shared.runs.request import RunRequest

_WARNINGS: Final = {
    Scheduling.PAUSED: "the DAG is paused: the run waits in Airflow until the DAG is unpaused",
    Scheduling.DRAINING: "the DAG is draining: Airflow pauses it after this run has ended",
}
_WARNING_TIMEOUT: Final = 2.0
"""Seconds to wait for an answer that is only for a warning."""


def start_on_terms(attempts: Attempts, request: "RunRequest", dags: PausedDags) -> Ending:
    """Start a run if the preconditions of its rule are met.

    Args:
        attempts: The requests of this delivery.
        request: The run.
        dags: Caches which of this Airflow's DAGs are paused.
    """
    superseded = ask_for_newer(attempts, request)
    if superseded is not None:
        return superseded
    if request.terms.when_paused == "start":
        ending = attempts.run()
        if ending.kind is not OutcomeKind.STARTED:
            return ending
        state = _scheduling(attempts, request, dags, for_warning=True)
        warning = _WARNINGS.get(state) if isinstance(state, Scheduling) else None
        return Ending(OutcomeKind.STARTED, ending.code, warning) if warning else ending
    state = _scheduling(attempts, request, dags)
    if isinstance(state, Ending):
        return state
    return attempts.run() if state is Scheduling.ACTIVE else _not_active(request, state)


def _not_active(request: "RunRequest", state: Scheduling) -> Ending:
    if request.terms.when_paused == "reject":
        return Ending(
            OutcomeKind.REJECTED, "DagPaused", f"the DAG is {state}, and the rule starts no run then"
        )
    return Ending.parked(Wait.PAUSED, "DagPaused", f"the DAG is {state}, and the rule waits for it")


def _scheduling(
    attempts: Attempts, request: "RunRequest", dags: PausedDags, *, for_warning: bool = False
) -> Scheduling | Ending:
    return dags.scheduling(request.dag_id, lambda: _ask(attempts, request, for_warning=for_warning))


def _ask(attempts: Attempts, request: "RunRequest", *, for_warning: bool) -> Scheduling | Ending:
    asked = attempts.question(
        lambda airflow, left: airflow.get_dag(
            request.dag_id, within=min(left, _WARNING_TIMEOUT) if for_warning else left
        ),
        wait=0.0 if for_warning else None,
    )
    if isinstance(asked, Ending):
        return asked
    answer, row = asked
    if row.answer_class is AnswerClass.DAG_NOT_FOUND:
        return Ending.parked(Wait.DAG_NOT_FOUND, row.name, explain(row, answer))
    state = scheduling_of(answer.body or {})
    if row.answer_class is AnswerClass.ANSWERED and state is not None:
        return state
    reason = f"Updraft cannot find out whether the DAG is paused: {explain(row, answer)}"
    code = "UnexpectedResponse" if row.answer_class is AnswerClass.ANSWERED else row.name
    return Ending.parked(Wait.OPERATOR, code, reason)


_SUPERSEDED: Final = "Superseded"
_ORDER_UNKNOWN: Final = "OrderUnknown"


def ask_for_newer(attempts: Attempts, request: "RunRequest") -> Ending | None:
    """Return how a delivery ends because of a newer run or an unknown order; None if the run may start.

    Events with the same time do not supersede each other. If the conf of a run of the key does not have the
    time of its event, the order is unknown, and no run starts.

    Args:
        attempts: The requests of this delivery.
        request: The run.
    """
    latest = request.terms.latest
    if latest is None:
        return None
    asked = attempts.question(
        lambda airflow, left: airflow.newest_runs(request.dag_id, latest.prefix, within=left)
    )
    if isinstance(asked, Ending):
        return asked
    answer, row = asked
    if row.answer_class is not AnswerClass.ANSWERED:
        missing = row.answer_class is AnswerClass.DAG_NOT_FOUND
        reason = f"the newest runs cannot be looked up: {explain(row, answer)}"
        return Ending.parked(Wait.DAG_NOT_FOUND if missing else Wait.OPERATOR, row.name, reason)
    runs = dict(_runs(answer.body or {}, latest.prefix))
    if request.dag_run_id in runs:
        return None  # this run has started before: Airflow will answer 409
    ending = _compared({run_id: _event_time(run) for run_id, run in runs.items()}, parse_time(latest.time))
    ahead = [run_id for run_id, run in runs.items() if _event_member(run, "stated_time") is not None]
    if ending is not None and ending.kind is OutcomeKind.SUPERSEDED and ahead:
        LOGGER.warning(
            "an event is superseded, and run %s of its key has an event with a time after its arrival: "
            "check the clock of that event's sender",
            ahead[0],
        )
    return ending


def _compared(times: dict[str, datetime | None], ours: datetime) -> Ending | None:
    """Return how a delivery ends because of the runs of its key; None if the run may start.

    Args:
        times: The times of the runs' events, by the runs' ids.
        ours: The time of this delivery's event.
    """
    dated = [(time, run_id) for run_id, time in times.items() if time is not None]
    if dated and max(dated)[0] > ours:
        newest, run_id = max(dated)
        return Ending(
            OutcomeKind.SUPERSEDED, _SUPERSEDED, f"run {run_id} has a newer event, of {time_text(newest)}"
        )
    undated = next((run_id for run_id, time in times.items() if time is None), None)
    if undated is None:
        return None
    return Ending.parked(
        Wait.OPERATOR,
        _ORDER_UNKNOWN,
        f"the conf of run {undated} does not have the time of its event, so the newer event is unknown: "
        "let this app's identity read the run's conf, or delete the run",
    )


def _runs(body: JsonObject, prefix: str) -> Iterator[tuple[str, Json]]:
    """Yield the runs of a key, with their ids."""
    runs = body.get("dag_runs")
    for run in runs if isinstance(runs, list) else ():
        run_id = run.get("dag_run_id") if isinstance(run, dict) else None
        if isinstance(run_id, str) and run_id.startswith(prefix):
            yield run_id, run


def _event_time(run: Json) -> datetime | None:
    """Return the time of a run's event, if its conf has it."""
    value = _event_member(run, "time")
    try:
        return parse_time(value) if isinstance(value, str) else None
    except UnusableValue:
        return None


def _event_member(run: Json, member: str) -> Json:
    """Return a member of the event in a run's conf."""
    value = run
    for name in ("conf", RESERVED, "event", member):
        value = value.get(name) if isinstance(value, dict) else None
    return value
