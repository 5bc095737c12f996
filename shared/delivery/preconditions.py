"""A rule's terms for starting a run, kept to: what Airflow is asked before the run, and after it.

Only `hold` and `reject` make the run wait for the answer whether its DAG is paused. With `start` the
question comes after the run, costs nobody a place, and its failure is of no consequence.
"""

from typing import TYPE_CHECKING, Final

from shared.airflow.failure_table import AnswerClass, explain
from shared.delivery.attempts import Attempts, Ending, EndingKind
from shared.delivery.paused_dags import DagStates
from shared.newer_runs import ask_for_newer

if TYPE_CHECKING:
    from shared.runs.request import RunRequest

_PAUSED: Final = "the DAG is paused"
_HURRY: Final = 2.0
"""Seconds to wait for an answer that changes nothing but words."""


def start_on_terms(attempts: Attempts, request: "RunRequest", dags: DagStates) -> Ending:
    """Start a run as its rule's terms say.

    Args:
        attempts: The tries at Airflow that this delivery has.
        request: The run.
        dags: Remembers which of this Airflow's DAGs are paused.
    """
    superseded = ask_for_newer(attempts, request)
    if superseded is not None:
        return superseded
    if request.terms.when_paused == "start":
        ending = attempts.run()
        if (
            ending.kind is not EndingKind.STARTED
            or _paused(attempts, request, dags, hurried=True) is not True
        ):
            return ending
        return Ending(EndingKind.STARTED, ending.code, f"{_PAUSED}: the run waits in Airflow until it is not")
    paused = _paused(attempts, request, dags)
    return _while_paused(request) if paused is True else paused or attempts.run()


def _while_paused(request: "RunRequest") -> Ending:
    if request.terms.when_paused == "reject":
        return Ending(EndingKind.REJECTED, "DagPaused", f"{_PAUSED}, and the rule starts nothing then")
    return Ending(EndingKind.PAUSED, "DagPaused", f"{_PAUSED}, and the rule waits for it", counts=False)


def _paused(
    attempts: Attempts, request: "RunRequest", dags: DagStates, *, hurried: bool = False
) -> bool | Ending:
    return dags.paused(request.dag_id, lambda: _ask(attempts, request, hurried=hurried))


def _ask(attempts: Attempts, request: "RunRequest", *, hurried: bool) -> bool | Ending:
    asked = attempts.question(
        lambda airflow, left: airflow.get_dag(request.dag_id, within=min(left, _HURRY) if hurried else left),
        wait=0.0 if hurried else None,
    )
    if isinstance(asked, Ending):
        return asked
    answer, row = asked
    if row.answer_class is AnswerClass.MISSING_DAG:
        return Ending(EndingKind.MISSING_DAG, row.name, explain(row, answer))
    paused = (answer.body or {}).get("is_paused")
    if row.answer_class is AnswerClass.STARTED and isinstance(paused, bool):
        return paused
    return Ending(
        EndingKind.ALARM, row.name, f"nobody can tell whether the DAG is paused: {explain(row, answer)}"
    )
