"""Reads dead letters of this app, and the three forms of Event Grid.

* Event Grid schema: an array of events with the additional members `deadLetterReason`, `deliveryAttempts`,
  `lastDeliveryOutcome`, `publishTime` and `lastDeliveryAttemptTime`.
* CloudEvents: one event with the same as extension attributes in lower case. This app adds `updraft`.
* Namespaces: `deadletterProperties` beside the event's attributes, or beside the member `event` that has them
  (also if the event was published in binary mode).

Only this app's dead letters are trusted about `via`; an event of Event Grid's has `replay`.

A blob has one JSON value, or one in each line, as UTF-8 or UTF-16 with or without a byte order mark.

Sources: https://learn.microsoft.com/azure/event-grid/manage-event-delivery and
https://learn.microsoft.com/azure/event-grid/dead-letter-event-subscriptions-namespace-topics.
"""

import codecs
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from shared.errors import EventError, UnusableValue
from shared.event import Event, Unreadable, read_cloud_event
from shared.event.cloud_events import is_cloud_event
from shared.event.event_grid import is_event_grid, read_event_grid
from shared.event.members import lower_names
from shared.event.via import Via, is_via
from shared.stores.dead_letters import FORMAT, LETTER_MEMBERS
from shared.stores.work_forms import members_of, read_work
from shared.stores.work_items import Subject, UnverifiedHook, subject_of
from shared.values.json_text import Json, JsonObject, compact_text, parse, parse_kept, split_array
from shared.values.times import parse_time

