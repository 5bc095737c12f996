"""The addresses of a DAG run: its page in Airflow, and its path in the API."""

from typing import TYPE_CHECKING
from urllib.parse import quote

from shared.rules import Connection
from shared.values.json_text import JsonObject

if TYPE_CHECKING:
    from shared.runs.ref import RunRef


def links(connection: Connection, run: "RunRef") -> JsonObject:
    """Return a run's addresses by name: `airflow` for people, `api` for programs.

    Args:
        connection: The Airflow that has the run.
        run: The run.
    """
    dag, run_id = quote(run.dag_id, safe=""), quote(run.dag_run_id, safe="")
    if not connection.auths[0].has_web_pages:
        return {}
    base = connection.url.rstrip("/")
    if connection.api == "v1":
        return {
            "airflow": f"{base}/dags/{dag}/grid?dag_run_id={run_id}",
            "api": f"{base}/api/v1/dags/{dag}/dagRuns/{run_id}",
        }
    return {
        "airflow": f"{base}/dags/{dag}/runs/{run_id}",
        "api": f"{base}/api/v2/dags/{dag}/dagRuns/{run_id}",
    }
