"""Loads a file of orders once it has been stored: started by a blob-created event through the queue."""

from __future__ import annotations

from airflow.sdk import dag, get_current_context, task


@dag(schedule=None, tags=["updraft"], doc_md=__doc__)
def load_orders() -> None:
    """One run for each file; `conf` names the blob, as the rule in rules.yaml says."""

    @task
    def load() -> str:
        """Say what would be loaded; a real DAG would read the blob with its own identity here."""
        conf = get_current_context()["dag_run"].conf or {}
        blob = str(conf.get("url", "a file without an address"))
        print(f"Loading {blob}, stored by event {conf['_updraft']['event']['id']}.")  # noqa: T201
        return blob

    load()


load_orders()
