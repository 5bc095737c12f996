"""A DAG whose runs have all the events of a burst, for a rule with `coalesce`.

    - name: refresh-after-deployments
      when: {types: [Microsoft.Web.*]}
      start:
        dag: collect_events
        conf: {site: "{{ app.site }}", events: "{{ events }}"}
      coalesce: {window: 5m, by: "{{ app.site }}"}

Where the conf would be larger than Airflow should be given, its largest members lie in a blob, and
`_updraft.by_reference` has the blob's address. The identity that the task runs as needs the role Storage Blob
Data Reader on the container `updraft-windows`.
"""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import dag, get_current_context, task


def whole_conf(conf: dict[str, Any]) -> dict[str, Any]:
    """Return a run's conf with everything that was handed over by reference."""
    reference = conf["_updraft"].get("by_reference")
    if reference is None:
        return conf
    import json  # noqa: PLC0415 - parsing the DAG does without

    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - as above
    from azure.storage.blob import BlobClient  # noqa: PLC0415 - as above

    with BlobClient.from_blob_url(reference["url"], credential=DefaultAzureCredential()) as blob:
        whole = json.loads(blob.download_blob().readall())
    return {**conf, **{name: whole[name] for name in reference["members"]}}


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, tags=["updraft"])
def collect_events() -> None:
    """Say what happened, oldest first."""

    @task
    def tell() -> list[str]:
        """Return one line for each event of the burst."""
        run: Any = get_current_context()["dag_run"]
        return [f"{each.get('time')} {each['type']}" for each in whole_conf(run.conf)["events"]]

    tell()


collect_events()
