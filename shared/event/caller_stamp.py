"""Stores the caller with an event: parked, in a dead letter, and in the run's conf.

The stamp is a CloudEvents extension attribute that only this app writes. It is removed from every event that
arrives, and added if a verified caller sent the event.
"""

import json
from dataclasses import replace
from typing import Final

from shared.event.model import Event
from shared.values.json_text import Json, JsonObject

ATTRIBUTE: Final = "updraftcaller"


def stamped(event: Event, caller: JsonObject) -> Event:
    """Return the event with its caller's identity; an identity that it came with is replaced.

    Args:
        event: The event.
        caller: The caller's identity; nothing secret.
    """
    text = json.dumps(caller, separators=(",", ":"), sort_keys=True)
    return replace(event, extensions={**event.extensions, ATTRIBUTE: text})


def strip_caller(event: Event) -> Event:
    """Return the event without a caller's identity, because any sender could have written one."""
    if ATTRIBUTE not in event.extensions:
        return event
    return replace(
        event, extensions={name: value for name, value in event.extensions.items() if name != ATTRIBUTE}
    )


def caller_of(event: Event) -> Json:
    """Return the event's caller; None if it has no verified caller."""
    text = event.extensions.get(ATTRIBUTE)
    if not isinstance(text, str):
        return None
    try:
        caller: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return caller
