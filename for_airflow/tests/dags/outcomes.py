"""DAGs of the end-to-end tests: one may be triggered, one may not, and two report how they ended."""

import pendulum
from airflow.exceptions import AirflowFailException
from airflow.sdk import DAG, task

from updraft_airflow.notifier import UpdraftNotifier, report_outcome


@task
def work(*, dag_run: object = None) -> None:
    """Fail if the run's conf says so."""
    if (getattr(dag_run, "conf", None) or {}).get("fail"):
        raise AirflowFailException("as the conf asked")


START = pendulum.datetime(2024, 1, 1, tz="UTC")

with DAG("reports_by_task", schedule=None, start_date=START):
    work() >> report_outcome()

with DAG(
    "reports_by_notifier",
    schedule=None,
    start_date=START,
    on_success_callback=UpdraftNotifier(),
    on_failure_callback=UpdraftNotifier(),
):
    work()

with DAG("forbidden", schedule=None, start_date=START):
    work()
