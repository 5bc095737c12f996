"""A call: a verified caller asks for one run of one DAG by name, and no rule of rules.yaml is needed.

The call becomes an event that holds all that was asked for, and what it would start is computed from that
event and rules.yaml alone. So a call that has to wait is parked like any other event, and comes back under
the name `call` in place of a rule's. A right that is taken away in the meantime is gone for it too.
"""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from shared.event.caller_stamp import caller_of, stamped
from shared.event.model import Event
from shared.rules import Rules
from shared.rules.model.rule import CALL
from shared.rules.wildcards import matches_any
from shared.runs.ids import run_id_for_event
from shared.runs.provenance import provenance
from shared.runs.request import CallbackTerms, RunRequest
from shared.values.json_text import Json, JsonObject
from shared.values.storable import clean_text

RUN_REQUESTED: Final = "Updraft.RunRequested"
"""The type of the event that a call becomes."""
DEFAULT_LIFETIME: Final = 86_400
"""Seconds for which the token of a called run is good."""

_NOTE_KEPT: Final = 1_000


class DirectRunWithdrawn(Exception):  # noqa: N818 - it names a state
    """What allowed the call is no longer in rules.yaml."""


@dataclass(frozen=True, slots=True)
class DirectRun:
    """What a caller asks for.

    Attributes:
        entry: The name of the entry of `callers` that allows it.
        caller: Who asks, for the run's conf; with `object_id`.
        dag_id: The DAG.
        connection: The name of the connection.
        key: The caller's own name for this call: the same key means the same run; empty for a new one.
        conf: The run's conf.
        note: The caller's words about it.
        logical_date: RFC 3339, in UTC.
        run_after: RFC 3339, in UTC.
    """

    entry: str
    caller: JsonObject
    dag_id: str
    connection: str
    key: str = ""
    conf: JsonObject = field(default_factory=dict)
    note: str | None = None
    logical_date: str | None = None
    run_after: str | None = None

    def to_event(self) -> Event:
        """Return the event that the call becomes; its identity is the caller, the DAG and the key."""
        data: JsonObject = {
            "entry": self.entry,
            "connection": self.connection,
            "dag": self.dag_id,
            "conf": self.conf,
            "note": self.note,
            "logical_date": self.logical_date,
            "run_after": self.run_after,
        }
        event = Event(
            id=self.key or str(uuid.uuid4()),
            source=f"/callers/{self.caller['object_id']}/connections/{self.connection}/dags/{self.dag_id}",
            type=RUN_REQUESTED,
            subject=f"/dags/{self.dag_id}",
            time=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            data={name: value for name, value in data.items() if value is not None},
            datacontenttype="application/json",
            via="call",
        )
        return stamped(event, {"entry": self.entry, **self.caller})


def request_of(event: Event, rules: Rules) -> RunRequest:
    """Return what a call's event asks of Airflow, as rules.yaml allows it now.

    Raises:
        DirectRunWithdrawn: rules.yaml no longer allows it, or the event is no call.
    """
    data = event.data if isinstance(event.data, dict) else {}
    name, dag_id, connection = _text(data, "entry"), _text(data, "dag"), _text(data, "connection")
    entry = next((each for each in rules.callers if each.name == name), None)
    if entry is None:
        raise DirectRunWithdrawn(f"there is no entry `{name}` under `callers`, which allowed this call")
    if connection != entry.connection or not matches_any(entry.dags, dag_id):
        raise DirectRunWithdrawn(f"the entry `{name}` of `callers` no longer allows the DAG {dag_id}")
    conf = data.get("conf")
    return RunRequest(
        rule=CALL,
        connection=connection,
        dag_id=dag_id,
        dag_run_id=run_id_for_event(CALL, event.source, event.id),
        conf={**(conf if isinstance(conf, dict) else {}), "_updraft": provenance(CALL, event, None)},
        note=_note(event, name, data.get("note")),
        logical_date=_text(data, "logical_date") or None,
        run_after=_text(data, "run_after") or None,
        callback=CallbackTerms(DEFAULT_LIFETIME) if entry.track == "callback" else None,
    )


def _note(event: Event, entry: str, words: Json) -> str:
    """Say why the run exists, for whoever finds it in Airflow's UI."""
    caller = caller_of(event)
    who = caller.get("object_id") if isinstance(caller, dict) else None
    note = f"Asked for by the caller `{entry}` of Updraft, object id {who}, with the key {event.id[:200]}."
    if isinstance(words, str) and words:
        note = f"{note} In its words: {words}"
    return clean_text(note)[:_NOTE_KEPT]


def _text(data: JsonObject, name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""
