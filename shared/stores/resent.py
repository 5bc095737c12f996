"""Replayed dead letters without a rule: they go to all rules.

They are sent to the queue of parked deliveries, and not to `updraft-events`, because an event from there has
the `via` `queue`. An unreadable body is read again with its own `via`.
"""

from typing import Final

from shared.event import Event, Unreadable, read_events
from shared.event.caller_stamp import strip_caller
from shared.event.queue_bodies import read_queue_body
from shared.event.via import HOOK_VIAS

_KINDS: Final = {via: kind for kind, via in HOOK_VIAS.items()}


def members_again(subject: Event | Unreadable) -> list[Event | Unreadable]:
    """Return the events of a replayed dead letter.

    Only this app's dead letters are trusted about the caller.
    """
    if isinstance(subject, Event):
        return [strip_caller(subject) if subject.via == "replay" else subject]
    kind = _KINDS.get(subject.via)
    if kind is not None:
        members = read_events(subject.raw, kind=kind, via=subject.via)
    else:
        members = read_queue_body(subject.raw, subject.via)
    return [member if isinstance(member, Unreadable) else strip_caller(member) for member in members]
