"""Reading bodies: schemas, batches, and their mistakes."""

import json
from dataclasses import replace
from typing import Final

import pytest

from shared.errors import EventError
from shared.event import Event, Unreadable, read_cloud_event, read_events
from shared.event.members import MAX_LENGTH
from shared.event.reading import MAX_MEMBERS
from shared.values.json_text import MAX_DEPTH, Json, JsonObject, parse, split_array
from tests.support.paths import SAMPLES

GRID: Final[JsonObject] = {
    "id": "1",
    "topic": "/subscriptions/5f0e",
    "eventType": "Contoso.Made",
    "eventTime": "2026-01-31T09:30:00Z",
    "data": {"n": 1},
}
CLOUD: Final[JsonObject] = {"specversion": "1.0", "id": "1", "source": "/s", "type": "Contoso.Made"}


def one(body: str | bytes, **options: str) -> Event | Unreadable:
    """Read a body that holds one event."""
    (event,) = read_events(body, kind=options.get("kind"))
    return event


def good(document: Json) -> Event:
    """Read a document that is an event."""
    event = one(json.dumps(document))
    assert isinstance(event, Event), event
    return event


def refused(body: str | bytes) -> Unreadable:
    """Read a body that is not an event."""
    event = one(body)
    assert isinstance(event, Unreadable), event
    return event


def test_an_event_grid_event_takes_the_names_of_cloudevents() -> None:
    """Topic, eventType, eventTime and dataVersion become source, type, time and dataschema."""
    event = one((SAMPLES / "appservice/exact_numbers.eventgrid.json").read_bytes())
    assert isinstance(event, Event)
    assert event.id == "1c0b3f5e-52a4-4f0e-9d2e-6a2a0f9b7d11"
    assert event.source.endswith("/sites/shop")
    assert event.type == "Microsoft.Web.SlotSwapCompleted"
    assert event.time == "2026-02-03T04:05:06.7890123Z"
    assert event.dataschema == "1"
    assert event.schema == "event-grid"
    assert event.extensions == {}


def test_a_cloud_event_is_read_whole() -> None:
    """Every attribute of a structured CloudEvent arrives, extensions with their types."""
    event = one((SAMPLES / "custom/deployment_succeeded.cloudevents.json").read_bytes())
    assert isinstance(event, Event)
    assert event.extensions == {"region": "westeurope", "attempt": 5, "rollback": False}
    assert event.datacontenttype == "application/json"
    assert event.to_cloud_event() == json.loads(
        (SAMPLES / "custom/deployment_succeeded.cloudevents.json").read_text()
    )


@pytest.mark.parametrize("name", ["EventType", "eventtype", "EVENTTYPE"])
def test_letter_case_of_the_event_grid_envelope_does_not_matter(name: str) -> None:
    """Letter case of the envelope's names does not count, because Azure's samples differ."""
    document = {**GRID, name: GRID["eventType"]}
    if name != "eventType":
        del document["eventType"]
    assert good(document).type == "Contoso.Made"


@pytest.mark.parametrize("absent", ["eventTime", "data", "subject", "dataVersion", "metadataVersion"])
def test_optional_members_may_be_absent(absent: str) -> None:
    """Only id, topic and eventType are needed."""
    assert good({name: value for name, value in GRID.items() if name != absent}).id == "1"


@pytest.mark.parametrize("document", [GRID, CLOUD])
@pytest.mark.parametrize("value", [None, "", 25, {"a": 1}, ["x"], True, "a\x00b", "x" * (MAX_LENGTH + 1)])
def test_an_unusable_id_is_refused_and_named(document: JsonObject, value: Json) -> None:
    """An id that is missing, empty, not a string, too long or unprintable is refused by name."""
    assert refused(json.dumps({**document, "id": value})).error.startswith("id ")


