"""The commands of Airflow that fix what a check has found."""

from collections.abc import Iterable


def unpause(dag: str) -> str:
    """Return the command that lets the runs of a DAG begin."""
    return f"airflow dags unpause {dag}"


def entra_role(dags: Iterable[str]) -> str:
    """Return the command that gives the app's role the right to start and to read runs of DAGs."""
    return f"airflow entra-role --role Updraft --dag {' '.join(dags)}"
