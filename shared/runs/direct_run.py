"""A direct run: a verified caller asks for one run of one DAG by name; no rule of rules.yaml is needed."""

from dataclasses import dataclass, field
from typing import ClassVar

from shared.runs.ids import CALL
from shared.values.json_text import JsonObject


@dataclass(frozen=True, slots=True)
class DirectRun:
    """What a caller asks for.

    Attributes:
        rule: The name in place of a rule's in run ids, counts and dead letters.
        caller: Who asks, as `stamp_of` gives it: with `object_id`, and the `entry` of `callers` that allows
            the run.
        dag_id: The DAG.
        connection: The name of the connection.
        id: The call's key, the caller's own or a new one. As with an event, source and id are the identity.
        time: When it was asked for, RFC 3339.
        conf: The run's conf.
        note: The caller's words about it.
        logical_date: RFC 3339, in UTC.
        run_after: RFC 3339, in UTC.
    """

    rule: ClassVar[str] = CALL
    caller: JsonObject
    dag_id: str
    connection: str
    id: str
    time: str
    conf: JsonObject = field(default_factory=dict)
    note: str | None = None
    logical_date: str | None = None
    run_after: str | None = None

    @property
    def source(self) -> str:
        """The caller, the connection and the DAG: within it the id is unique."""
        return f"/callers/{self.caller.get('object_id')}/connections/{self.connection}/dags/{self.dag_id}"
