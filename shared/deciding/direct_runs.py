"""A call: a verified caller asks for one run of one DAG by name, and no rule of rules.yaml is needed.

The call becomes an event that holds all that was asked for, and what it would start is computed from that
event and rules.yaml alone. So a call that has to wait is parked like any other event, and comes back under
the name `call` in place of a rule's. Whether its caller may still ask for it is not decided here, but when it
is delivered (`shared/delivery/rights.py`).
"""

import uuid
from dataclasses import dataclass, field
from typing import Final

from shared.event.caller_stamp import caller_of, stamped
from shared.event.model import Event
from shared.rules import Rules
from shared.rules.model.rule import CALL
from shared.runs.ids import run_id_for_event
from shared.runs.provenance import RESERVED, provenance
from shared.runs.request import CallbackTerms, RunRequest
from shared.values.json_text import JsonObject
from shared.values.markdown_text import marked, note_text
from shared.values.times import now_text
from shared.values.wording import MAX_SHOWN

RUN_REQUESTED: Final = "Updraft.RunRequested"
"""The type of the event that a call becomes."""
DEFAULT_LIFETIME: Final = 86_400
"""Seconds for which the token of a called run is good."""


class DirectRunWithdrawn(Exception):
    """The entry that allowed the call is no longer in rules.yaml, or the event is not a call."""


@dataclass(frozen=True, slots=True)
class DirectRun:
    """What a caller asks for.

    Attributes:
        caller: Who asks, as `stamp_of` gives it: with `object_id`, and the `entry` of `callers` that allows
            the call.
        dag_id: The DAG.
        connection: The name of the connection.
        key: The caller's own name for this call: the same key means the same run; empty for a new one.
        conf: The run's conf.
        note: The caller's words about it.
        logical_date: RFC 3339, in UTC.
        run_after: RFC 3339, in UTC.
    """

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
            time=now_text(),
            data={name: value for name, value in data.items() if value is not None},
            datacontenttype="application/json",
            via="call",
        )
        return stamped(event, self.caller)

    @staticmethod
    def of(event: Event) -> "DirectRun | None":
        """Return the call that an event was made of; None where it was not made of one."""
        caller, data = caller_of(event), event.data
        if event.type != RUN_REQUESTED or not isinstance(caller, dict) or not isinstance(data, dict):
            return None
        conf = data.get("conf")
        return DirectRun(
            caller=caller,
            dag_id=_text(data, "dag"),
            connection=_text(data, "connection"),
            key=event.id,
            conf=conf if isinstance(conf, dict) else {},
            note=_text(data, "note") or None,
            logical_date=_text(data, "logical_date") or None,
            run_after=_text(data, "run_after") or None,
        )


def request_of(event: Event, rules: Rules) -> RunRequest:
    """Return what a call's event asks of Airflow.

    Raises:
        DirectRunWithdrawn: The entry that allowed it is no longer there, or the event is not a call.
    """
    call = DirectRun.of(event)
    if call is None:
        raise DirectRunWithdrawn("the event is not a call")
    name = call.caller.get("entry")
    entry = next((each for each in rules.callers if each.name == name), None)
    if entry is None:
        raise DirectRunWithdrawn(f"there is no entry `{name}` under `callers`, which allowed this call")
    return RunRequest(
        rule=CALL,
        connection=call.connection,
        dag_id=call.dag_id,
        dag_run_id=run_id_for_event(CALL, event.source, event.id),
        conf={**call.conf, RESERVED: provenance(CALL, event, None)},
        note=_note(call, entry.name),
        logical_date=call.logical_date,
        run_after=call.run_after,
        callback=CallbackTerms(DEFAULT_LIFETIME) if entry.track == "callback" else None,
    )


def _note(call: DirectRun, entry: str) -> str:
    """Say why the run exists, for whoever finds it in Airflow's UI."""
    who = marked(str(call.caller.get("object_id")))
    key = marked(call.key, MAX_SHOWN)
    note = f"Asked for by the caller `{entry}` of Updraft, object id {who}, with the key `{key}`."
    if call.note:
        note = f"{note} In its words: {marked(call.note)}"
    return note_text(note)


def _text(data: JsonObject, name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""
