"""Loads a file of orders after it was stored; a blob-created event from the queue starts it."""

from __future__ import annotations

from airflow.sdk import Param, dag, get_current_context, task
from updraft_airflow.notifier import UpdraftNotifier, report_run


@dag(
    schedule=None,
    tags=["updraft"],
    doc_md=__doc__,
    params={
        "url": Param(type="string", description="The file's address"),
        "size": Param(None, type=["null", "integer"], minimum=0, description="The file's size in bytes"),
    },
    on_failure_callback=UpdraftNotifier(),
)
def load_orders() -> None:
    """One run for each file; `conf` names the blob, as in the rule of rules.yaml.

    Airflow refuses a run whose conf does not match the params; `updraft validate --live` reports it before.

    The last task reports how the run ended, and is retried until the app has the report. The notifier reports
    runs that timed out, which no task can. The app stores a report only once.
    """

    @task
    def load() -> str:
        """Print what is loaded; a real DAG would read the blob here, with its own identity."""
        params = get_current_context()["params"]
        event = params["_updraft"]["event"]
        print(f"Loading {params['url']} ({params['size']} bytes), stored by event {event['id']}.")  # noqa: T201
        return str(params["url"])

    load() >> report_run()


load_orders()
