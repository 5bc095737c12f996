"""Reports to Updraft how it ended with callbacks of the DAG: without a task, and without retries.

The callbacks run in the DAG processor just after the run's end. If a report must not be lost, use the task of
`reports_by_task.py`.
"""

from __future__ import annotations

from airflow.sdk import dag, get_current_context, task
from updraft_airflow.notifier import UpdraftNotifier


@dag(
    schedule=None,
    tags=["updraft"],
    doc_md=__doc__,
    on_success_callback=UpdraftNotifier(),
    on_failure_callback=UpdraftNotifier(),
)
def reports_by_notifier() -> None:
    """Work on one event in each run; Airflow reports the run when it has ended."""

    @task
    def work() -> str:
        """Fail if conf has `fail`, to show the report of a failure."""
        conf = get_current_context()["dag_run"].conf or {}
        if conf.get("fail"):
            raise RuntimeError("conf asked for a failure")
        return "done"

    work()


reports_by_notifier()
