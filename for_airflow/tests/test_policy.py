"""The DAGs that get the tag for runs that report how they end."""

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

import pytest

pytest.importorskip("airflow", reason="needs Airflow")
from airflow.sdk import DAG, task
from airflow.settings import dag_policy
from airflow_server import AirflowServer

from updraft_airflow.notifier import UpdraftNotifier, report_run
from updraft_airflow.policy import REPORTS_TAG


class Team(UpdraftNotifier):
    """A notifier that somebody derived."""


def other(_context: object) -> None:
    """Stand for somebody's own callback."""


@task
def work() -> None:
    """Stand for a task."""


def nothing() -> None:
    """Put no task more into the DAG."""


@pytest.mark.parametrize(
    ("callbacks", "last", "reports"),
    [
        ({}, nothing, False),
        ({}, report_run, True),
        ({}, report_run.override(task_id="tell_updraft"), True),
        ({"on_success_callback": UpdraftNotifier(), "on_failure_callback": UpdraftNotifier()}, nothing, True),
        ({"on_success_callback": [other, Team()], "on_failure_callback": (Team(),)}, nothing, True),
        ({"on_failure_callback": UpdraftNotifier()}, report_run, True),
        ({"on_failure_callback": UpdraftNotifier()}, nothing, False),
        ({"on_success_callback": UpdraftNotifier()}, nothing, False),
        ({"on_success_callback": other, "on_failure_callback": [other]}, nothing, False),
        ({"on_success_callback": UpdraftNotifier, "on_failure_callback": UpdraftNotifier}, nothing, False),
        ({"default_args": {"on_success_callback": UpdraftNotifier()}}, nothing, False),
    ],
)
def test_a_dag_is_tagged_if_it_reports_both_ends(
    callbacks: dict[str, Any],
    last: Callable[[], object],
    reports: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """A notifier for one end alone leaves the other untold, and a task's callback is not the run's."""
    with DAG("tried", schedule=None, tags=["mine"], **callbacks) as dag:
        work()
        last()
    dag_policy(dag)
    assert set(dag.tags) == ({"mine", REPORTS_TAG} if reports else {"mine"})


def test_airflow_finds_the_policy() -> None:
    """By the entry point of the installed package."""
    assert "updraft_airflow.policy" in {found.value for found in entry_points(group="airflow.policy")}


@pytest.mark.stack
def test_the_tag_is_in_the_api(airflow: AirflowServer) -> None:
    """For the DAGs that report, with what Updraft's least role may read, and for no other."""
    tags = {
        dag["dag_id"]: [tag["name"] for tag in dag["tags"]]
        for dag in airflow.call("GET", "/api/v2/dags?limit=100", airflow.admin())[1]["dags"]
    }
    assert tags["reports_by_task"] == tags["reports_by_notifier"] == [REPORTS_TAG]
    assert tags["forbidden"] == []
