"""What was given up before any rule had it, and is sent again: parked for no rule, for all of them.

It goes through the app's own queue of parked deliveries, and not through `updraft-events`: what comes from
there came by `queue`, whoever sent it. A body that could not be read is read again as what it came as.
"""

from typing import Final

from shared.event import Event, Unreadable, read_events
from shared.event.caller_stamp import strip_caller
from shared.event.queue_bodies import read_queue_body
from shared.event.via import HOOK_VIAS

_KINDS: Final = {via: kind for kind, via in HOOK_VIAS.items()}


def members_again(subject: Event | Unreadable) -> list[Event | Unreadable]:
    """Return the events of what is sent again to all rules.

    Who called is believed only of this app's own letters: an event of another program's letter came from
    anybody.
    """
    if isinstance(subject, Event):
        return [strip_caller(subject) if subject.via == "replay" else subject]
    kind = _KINDS.get(subject.via)
    if kind is not None:
        members = read_events(subject.raw, kind=kind, via=subject.via)
    else:
        members = read_queue_body(subject.raw, subject.via)
    return [member if isinstance(member, Unreadable) else strip_caller(member) for member in members]