@pytest.mark.parametrize("name", ["topic", "eventType"])
@pytest.mark.parametrize("value", [None, "", 5])
def test_an_event_grid_event_needs_topic_and_type(name: str, value: Json) -> None:
    """An event without a topic or a type is refused."""
    assert refused(json.dumps({**GRID, name: value})).error.startswith(f"{name} ")


@pytest.mark.parametrize("name", ["source", "type"])
@pytest.mark.parametrize("value", [None, "", 5])
def test_a_cloud_event_needs_source_and_type(name: str, value: Json) -> None:
    """The specification's required attributes are required."""
    assert refused(json.dumps({**CLOUD, name: value})).error.startswith(f"{name} ")


@pytest.mark.parametrize("time", ["lunchtime", "2026-01-31", "2026-13-01T00:00:00Z", 5, "", {}, 1.5, True])
def test_a_time_that_is_none_costs_the_event_its_time_alone(time: Json) -> None:
    """The event is read without it, in both schemas, and a note says why."""
    cloud, grid = good({**CLOUD, "time": time}), good({**GRID, "eventTime": time})
    assert (cloud.time, grid.time) == (None, None)
    assert cloud.notes[0].startswith("time is left out")
    assert grid.notes[0].startswith("eventTime is left out")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("2026-01-31T09:30:00", "2026-01-31T09:30:00Z"),
        ("2026-01-31T09:30:00.1234567", "2026-01-31T09:30:00.1234567Z"),
        ("2026-01-31 09:30:00", "2026-01-31T09:30:00Z"),
        ("2026-01-31T09:30", "2026-01-31T09:30:00Z"),
        ("2026-01-31T09:30:00+0000", "2026-01-31T09:30:00Z"),
        ("2026-01-31T09:30:00+02", "2026-01-31T09:30:00+02:00"),
        ("2026-01-31t09:30:00z", "2026-01-31T09:30:00Z"),
    ],
)
def test_event_grids_times_are_read_as_utc(written: str, kept: str) -> None:
    """The member eventTime is in UTC and may have many forms; the event has it in RFC 3339."""
    event = good({**GRID, "eventTime": written})
    assert (event.time, event.notes) == (kept, ())


def test_a_cloud_events_time_without_offset_is_not_guessed() -> None:
    """A CloudEvent's time without an offset is left out."""
    assert good({**CLOUD, "time": "2026-01-31T09:30:00"}).time is None


@pytest.mark.parametrize("name", ["source", "type", "time", "datacontenttype", "dataschema", "specversion"])
def test_a_custom_schemas_member_never_takes_the_place_of_an_attribute(name: str) -> None:
    """A stored event has the same identity, with any members of a custom schema."""
    event = good({**GRID, name.upper(): "other"}) if name == "specversion" else good({**GRID, name: "other"})
    assert name not in event.extensions
    assert any(note.startswith(f"{name} is left out") for note in event.notes)
    assert read_cloud_event(event.to_cloud_event()) == replace(event, schema="cloudevents")


def test_a_refused_event_tells_as_much_of_its_identity_as_it_can() -> None:
    """The readable ones of id, type and source are part of the Unreadable."""
    grid = refused(json.dumps({**GRID, "id": 5}))
    assert (grid.id, grid.type, grid.source) == (None, "Contoso.Made", "/subscriptions/5f0e")
    cloud = refused(json.dumps({**CLOUD, "id": 5}))
    assert (cloud.id, cloud.type, cloud.source) == (None, "Contoso.Made", "/s")


def test_unknown_members_of_the_envelope_become_extensions() -> None:
    """A dead letter's members are extensions under lower-case names, without objects and illegal names."""
    event = good(
        {**GRID, "deadLetterReason": "MaxDeliveryAttemptsExceeded", "deliveryAttempts": 3, "a-b": 1, "o": {}}
    )
    assert event.extensions == {"deadletterreason": "MaxDeliveryAttemptsExceeded", "deliveryattempts": 3}


