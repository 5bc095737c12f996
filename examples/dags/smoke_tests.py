"""Checks a web app after a slot swap; the demo starts this DAG."""

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
def smoke_tests() -> None:
    """Check one app in each run; the rule in rules.yaml puts its name into `conf`.

    The notifier reports how the run ended if the rule has `track: callback`. It also reports a run that ran
    out of time or was ended by hand, but a failed report is not retried.
    """

    @task
    def check() -> str:
        """Print what is checked; a real DAG would call the app's health page here."""
        conf = get_current_context()["dag_run"].conf or {}
        event = conf["_updraft"]["event"]
        site = conf["site"]
        print(f"Checking {site} after the slot swap in event {event['id']} ({event['type']}).")  # noqa: T201
        return str(site)

    check()


smoke_tests()
