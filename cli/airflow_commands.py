"""The commands of Airflow that fix what a check has found."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cli.hints import is_local

if TYPE_CHECKING:
    from shared.rules import Connection


def where_airflow_runs(connection: "Connection", fix: str, command: str, page: str) -> tuple[str, str]:
    """Return a fix with a command of Airflow, and the command.

    The command works only on the machine of the Airflow. The Airflow of the local stack has its own
    environment, so `--local` has the address of a page instead.

    Args:
        connection: The Airflow.
        fix: The fix, in words.
        command: The command that does it or shows more.
        page: The page that does so, as a path and in words.
    """
    if is_local():
        return f"{fix} at {connection.url.rstrip('/')}{page}", ""
    return f"where Airflow runs, {fix}", command


def unpause(dag: str) -> str:
    """Return the command that lets the runs of a DAG begin."""
    return f"airflow dags unpause {dag}"


def entra_role(dags: Iterable[str]) -> str:
    """Return the command that gives the app's role the right to start and to read runs of DAGs."""
    return f"airflow entra-role --role Updraft --dag {' '.join(dags)}"