def test_an_azure_devops_body_is_not_taken_for_event_grid() -> None:
    """An id and an eventType do not make an Event Grid event; the error names the kind of the body."""
    error = refused((SAMPLES / "azure-devops/release_rejected.json").read_bytes()).error
    assert "kind azure-devops" in error


@pytest.mark.parametrize(
    "body", ["", "   ", "{", "nonsense", '{"a": 1,}', "[", "[}", "[1]]", '{"a": NaN}', "]["]
)
def test_what_is_no_json_is_refused_and_kept(body: str) -> None:
    """Broken text never raises, and goes to the dead letters as it arrived."""
    events = read_events(body)
    assert all(isinstance(event, Unreadable) for event in events)
    assert all(isinstance(event, Unreadable) and event.raw in body for event in events)
    assert events


@pytest.mark.parametrize("body", ["1", '"text"', "null", "true", "[[1]]", '["text"]'])
def test_what_is_no_object_is_refused(body: str) -> None:
    """An event is an object."""
    assert "JSON object" in refused(body).error


def test_an_empty_batch_holds_no_events() -> None:
    """An empty array is a valid batch."""
    assert read_events("[]") == []
    assert read_events(" [ ] ") == []


@pytest.mark.parametrize(
    "bad",
    [
        "{}",
        "5",
        "null",
        '{"id": 1,}',
        '{"x": NaN}',
        '{"x": -Infinity}',
        '{"x": 1e999999}',
        '{"x": "\\ud800"}',
        '{"x": "]},{[", }',
        '{"x": ' + "9" * 5000 + "}",
        "[" * 200_000 + "]" * 200_000,
        "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2),
        '{"specversion": "0.9", "id": "x"}',
    ],
    ids=lambda bad: bad[:20],
)
def test_a_bad_member_never_takes_its_neighbours_down(bad: str) -> None:
    """With any mistake in one member, the others are read and the bad one stays as it arrived."""
    first, last = json.dumps({**GRID, "id": "a"}), json.dumps({**CLOUD, "id": "b"})
    before, refusal, after = read_events(f"[{first}, {bad} ,\n{last}]")
    assert isinstance(before, Event)
    assert isinstance(after, Event)
    assert (before.id, after.id) == ("a", "b")
    assert isinstance(refusal, Unreadable)
    assert refusal.raw == bad
    assert refusal.error.startswith("member 2 of 3")


def test_bytes_that_are_no_utf8_are_refused_alone() -> None:
    """The error for a body in another encoding names it; the valid members are read."""
    text = json.dumps([{**GRID, "subject": "?"}, CLOUD]).encode().replace(b"?", b"\xff")
    refusal, event = read_events(text)
    assert isinstance(refusal, Unreadable)
    assert "not UTF-8" in refusal.error
    assert "\\xff" in refusal.raw
    assert isinstance(event, Event)
    assert isinstance(read_events(json.dumps(CLOUD).encode("utf-16"))[0], Unreadable)


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", "\ufeff"])
def test_a_byte_order_mark_is_passed_over(mark: str | bytes) -> None:
    """A byte order mark is accepted; Kudu's recorded bodies begin with one."""
    text = json.dumps(CLOUD)
    assert isinstance(one(mark + text.encode() if isinstance(mark, bytes) else mark + text), Event)


def test_text_with_half_a_surrogate_pair_is_refused_and_can_be_stored() -> None:
    """A str that cannot be encoded is refused, and its raw text can be encoded."""
    refusal = refused(json.dumps({**CLOUD, "subject": "?"}).replace("?", "\ud83d"))
    assert "surrogate" in refusal.error
    assert refusal.raw.encode()


def test_an_escaped_surrogate_pair_is_one_character() -> None:
    """Escapes that make a character are accepted."""
    event = one('{"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "subject": "\\ud83d\\ude00"}')
    assert isinstance(event, Event)
    assert event.subject == "😀"


