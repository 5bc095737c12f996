"""`POST events`: a verified caller sends CloudEvents. `OPTIONS` answers Event Grid's webhook handshake.

The order is fixed: token -> permission to send -> form -> permission for each event -> rate -> events. So the
body of a caller without permission is not read. All events of a request are accepted, or none. A refused
request uses one call of the caller's rate.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from shared.callers import check_may_send, event_entry, stamp_of
from shared.event import Event, Unreadable, read_events
from shared.event.caller_stamp import stamped
from shared.event.cloud_events import is_binary_mode
from shared.http_api.callers import Callers
from shared.http_api.refusals import answered
from shared.http_api.run_reply import run_reply
from shared.values.path_prefixes import has_dot_segments
from shared.web import CallRefused, Reply, Request, read_body

if TYPE_CHECKING:
    from shared.delivery.intake import Intake
    from shared.values.json_text import Json

EVENTS_LIMIT: Final = 1_048_576
"""Bytes of a request: Event Grid's own limit."""
MOST_EVENTS: Final = 100
EVENT_TYPES: Final = frozenset(
    {"application/cloudevents+json", "application/cloudevents-batch+json", "application/json"}
)

_LONGEST: Final = {"id": 1_024, "source": 1_024, "type": 1_024, "subject": 2_048}
"""The longest attributes, in characters; a subject may have a blob's name of 1,024."""
_UNREADABLE_SHOWN: Final = 5
_EVENT_GRID: Final = frozenset({"eventgrid.azure.net", "eventgrid.azure.us", "eventgrid.azure.cn"})


class EventsEndpoint:
    """Receives events of verified callers; safe to use from any thread.

    Args:
        callers: Checks token and rate.
        intake: Handles the events.
    """

    def __init__(self, callers: Callers, *, intake: "Intake") -> None:
        self._callers = callers
        self._intake = intake

    @answered
    def publish(self, request: Request) -> Reply:
        """Receive CloudEvents in structured, batch or binary mode: all of them, or none.

        Raises:
            CallRefused: No event is accepted.
            ConfigurationError: Callers or the rules are not configured.
            StorageUnavailable: At least one event could be neither delivered nor parked; send all again.
        """
        with self._callers.admitted(request) as caller:
            identity = caller.identity
            check_may_send(caller.entries, identity)
            binary = is_binary_mode(request.headers)
            types = frozenset({request.media_type}) if binary else EVENT_TYPES
            body = read_body(request, limit=EVENTS_LIMIT, media_types=types)
            events = _readable(read_events(body, headers=request.headers, via="events"))
            entries = [
                event_entry(caller.entries, identity, event_type=event.type, source=event.source)
                for event in events
            ]
            names = {entry.name: entry for entry in entries}
            for name, count in Counter(entry.name for entry in entries).items():
                self._callers.rates.spend(names[name], identity, count)
        results = self._intake.receive_events(
            [stamped(event, stamp_of(entry, identity)) for event, entry in zip(events, entries, strict=True)]
        )
        taken: list[Json] = [
            {
                "id": event.id,
                "source": event.source,
                "runs": [run_reply(each, caller.rules) for each in outcomes if each.rule],
                **({"notes": [*event.notes]} if event.notes else {}),
            }
            for event, outcomes in zip(events, results, strict=True)
        ]
        return Reply(202, {"events": taken})

    @answered
    def handshake(self, request: Request) -> Reply:
        """Answer Event Grid's handshake (CloudEvents webhook 1.0 section 4).

        The handshake gives no permission: each delivery needs a token of an identity in `callers`.
        """
        origin = request.headers.get("webhook-request-origin", "").strip().lower()
        if origin not in _EVENT_GRID:
            raise CallRefused(403, "unknown_origin", "only Event Grid may ask for deliveries here")
        allowed = next(known for known in _EVENT_GRID if known == origin)
        return Reply(200, {}, {"WebHook-Allowed-Origin": allowed, "WebHook-Allowed-Rate": "*"})


def _readable(members: Sequence[Event | Unreadable]) -> list[Event]:
    if not members:
        raise CallRefused(400, "bad_body", "the body has no events; send at least one")
    if len(members) > MOST_EVENTS:
        raise CallRefused(413, "too_many_events", f"send at most {MOST_EVENTS} events at once")
    bad = [member.error for member in members if isinstance(member, Unreadable)]
    if bad:
        raise CallRefused(400, "bad_event", "; ".join(bad[:_UNREADABLE_SHOWN]))
    events = [member for member in members if isinstance(member, Event)]
    if any(event.schema != "cloudevents" for event in events):
        raise CallRefused(400, "bad_event", "send CloudEvents 1.0; send other schemas through Event Grid")
    for event in events:
        _check_attributes(event)
    return events


def _check_attributes(event: Event) -> None:
    """Refuse attributes that no genuine event has, before the patterns of the caller's entry are applied."""
    for name, longest in _LONGEST.items():
        value = getattr(event, name) or ""
        if len(value) > longest:
            raise CallRefused(
                400, "bad_event", f"{name} has {len(value):,} characters; send at most {longest:,}"
            )
    if has_dot_segments(event.source):
        raise CallRefused(400, "bad_event", "source has a segment `.` or `..`; send the path without it")
