"""What stands in a run's conf under `_updraft`: enough to find the event, the rule and the caller again."""

from typing import TYPE_CHECKING, Final

from shared.event.caller_stamp import caller_of
from shared.event.model import Event
from shared.values.json_text import Json, JsonObject
from shared.values.storable import clean_text

if TYPE_CHECKING:
    from shared.runs.request import RunRequest

RESERVED: Final = "_updraft"
"""The key of a run's conf under which the event's identity is kept."""


def provenance(rule: str, event: Event, key: str | None) -> JsonObject:
    """Return the identity of the run that a rule starts for an event.

    Args:
        rule: The rule's name.
        event: The event.
        key: The rendered `dedupe_by`; None where the event's source and id are the identity.
    """
    attributes = {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": event.time,
        "subject": event.subject,
    }
    known: dict[str, Json] = {
        name: clean_text(value) for name, value in attributes.items() if value is not None
    }
    caller = caller_of(event)
    asked: JsonObject = {} if caller is None else {"caller": caller}
    return {"rule": rule, "event": known, "key": key, **asked}


def is_ours(conf: "Json", request: "RunRequest") -> bool:
    """Tell whether a run with this conf was started for the request, by the identity that the conf keeps.

    Where the rule has a dedupe key, it is the identity; otherwise the event's source and id are.
    """
    there = conf.get(RESERVED) if isinstance(conf, dict) else None
    here = request.conf.get(RESERVED)
    return _compared(there) == _compared(here)


def _compared(kept: "Json") -> tuple["Json", ...]:
    if not isinstance(kept, dict):
        return (None,)
    if (key := kept.get("key")) is not None:
        return (kept.get("rule"), key)
    event = kept.get("event")
    if not isinstance(event, dict):
        return (kept.get("rule"), None, None)
    return (kept.get("rule"), event.get("source"), event.get("id"))
