"""Who asked for an event, kept with it on its whole way: parked, in a dead letter, in the run's conf.

The stamp is a CloudEvents extension attribute that only this app writes: it is taken off every event that
arrives, whatever wrote it there, and put on when a verified caller sent the event.
"""

import json
from dataclasses import replace
from typing import Final

from shared.event.model import Event
from shared.values.json_text import Json, JsonObject

ATTRIBUTE: Final = "updraftcaller"


def stamped(event: Event, caller: JsonObject) -> Event:
    """Return the event with its caller's identity, in place of any that it came with.

    Args:
        event: The event.
        caller: What identifies the caller; nothing secret.
    """
    text = json.dumps(caller, separators=(",", ":"), sort_keys=True)
    return replace(event, extensions={**event.extensions, ATTRIBUTE: text})


def strip_caller(event: Event) -> Event:
    """Return the event without a caller's identity: whoever sent it could have written one."""
    if ATTRIBUTE not in event.extensions:
        return event
    return replace(
        event, extensions={name: value for name, value in event.extensions.items() if name != ATTRIBUTE}
    )


def caller_of(event: Event) -> Json:
    """Return who asked for the event; None where nobody in particular did."""
    text = event.extensions.get(ATTRIBUTE)
    if not isinstance(text, str):
        return None
    try:
        caller: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return caller
