"""The name of one run: what a reverse token, an outcome and a blob are about."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunRef:
    """One run.

    Attributes:
        connection: The connection in rules.yaml.
        dag_id: The DAG.
        dag_run_id: Its run.
    """

    connection: str
    dag_id: str
    dag_run_id: str

    def __str__(self) -> str:
        return f"{self.connection}/{self.dag_id}/{self.dag_run_id}"  # no part of it can hold a slash
