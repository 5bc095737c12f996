"""Tags the DAGs whose runs report how they end, so that Airflow's API shows it.

The API does not show a DAG's callbacks, and shows its source and tasks only with more permissions than
Updraft needs. Tags are part of the DAG: `updraft validate --live` looks for this tag if a rule has `track:
callback`. The author of a DAG that reports with other code sets the tag.

Airflow loads this cluster policy by the entry point `airflow.policy`, in each of its processes, and calls it
for each DAG that it reads from a file. So the import is small: only DAG files import the notifier.
Source: https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/cluster-policies.html
"""

import sys
from typing import TYPE_CHECKING, Any

from airflow.policies import hookimpl

if TYPE_CHECKING:
    from airflow.sdk import DAG

REPORTS_TAG = "updraft-reports"


@hookimpl
def dag_policy(dag: "DAG") -> None:
    """Tag the DAG if its runs report success and failure: by the last task, or by both callbacks."""
    notifier = sys.modules.get("updraft_airflow.notifier")
    if notifier is None:  # no DAG file of this process has imported the notifier
        return
    by_task = any(
        getattr(task, "python_callable", None) is notifier.report_run.function for task in dag.tasks
    )
    by_callbacks = all(
        any(isinstance(callback, notifier.UpdraftNotifier) for callback in _listed(callbacks))
        for callbacks in (dag.on_success_callback, dag.on_failure_callback)
    )
    if by_task or by_callbacks:
        dag.tags.add(REPORTS_TAG)


def _listed(callbacks: Any) -> list[Any]:
    return list(callbacks) if isinstance(callbacks, (list, tuple, set)) else [callbacks]
