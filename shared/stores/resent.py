"""What was given up before any rule had it, and is sent again: parked for no rule, for all of them.

It goes through the app's own queue of parked deliveries, and not through `updraft-events`: what comes from
there came by `queue`, whoever sent it. A body that could not be read is carried by an event of this app, and
is read again as what it came as.
"""

from typing import Final

from shared.event import Event, Unreadable, read_events
from shared.event.caller_stamp import strip_caller
from shared.event.queue_bodies import read_queue_body
from shared.event.via import HOOK_VIAS
from shared.values.hashes import text_hash

_TYPE: Final = "Updraft.Unreadable"
_SOURCE: Final = "updraft:unreadable"
_KINDS: Final = {via: kind for kind, via in HOOK_VIAS.items()}


def carried(subject: Event | Unreadable) -> Event:
    """Return the event that is parked for a letter's subject; `opened` is the inverse."""
    if isinstance(subject, Event):
        return subject
    return Event(id=text_hash(subject.raw), source=_SOURCE, type=_TYPE, data=subject.raw, via=subject.via)


def opened(event: Event) -> list[Event | Unreadable]:
    """Return what an event that is parked for no rule stands for.

    Who called is believed only of this app's own letters: an event of another program's letter came from
    anybody.
    """
    if (event.type, event.source) != (_TYPE, _SOURCE) or not isinstance(event.data, str):
        return [strip_caller(event) if event.via == "replay" else event]
    kind = _KINDS.get(event.via)
    if kind is not None:
        members = read_events(event.data, kind=kind, via=event.via)
    else:
        members = read_queue_body(event.data, event.via)
    return [member if isinstance(member, Unreadable) else strip_caller(member) for member in members]