_OURS: Final = "updraft"
_PROPERTIES: Final = "deadletterproperties"


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter.

    Attributes:
        subject: The event, without the members that a dead letter adds; or the body, the direct run or the
            close of a window.
        code: The code of the reason, as in `BadRequest` or `MaxDeliveryAttemptsExceeded`.
        reason: The reason, in words; may be empty.
        rule: The rule; may be empty.
        attempts: The number of deliveries; None if it is not known.
        first_seen: When the event was published, or when this app first received it.
        at: When the dead letter was written.
        text: The text in the blob.
    """

    subject: Subject
    code: str
    reason: str = ""
    rule: str = ""
    attempts: int | None = None
    first_seen: datetime | None = None
    at: datetime | None = None
    text: str = field(default="", compare=False, repr=False)

    def body(self) -> str:
        """Return the body with which the event would be delivered to the event queue."""
        return self.bodies()[0]

    def bodies(self) -> tuple[str, ...]:
        """Return the possible bodies: of an event as ASCII, and as shorter UTF-8."""
        subject = self.subject
        if isinstance(subject, Unreadable):
            return (subject.raw,)
        document = subject.to_cloud_event() if isinstance(subject, Event) else members_of(subject)
        return compact_text(document, ascii_only=True), compact_text(document)


@dataclass(frozen=True, slots=True)
class BadLetter:
    """A blob, or a member of one, that cannot be read as a dead letter.

    Attributes:
        problem: Which member it is, and what is wrong.
        text: The text in the blob.
    """

    problem: str
    text: str = field(repr=False)


def read_letters(text: str | bytes, *, ours: bool) -> list[Letter | BadLetter]:
    """Return the dead letters of one blob; a bad one does not affect the others.

    Args:
        text: The blob's content.
        ours: Whether this app wrote it. Only then the member `updraft` is trusted: in Event Grid's container
            the publisher decides all members except the dead-letter properties.
    """
    members = _members(_text(text))
    many = f" of {len(members)}: "
    return [
        _read(member, f"member {number}{many}" if len(members) > 1 else "", ours=ours)
        for number, member in enumerate(members, 1)
    ]


def _text(text: str | bytes) -> str:
    if isinstance(text, bytes):
        utf16 = text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = text.decode("utf-16" if utf16 else "utf-8-sig", errors="replace")
    return text.removeprefix("\ufeff")


def _members(text: str) -> list[str]:
    """Return the text of each dead letter: the members of an array, the lines, or the whole text."""
    array = split_array(text)
    if array is not None:
        return array
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > 1 and not _is_json(text) and any(_is_json(line) for line in lines):
        return [member for line in lines for member in split_array(line) or [line]]
    return [text]


def _is_json(text: str) -> bool:
    """Return whether a text is a JSON object or array."""
    try:
        return isinstance(parse_kept(text), dict | list)
    except (EventError, ValueError, RecursionError):
        return False


def _read(text: str, prefix: str, *, ours: bool) -> Letter | BadLetter:
    try:
        return replace(_letter(_document(text, ours=ours), ours=ours), text=text)
    except EventError as error:
        return BadLetter(f"{prefix}{error}", text)


def _document(text: str, *, ours: bool) -> Json:
    """Return the JSON of a dead letter.

    A dead letter of this app may exceed the limits for events: the conf of a direct run is one level deeper,
    and Airflow's text may have half of a surrogate pair.
    """
    if ours:
        with suppress(ValueError, RecursionError):  # `parse` raises the error with the cause
            return parse_kept(text)
    return parse(text)


def _letter(document: Json, *, ours: bool) -> Letter:
    if not isinstance(document, dict):
        raise EventError("a dead letter is a JSON object, or an array of them")
    members = lower_names(document)
    properties = members.get(_PROPERTIES)
    if isinstance(properties, dict):
        added = lower_names(properties)
        inner = document.get("event")
        event = _event(inner if isinstance(inner, dict) else _without_additions(document), "replay")
        return _with_delivery(Letter(event, ""), added, outcome="deliveryresult", tried="deliveryattemptutc")
    if "deadletterreason" not in members:
        raise EventError("this is not a dead letter: it has no deadletterreason and no deadletterProperties")
    own = members.get(_OURS) if ours else None
    if not isinstance(own, dict):
        return _with_delivery(Letter(_event(_without_additions(document, {_OURS}), "replay"), ""), members)
    if own.get("format") != FORMAT:
        raise EventError(
            f"this dead letter has the format {str(own.get('format'))[:20]}, and this version reads {FORMAT}:"
            " use the version of updraft that is deployed"
        )
    rule = str(own.get("rule") or "")
    if own.get("kind") != "event":
        work = read_work(document | {"kind": own.get("kind")})
        if isinstance(work, UnverifiedHook):
            raise EventError("an unverified webhook delivery has no dead letter")
        return _with_delivery(Letter(subject_of(work), "", rule=rule), members)
    hidden, arrived, via = own.get("extensions"), own.get("arrived"), own.get("via")
    event = replace(
        _event(
            _without_additions(document) | (hidden if isinstance(hidden, dict) else {}),
            via if is_via(via) else "replay",
        ),
        schema=str(own.get("schema")),
        arrived=str(arrived) if _time(arrived) is not None else None,
    )
    return _with_delivery(Letter(event, "", rule=rule), members)


def _with_delivery(
    letter: Letter,
    added: Mapping[str, Json],
    *,
    outcome: str = "lastdeliveryoutcome",
    tried: str = "lastdeliveryattempttime",
) -> Letter:
    """Return a dead letter with the facts about its delivery."""
    attempts = added.get("deliveryattempts")
    return replace(
        letter,
        code=str(added.get("deadletterreason") or "-"),
        reason=str(added.get(outcome) or ""),
        attempts=attempts if isinstance(attempts, int) else None,
        first_seen=_time(added.get("publishtime") or added.get("publishutc")),
        at=_time(added.get(tried)),
    )


def _without_additions(document: JsonObject, kept: Collection[str] = ()) -> JsonObject:
    added = LETTER_MEMBERS.difference(kept)
    return {name: value for name, value in document.items() if name.lower() not in added}


def _event(document: JsonObject, via: Via) -> Event:
    if is_cloud_event(document):
        return read_cloud_event(document, via)
    if is_event_grid(document):
        return read_event_grid(document, via)
    raise EventError("the event in this dead letter is neither in Event Grid's schema nor a CloudEvent")


def _time(value: Json) -> datetime | None:
    try:
        return parse_time(str(value), without_offset_is_utc=True)
    except UnusableValue:
        return None
