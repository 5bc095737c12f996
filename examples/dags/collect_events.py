"""Reads all events of a burst, for a rule with `coalesce`.

    - name: refresh-after-deployments
      when: {types: [Microsoft.Web.*]}
      start:
        dag: collect_events
        conf: {site: "{{ app.site }}", events: "{{ events }}"}
      coalesce: {window: 5m, by: "{{ app.site }}"}

If the conf is too large for Airflow, its largest members are in a blob of the function app's Storage account.
`whole_conf` reads it. A caller that may start a run chooses its conf, so the conf does not decide which
account is read: `[updraft] windows_urls` in airflow.cfg lists the containers that may be read, as in
`https://contoso.blob.core.windows.net/updraft-windows`. The identity that the task runs as needs the role
Storage Blob Data Reader on that container, and the worker needs `updraft-airflow[azure]`.
"""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import dag, get_current_context, task
from updraft_airflow.whole_conf import whole_conf


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, tags=["updraft"])
def collect_events() -> None:
    """List the events, the oldest first."""

    @task
    def list_events() -> list[str]:
        """Return one line for each event of the burst."""
        run: Any = get_current_context()["dag_run"]
        return [f"{each.get('time')} {each['type']}" for each in whole_conf(run.conf)["events"]]

    list_events()


collect_events()
