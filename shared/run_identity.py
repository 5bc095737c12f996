"""What stands in a run's conf under `_updraft`: enough to find the event, the rule and the caller again."""

from shared.caller_stamp import caller_of
from shared.event.model import Event
from shared.json_types import Json, JsonObject
from shared.templates import clean_text


def run_identity(rule: str, event: Event, key: str | None) -> JsonObject:
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