def test_nesting_is_allowed_to_a_stated_depth() -> None:
    """Nesting up to the limit is read; one level more is refused with a fix."""

    def body(levels: int) -> str:
        return json.dumps(CLOUD)[:-1] + ', "data": ' + "[" * levels + "]" * levels + "}"

    assert isinstance(one(body(MAX_DEPTH - 1)), Event)
    assert "levels deep" in refused(body(MAX_DEPTH)).error
    assert "levels deep" in refused(body(500_000)).error


def test_a_megabyte_is_read() -> None:
    """Event Grid's largest event, with many brackets, is read."""
    data: Json = [{"n": [index]} for index in range(90_000)]
    assert good({**GRID, "data": data}).data == data


def test_decimals_are_doubles_and_integers_exact() -> None:
    """A number with a fraction is an IEEE double; an integer is exact."""
    event = one((SAMPLES / "appservice/exact_numbers.eventgrid.json").read_bytes())
    assert isinstance(event, Event)
    assert isinstance(event.data, dict)
    share = event.data["share"]
    assert share == 0.1
    assert event.data["build"] == 90071992547409931


@pytest.mark.parametrize(
    ("number", "reason"), [("1e400", "double"), ("-1e999999", "double"), ("9" * 4301, "4,300")]
)
def test_numbers_that_nobody_can_carry_are_refused(number: str, reason: str) -> None:
    """A number beyond a double, or of too many digits, is refused with a fix."""
    assert reason in refused(json.dumps(CLOUD)[:-1] + f', "data": {number}}}').error
    assert "string" in refused(json.dumps(CLOUD)[:-1] + f', "data": {number}}}').error


@pytest.mark.parametrize("member", ["{}", "{,}"])
def test_a_batch_has_a_largest_size(member: str) -> None:
    """A batch of more than 5,000 events is refused as a whole: Event Grid does not deliver more."""
    assert len(read_events(f"[{','.join([member] * MAX_MEMBERS)}]")) == MAX_MEMBERS
    assert "5001 members" in refused(f"[{','.join([member] * (MAX_MEMBERS + 1))}]").error


@pytest.mark.parametrize(
    "body",
    [
        '["' + '\\"' * 500_000,
        '["' + "\\",
        "[" + '"' * 999_999,
        "[" + "," * 1_000_000 + "]",
        "[" + '"[' * 300_000,
    ],
    ids=["escaped quotes", "a backslash", "quotes", "commas", "brackets"],
)
def test_hostile_text_is_refused_at_once(body: str) -> None:
    """Text that is made to be slow to split takes time in proportion to its length."""
    assert all(isinstance(event, Unreadable) for event in read_events(body))


def test_splitting_an_array_knows_strings() -> None:
    """Brackets and commas inside strings do not split an array; text that is not an array is not split."""
    assert split_array('[ "a,]\\"[" , {"b": [1, 2]},3 ]') == ['"a,]\\"["', '{"b": [1, 2]}', "3"]
    assert split_array('{"a": 1}') is None
    assert split_array("[1, [2]") is None
    assert split_array("[1}") is None
    assert split_array("[1] 2") is None


def test_a_name_may_hold_half_a_surrogate_pair_no_more_than_a_value() -> None:
    """Names of members are text as well."""
    with pytest.raises(EventError, match="surrogate"):
        parse('{"\\ud800": 1}')


def test_an_unknown_kind_is_the_callers_mistake() -> None:
    """An unknown kind raises, because it is not a mistake of the body."""
    with pytest.raises(ValueError, match="azure-devops"):
        read_events("{}", kind="gitlab")


def test_a_wrapped_dead_letter_is_the_event_inside() -> None:
    """An Event Grid namespace wraps the event that it could not deliver."""
    event = good(
        {"event": CLOUD, "deadletterProperties": {"deadletterreason": "x"}, "customDeliveryProperties": {}}
    )
    assert event == read_cloud_event(CLOUD)
