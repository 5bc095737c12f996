"""DAGs of the end-to-end tests: two report how they ended, one may not be started, one waits for a file."""

from pathlib import Path
from time import sleep

import pendulum
from airflow.exceptions import AirflowFailException
from airflow.sdk import DAG, task

from updraft_airflow.notifier import UpdraftNotifier, report_run


@task
def work(*, dag_run: object = None) -> None:
    """Fail if the run's conf requests it."""
    if (getattr(dag_run, "conf", None) or {}).get("fail"):
        raise AirflowFailException("as the conf asked")


@task
def wait(*, dag_run: object = None) -> None:
    """Wait until the file is there that the run's conf names."""
    while not Path((getattr(dag_run, "conf", None) or {})["until"]).exists():
        sleep(0.2)


START = pendulum.datetime(2024, 1, 1, tz="UTC")

with DAG("reports_by_task", schedule=None, start_date=START):
    work() >> report_run()

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

with DAG("held", schedule=None, start_date=START):
    wait()
