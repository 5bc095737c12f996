"""Checks a web app after its slots were swapped: the DAG that the demo starts."""

from __future__ import annotations

from airflow.sdk import dag, get_current_context, task


@dag(schedule=None, tags=["updraft"], doc_md=__doc__)
def smoke_tests() -> None:
    """One run for each swap; `conf` names the app, as the rule in rules.yaml says."""

    @task
    def check() -> str:
        """Say what would be checked; a real DAG would call the app's health page here."""
        conf = get_current_context()["dag_run"].conf or {}
        event = conf["_updraft"]["event"]
        site = conf.get("site", "an unnamed app")
        print(f"Checking {site}, because {event['type']} {event['id']} said that its slots were swapped.")  # noqa: T201
        return str(site)

    check()


smoke_tests()
