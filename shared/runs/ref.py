"""The name of one run, for run tokens, outcomes and blobs."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RunRef:
    """One run.

    Attributes:
        connection: The connection in rules.yaml.
        dag_id: The DAG.
        dag_run_id: Its run.
        event_id: The id of the event that it was started for, where that is known; for the log.
    """

    connection: str
    dag_id: str
    dag_run_id: str
    event_id: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.connection}/{self.dag_id}/{self.dag_run_id}"  # no part can hold a slash
