"""Whether a newer event of the same key has started already (`latest_by`).

Airflow keeps the event's time in each run's conf, so that no database has to. It is asked for the newest
runs whose ids begin with the rule and the key. Between that question and the run there is a moment in which
a newer event may start: for that long, an older one can still overtake it.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.airflow.failure_table import AnswerClass, explain
from shared.delivery.attempts import Attempts, Ending, EndingKind
from shared.errors import TemplateError
from shared.json_types import Json, JsonObject
from shared.rules.templates import parse_time, time_text
from shared.runs.provenance import RESERVED

if TYPE_CHECKING:
    from shared.runs.request import RunRequest

_SUPERSEDED: Final = "Superseded"


def ask_for_newer(attempts: Attempts, request: "RunRequest") -> Ending | None:
    """Return how a delivery ends because of newer runs, or because nobody knows; None where it may start.

    Events of the same time do not supersede each other, and one without a time has no place in the order:
    it is started.

    Args:
        attempts: The tries at Airflow that this delivery has.
        request: The run.
    """
    latest = request.terms.latest
    if latest is None or latest.time is None:
        return None
    asked = attempts.question(
        lambda airflow, left: airflow.newest_runs(request.dag_id, latest.prefix, within=left)
    )
    if isinstance(asked, Ending):
        return asked
    answer, row = asked
    if row.answer_class is not AnswerClass.STARTED:
        missing = row.answer_class is AnswerClass.MISSING_DAG
        reason = f"the newest runs cannot be looked up: {explain(row, answer)}"
        return Ending(EndingKind.MISSING_DAG if missing else EndingKind.ALARM, row.name, reason)
    times = dict(_times(answer.body or {}, latest.prefix))
    if request.dag_run_id in times:
        return None  # it has started before; Airflow will say so
    dated = [(time, run_id) for run_id, time in times.items() if time is not None]
    if not dated or max(dated)[0] <= parse_time(latest.time):
        return None
    newest, run_id = max(dated)
    return Ending(
        EndingKind.SUPERSEDED, _SUPERSEDED, f"run {run_id} is of a newer event, of {time_text(newest)}"
    )


def _times(body: JsonObject, prefix: str) -> Iterator[tuple[str, datetime | None]]:
    """Yield the ids of the key's runs, with their events' times."""
    runs = body.get("dag_runs")
    for run in runs if isinstance(runs, list) else ():
        run_id = run.get("dag_run_id") if isinstance(run, dict) else None
        if isinstance(run_id, str) and run_id.startswith(prefix):
            yield run_id, _event_time(run)


def _event_time(run: Json) -> datetime | None:
    """Return when the event happened that a run was started for, where its conf says so."""
    value = run
    for name in ("conf", RESERVED, "event", "time"):
        value = value.get(name) if isinstance(value, dict) else None
    try:
        return parse_time(value) if isinstance(value, str) else None
    except TemplateError:
        return None
