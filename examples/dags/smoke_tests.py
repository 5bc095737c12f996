"""Checks a web app after its slots were swapped: the DAG that the demo starts."""

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
    """One run for each swap; `conf` names the app, as the rule in rules.yaml says.

    The notifier reports how the run ended, if the rule says `track: callback`, and does nothing else. It sees
    also a run that ran out of time or was ended by hand, but nobody calls it again if it fails.
    """

    @task
    def check() -> str:
        """Say what would be checked; a real DAG would call the app's health page here."""
        conf = get_current_context()["dag_run"].conf or {}
        event = conf["_updraft"]["event"]
        site = conf["site"]
        print(f"Checking {site}, because {event['type']} {event['id']} said that its slots were swapped.")  # noqa: T201
        return str(site)

    check()


smoke_tests()
