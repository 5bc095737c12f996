"""Reads dead letters: this app's own, and the three forms in which Event Grid writes them.

* Event Grid schema: an array of events, each with `deadLetterReason`, `deliveryAttempts`,
  `lastDeliveryOutcome`, `publishTime` and `lastDeliveryAttemptTime` beside its own members.
* CloudEvents: one event with the same as extension attributes in lower case; our own letters add `updraft`.
* Namespaces: `deadletterProperties` beside the event's attributes, or beside an `event` that holds them (also
  where it was published in binary mode).

How an event came is believed of our own letters alone; that of another program's letter comes by `replay`.

A blob is one JSON value, or one in each of its lines, as UTF-8 or UTF-16 with or without a byte order mark.

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
    """One event that was given up, as its letter tells it.

    Attributes:
        subject: The event as it was, without the members that the letter adds; or the body, the direct run or
            the close of a window that was given up.
        code: One word for the reason, as in `BadRequest` or `MaxDeliveryAttemptsExceeded`.
        reason: The reason for a person; empty where the letter has none.
        rule: The rule at which it was given up; empty where none had been chosen yet.
        attempts: How many deliveries there were, where the letter says so.
        first_seen: When the event was published, or first seen by this app.
        at: When it was given up.
        text: The letter as it stands in its blob.
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
        """Return what a delivery of it to the event queue would hold."""
        return self.bodies()[0]

    def bodies(self) -> tuple[str, ...]:
        """Return the texts that a delivery of it may hold: of an event in ASCII, and in shorter UTF-8."""
        subject = self.subject
        if isinstance(subject, Unreadable):
            return (subject.raw,)
        document = subject.to_cloud_event() if isinstance(subject, Event) else members_of(subject)
        return compact_text(document, ascii_only=True), compact_text(document)


@dataclass(frozen=True, slots=True)
class BadLetter:
    """What cannot be read as a dead letter: a whole blob, or one member of it.

    Attributes:
        problem: Why, and which member it is.
        text: It as it stands in its blob.
    """

    problem: str
    text: str = field(repr=False)


def read_letters(text: str | bytes, *, ours: bool) -> list[Letter | BadLetter]:
    """Return the letters that one blob holds: a bad one is set apart, and the others are read.

    Args:
        text: The blob's content.
        ours: Whether this app wrote it. Only then is its member `updraft` believed: in Event Grid's container
            everything beside the dead-letter properties is what a publisher chose to write.
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
    """Return the text of each letter: an array's members, the lines of line-delimited JSON, or all of it."""
    array = split_array(text)
    if array is not None:
        return array
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > 1 and not _is_json(text) and any(_is_json(line) for line in lines):
        return [member for line in lines for member in split_array(line) or [line]]
    return [text]


def _is_json(text: str) -> bool:
    """Tell whether a text is a JSON object or array."""
    try:
        return isinstance(parse_kept(text), dict | list)
    except (EventError, ValueError, RecursionError):
        return False


def _read(text: str, place: str, *, ours: bool) -> Letter | BadLetter:
    try:
        return replace(_letter(_document(text, ours=ours), ours=ours), text=text)
    except EventError as error:
        return BadLetter(f"{place}{error}", text)


def _document(text: str, *, ours: bool) -> Json:
    """Return a letter's JSON.

    One of ours may hold what no event from outside may: a call's conf lies a level deeper than it arrived,
    and Airflow's own words may have half a surrogate pair.
    """
    if ours:
        with suppress(ValueError, RecursionError):  # `parse` says what is wrong with it
            return parse_kept(text)
    return parse(text)


def _letter(document: Json, *, ours: bool) -> Letter:
    if not isinstance(document, dict):
        raise EventError("a dead letter is a JSON object, or an array of them")
    members = lower_names(document)
    properties = members.get(_PROPERTIES)
    if isinstance(properties, dict):
        told = lower_names(properties)
        inner = document.get("event")
        event = _event(inner if isinstance(inner, dict) else _without_additions(document), "replay")
        return _told(Letter(event, ""), told, outcome="deliveryresult", tried="deliveryattemptutc")
    if "deadletterreason" not in members:
        raise EventError("this is no dead letter: it has neither a deadletterreason nor deadletterProperties")
    own = members.get(_OURS) if ours else None
    if not isinstance(own, dict):
        return _told(Letter(_event(_without_additions(document, {_OURS}), "replay"), ""), members)
    if own.get("format") != FORMAT:
        raise EventError(
            f"this dead letter has the format {str(own.get('format'))[:20]}, and this version reads {FORMAT}:"
            " use the version of updraft that is deployed"
        )
    rule = str(own.get("rule") or "")
    if own.get("kind") != "event":
        work = read_work(document | {"kind": own.get("kind")})
        if isinstance(work, UnverifiedHook):
            raise EventError("a hook that is not verified has no dead letter")
        return _told(Letter(subject_of(work), "", rule=rule), members)
    hidden, arrived, via = own.get("extensions"), own.get("arrived"), own.get("via")
    event = replace(
        _event(
            _without_additions(document) | (hidden if isinstance(hidden, dict) else {}),
            via if is_via(via) else "replay",
        ),
        schema=str(own.get("schema")),
        arrived=str(arrived) if _time(arrived) is not None else None,
    )
    return _told(Letter(event, "", rule=rule), members)


def _told(
    letter: Letter,
    told: Mapping[str, Json],
    *,
    outcome: str = "lastdeliveryoutcome",
    tried: str = "lastdeliveryattempttime",
) -> Letter:
    attempts = told.get("deliveryattempts")
    return replace(
        letter,
        code=str(told.get("deadletterreason") or "-"),
        reason=str(told.get(outcome) or ""),
        attempts=attempts if isinstance(attempts, int) else None,
        first_seen=_time(told.get("publishtime") or told.get("publishutc")),
        at=_time(told.get(tried)),
    )


def _without_additions(document: JsonObject, kept: Collection[str] = ()) -> JsonObject:
    added = LETTER_MEMBERS.difference(kept)
    return {name: value for name, value in document.items() if name.lower() not in added}


def _event(document: JsonObject, via: Via) -> Event:
    if is_cloud_event(document):
        return read_cloud_event(document, via)
    if is_event_grid(document):
        return read_event_grid(document, via)
    raise EventError("the event in this dead letter is in neither Event Grid's schema nor CloudEvents")


def _time(value: Json) -> datetime | None:
    try:
        return parse_time(str(value), without_offset_is_utc=True)
    except UnusableValue:
        return None
