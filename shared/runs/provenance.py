"""`_updraft` in a run's conf: it identifies the event, the rule and the caller."""

from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from shared.event.arrival import time_in_order
from shared.event.caller_stamp import caller_of
from shared.event.model import Event
from shared.runs.direct_run import DirectRun
from shared.values.json_text import Json, JsonObject
from shared.values.storable import clean_text

if TYPE_CHECKING:
    from shared.runs.request import RunRequest

RESERVED: Final = "_updraft"
"""The key of a run's conf under which the event's identity is kept."""
RUN_REQUESTED: Final = "Updraft.RunRequested"
"""The `type` in the provenance of a direct run, which has no event."""


def provenance(rule: str, event: Event, key: str | None) -> JsonObject:
    """Return the identity of the run that a rule starts for an event, and the event's channel.

    `time` is the time by which events are ordered, because `latest_by` reads it for other events' runs.
    `stated_time` is the event's own time, if the two differ.

    Args:
        rule: The rule's name.
        event: The event.
        key: The rendered `dedupe_by`; None if the event's source and id are the identity.
    """
    attributes = {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": time_in_order(event),
        "stated_time": event.time if event.arrived is not None else None,
        "subject": event.subject,
    }
    known: dict[str, Json] = {
        name: clean_text(value) for name, value in attributes.items() if value is not None
    }
    caller = caller_of(event)
    asked: JsonObject = {} if caller is None else {"caller": caller}
    came: JsonObject = {} if event.via == "unknown" else {"via": event.via}
    return {"rule": rule, "event": known, "key": key, **came, **asked}


def provenance_of_direct_run(run: DirectRun) -> JsonObject:
    """Return the identity of a run that a caller asks for by the DAG's name, in the form of an event's."""
    attributes = {
        "id": run.id,
        "source": run.source,
        "type": RUN_REQUESTED,
        "time": run.time,
        "subject": f"/dags/{run.dag_id}",
    }
    return {
        "rule": run.rule,
        "event": {name: clean_text(value) for name, value in attributes.items()},
        "key": None,
        "via": "call",
        "caller": dict(sorted(run.caller.items())),
    }


def is_ours(conf: "Json", request: "RunRequest") -> bool:
    """Return whether a run with our run id was started for the request, by the identity in its conf.

    The identity is the rule's dedupe key, or otherwise the event's source and id. The run id ends in a 96-bit
    hash of that identity. So a run with our id is ours, unless its conf has another identity; a conf that is
    null, text, masked (`***`) or without an identity has none
    (`docs/decisions/0006-a-run-id-is-its-own-proof.md`).
    """
    there = conf.get(RESERVED) if isinstance(conf, dict) else None
    if not isinstance(there, dict):
        return True
    pairs = zip_longest(_compared(there), _compared(request.conf.get(RESERVED)))
    return not any(_is_readable(one) and _is_readable(two) and one != two for one, two in pairs)


def _is_readable(value: "Json") -> bool:
    """Return whether a part of an identity has a value; Airflow and proxies mask values with asterisks."""
    return isinstance(value, str) and value.strip("*") != ""


def _compared(kept: "Json") -> tuple["Json", ...]:
    if not isinstance(kept, dict):
        return (None,)
    if (key := kept.get("key")) is not None:
        return (kept.get("rule"), key)
    event = kept.get("event")
    if not isinstance(event, dict):
        return (kept.get("rule"), None, None)
    return (kept.get("rule"), event.get("source"), event.get("id"))
