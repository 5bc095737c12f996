import json
from datetime import UTC, datetime

import pytest

from shared.errors import EventError
from shared.event import Event, Unreadable
from shared.stores.dead_letter_reader import Letter, read_letters
from shared.stores.dead_letters import DeadLetter
from shared.values.json_text import parse
from tests.support.clocks import SEEN
from tests.support.dead_letters import IN_EVENT_GRIDS_SCHEMA
from tests.support.delivery import event
from tests.support.paths import SAMPLES


def written(**changes: object) -> str:
    """Return the text of a letter that this app writes."""
    known: dict[str, object] = {
        "subject": event(),
        "code": "Refused",
        "reason": "Airflow refuses the run",
        "at": SEEN,
        "first_seen": SEEN,
        "rule": "smoke",
        "attempts": 3,
    }
    return json.dumps(DeadLetter(**(known | changes)).to_document())  # type: ignore[arg-type] # the letter's own fields


def the_one(text: str | bytes, *, ours: bool = False) -> Letter:
    """Return the letter of a blob that holds one."""
    (letter,) = read_letters(text, ours=ours)
    return letter


@pytest.mark.parametrize(
    "subject",
    [
        event(),
        event(extensions={"tenant": "a"}, subject="s", schema="event-grid"),
        event(data="AAEC", data_is_base64=True, datacontenttype="image/png"),
    ],
)
def test_what_was_written_is_read_back(subject: Event) -> None:
    """An event comes out of its letter as it went in, with nothing of the letter left in it."""
    assert the_one(written(subject=subject), ours=True) == Letter(
        subject=subject,
        code="Refused",
        reason="Airflow refuses the run",
        rule="smoke",
        attempts=3,
        first_seen=SEEN,
        at=SEEN,
    )


@pytest.mark.parametrize("raw", ["{ not JSON", "", "half \ud800 a pair"])
def test_a_body_that_was_none_is_read_back(raw: str) -> None:
    """A body that could not be read as an event comes out whole."""
    letter = the_one(written(subject=Unreadable("no JSON", raw), rule=""), ours=True)
    assert isinstance(letter.subject, Unreadable)
    assert letter.body() == raw


def test_only_our_own_container_may_name_a_rule() -> None:
    """In Event Grid's container a member `updraft` is what a publisher wrote: it chooses no rule."""
    letter = the_one(written(), ours=False)
    assert letter.rule == ""
    assert letter.subject == event()


def test_event_grids_schema() -> None:
    """An array of events in Event Grid's schema, each with its five members in camel case."""
    letters = read_letters(json.dumps([IN_EVENT_GRIDS_SCHEMA, IN_EVENT_GRIDS_SCHEMA]), ours=False)
    assert len(letters) == 2
    assert letters[0].code == "MaxDeliveryAttemptsExceeded"
    assert letters[0].reason == "NotFound"
    assert letters[0].attempts == 1
    assert letters[0].at == datetime(2026, 8, 3, 4, 5, 7, 46578, tzinfo=UTC)
    subject = letters[0].subject
    assert isinstance(subject, Event)
    assert subject.type == "Microsoft.Storage.BlobCreated"
    assert subject.extensions == {}
    assert parse(letters[0].body()) == subject.to_cloud_event()


@pytest.mark.parametrize("shape", ["structured_flat.invalid", "structured_wrapped", "binary_wrapped"])
def test_the_three_shapes_of_namespaces(shape: str) -> None:
    """The shapes that are published for namespaces' event subscriptions name one event and one reason."""
    letter = the_one((SAMPLES / "deadletter" / f"{shape}.json").read_bytes())
    assert letter.code == "Refused by the pier"
    assert letter.reason == "Forbidden"
    assert letter.attempts == 2
    assert letter.first_seen == datetime(2026, 3, 9, 13, 9, 1, 555666, tzinfo=UTC)
    assert isinstance(letter.subject, Event)
    assert letter.subject.id == "lit-0041"
    assert letter.subject.extensions == {"pier": "north", "shift": 3}
    assert letter.subject.data_is_base64 is (shape == "binary_wrapped")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "a JSON object"),
        ("nonsense", "not JSON"),
        (json.dumps(event().to_cloud_event()), "no dead letter"),
        ('{"deadletterreason": "x", "hello": 1}', "neither"),
        ('{"deadletterreason": "x", "data_base64": "!", "updraft": {}}', "cannot be decoded"),
    ],
)
def test_what_is_no_letter_is_refused(text: str, says: str) -> None:
    """A blob that somebody else put there is named as what it is."""
    with pytest.raises(EventError, match=says):
        read_letters(text, ours=True)


def test_decimals_are_sent_as_they_were_written() -> None:
    """An event without a rule goes into the event queue with its numbers unrounded."""
    document = {**IN_EVENT_GRIDS_SCHEMA, "data": {"amount": "AMOUNT"}}
    text = json.dumps(document).replace('"AMOUNT"', "1.10000000000000000001")
    assert '"amount":1.10000000000000000001' in the_one(text).body()


def test_times_that_cannot_be_read_are_unknown() -> None:
    """A letter is worth sending again whatever its times look like."""
    document = {**IN_EVENT_GRIDS_SCHEMA, "publishTime": "soon", "lastDeliveryAttemptTime": "2026-08-03T04:05"}
    letter = the_one(json.dumps(document))
    assert letter.first_seen is None
    assert letter.at == datetime(2026, 8, 3, 4, 5, tzinfo=UTC)
