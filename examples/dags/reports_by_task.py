"""Reports to Updraft how it ended with a last task: it has retries, a log and the worker's identity.

Use it for a rule with `track: callback`; a run without a callback in its conf reports nothing. The notifier
also reports runs that no task can, such as a run that a person ended. The app stores a report only once.
"""

from __future__ import annotations

from airflow.sdk import dag, get_current_context, task
from updraft_airflow.notifier import UpdraftNotifier, report_run


@dag(schedule=None, tags=["updraft"], doc_md=__doc__, on_failure_callback=UpdraftNotifier())
def reports_by_task() -> None:
    """Work on one event in each run, and report whether `work` succeeded."""

    @task
    def work() -> str:
        """Fail if conf has `fail`, to show the report of a failure."""
        conf = get_current_context()["dag_run"].conf or {}
        if conf.get("fail"):
            raise RuntimeError("conf asked for a failure")
        return "done"

    work() >> report_run()


reports_by_task()
