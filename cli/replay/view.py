"""Shows dead letters: their list and counts, and one dead letter with its event."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cli.output import plural, printable
from shared.codes import CODES, HELP
from shared.event import Event
from shared.runs.direct_run import DirectRun
from shared.stores.work_items import WindowClose, source_of, type_of

if TYPE_CHECKING:
    from cli.replay.container import Kept
    from shared.stores.dead_letter_reader import Letter
    from shared.stores.work_items import Subject
    from shared.values.json_text import JsonObject

ANY_RULE: Final = "(any rule)"
"""The word for the rule of an event that was given up before a rule got it."""
NO_ID: Final = "(no id)"
"""The word for the id of a body that is not an event."""
_REASON_SHOWN: Final = 200


def overview(blobs: Iterable["Kept"], container: str, *, thing: str = "dead letter") -> Iterator[str]:
    """Yield the counts of the dead letters, and a line for each."""
    rows: list[tuple[str, str, str, str, str, str]] = []
    replays: dict[str, str] = {}
    for kept in blobs:
        if kept.replays:
            replays[kept.name] = sent_again(kept)
        rows += [
            (
                _moment(letter.at),
                letter.rule or ANY_RULE,
                letter.code,
                letter.subject.id or NO_ID,
                kept.name,
                letter.reason,
            )
            for letter in kept.letters
        ]
    yield f"{plural(len(rows), thing)} in {container}"
    for title, keys in (
        ("rule", [row[1] for row in rows]),
        ("reason", [row[2] for row in rows]),
        ("day", [row[0][:10] for row in rows]),
    ):
        if keys:
            counted = ", ".join(f"{key} {count}" for key, count in sorted(Counter(keys).items()))
            yield f"  by {title}: {counted}"
    if explained := sorted(CODES.intersection(row[2] for row in rows)):
        yield f"  see {', '.join(HELP + code for code in explained)}"
    for *columns, reason in sorted(rows):
        yield "  ".join(columns)
        if reason:
            yield f"    {reason[:_REASON_SHOWN]}"
        if columns[-1] in replays:
            yield f"    {replays[columns[-1]]}"


def sent_again(kept: "Kept") -> str:
    """Return the times at which a blob was sent again, and how much of it."""
    part = "" if kept.done else f" in part ({plural(len(kept.sent), 'dead letter')})"
    return f"sent again{part}: {', '.join(map(_moment, kept.replays))}"


def blob_json(kept: "Kept", *, whole: bool) -> "JsonObject":
    """Return a blob as a JSON document.

    Args:
        kept: The blob.
        whole: Whether it has the events.
    """
    return {
        "name": kept.name,
        "sent_again": [_moment(time) for time in kept.replays],
        "sent_whole": kept.done,
        "events": [_letter_json(letter, whole=whole) for letter in (*kept.letters, *kept.sent)],
        "unreadable": [bad.problem for bad in kept.bad],
    }


def _letter_json(letter: "Letter", *, whole: bool) -> "JsonObject":
    subject = letter.subject
    known: JsonObject = {
        "id": subject.id,
        "type": type_of(subject) or None,
        "source": source_of(subject) or None,
        "subject": _about(subject),
        "rule": letter.rule or None,
        "code": letter.code,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "first_seen": _moment(letter.first_seen) if letter.first_seen else None,
        "given_up": _moment(letter.at) if letter.at else None,
    }
    if not whole:
        return known
    event = subject.to_cloud_event() if isinstance(subject, Event) else None
    return known | {"event": event, "body": None if event else letter.body()}


def show(kept: "Kept") -> None:
    """Print the dead letters of a blob with their events, and the text that cannot be read."""
    if kept.replays:
        print(sent_again(kept))
    for letter in (*kept.letters, *kept.sent):
        print(f"rule      {printable(letter.rule or ANY_RULE)}")
        print(f"subject   {printable(_about(letter.subject))}")
        print(f"reason    {printable(letter.code)}: {printable(letter.reason)}")
        if letter.code in CODES:
            print(f"help      {HELP}{letter.code}")
        times = f"first seen {_moment(letter.first_seen)}, given up {_moment(letter.at)}"
        print(f"attempts  {letter.attempts or '-'}, {times}")
        for line in _indented(letter.body()).splitlines():
            print(printable(line))
    for bad in kept.bad:
        print(printable(bad.text))


def _indented(body: str) -> str:
    """Return JSON with its members on lines of their own; another text as it is."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body


def _about(subject: "Subject") -> str:
    """Return in words what a dead letter is about."""
    match subject:
        case Event():
            return f"event {subject.id} of type {subject.type}"
        case DirectRun():
            return (
                f"the run of DAG {subject.dag_id} that the caller {subject.caller.get('entry')} asked for,"
                f" key {subject.id}"
            )
        case WindowClose():
            return f"the close of window {subject.id} for {subject.key}"
        case _:
            return "a body that is not an event"


def _moment(time: datetime | None) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if time else "undated"
