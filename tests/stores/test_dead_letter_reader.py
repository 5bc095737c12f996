import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.event import Event, Unreadable
from shared.event.cloud_events import ATTRIBUTES
from shared.stores.dead_letter_reader import BadLetter, Letter, read_letters
from shared.stores.dead_letters import LETTER_MEMBERS, DeadLetter
from shared.stores.work_forms import members_of
from shared.stores.work_items import Subject, UnverifiedHook, WindowClose
from shared.values.json_text import Json, parse
from tests.support.clocks import SEEN
from tests.support.dead_letters import IN_EVENT_GRIDS_SCHEMA
from tests.support.delivery import event
from tests.support.direct_runs import CALLED
from tests.support.parked import event_of, of_message, parked_event
from tests.support.paths import SAMPLES


def written(**changes: object) -> str:
    """Return the text of a dead letter of this app."""
    known: dict[str, object] = {
        "subject": event(),
        "code": "BadRequest",
        "reason": "Airflow refuses the run",
        "at": SEEN,
        "first_seen": SEEN,
        "rule": "smoke",
        "attempts": 3,
    }
    return json.dumps(DeadLetter(**(known | changes)).to_document())  # type: ignore[arg-type] # the letter's own fields


def the_one(text: str | bytes, *, ours: bool = False) -> Letter:
    """Return the only dead letter of a blob."""
    (letter,) = read_letters(text, ours=ours)
    assert isinstance(letter, Letter), letter
    return letter


def good_letters(text: str | bytes) -> list[Letter]:
    """Return the readable dead letters of a blob of Event Grid."""
    return [letter for letter in read_letters(text, ours=False) if isinstance(letter, Letter)]


@pytest.mark.parametrize(
    "subject",
    [
        event(),
        event(extensions={"tenant": "a"}, subject="s", schema="event-grid"),
        event(data="AAEC", data_is_base64=True, datacontenttype="image/png"),
    ],
)
def test_what_was_written_is_read_back(subject: Event) -> None:
    """An event that is read from a dead letter is unchanged, without the added members."""
    assert the_one(written(subject=subject), ours=True) == Letter(
        subject=subject,
        code="BadRequest",
        reason="Airflow refuses the run",
        rule="smoke",
        attempts=3,
        first_seen=SEEN,
        at=SEEN,
    )


@pytest.mark.parametrize("raw", ["{ not JSON", "", "half \ud800 a pair"])
def test_a_body_that_was_none_is_read_back(raw: str) -> None:
    """An unreadable body is read from its dead letter unchanged."""
    letter = the_one(written(subject=Unreadable("no JSON", raw), rule=""), ours=True)
    assert isinstance(letter.subject, Unreadable)
    assert letter.body() == raw


@pytest.mark.parametrize(
    "subject",
    [
        CALLED,
        replace(CALLED, conf={"half": "\ud800", "n": [1.5, None]}, note=None, logical_date="2026-01-01"),
        WindowClose("smoke", "0123456789abcdef" * 2, "north \ud800"),
        Unreadable("no JSON", "{{", id="e", type="t", source="/s", via="hook/github"),
    ],
)
def test_what_is_not_an_event_is_read_back_as_what_it_is(subject: Subject) -> None:
    """A direct run, a close of a window and a body are read only from this app's dead letters."""
    text = written(subject=subject)
    letter = the_one(text, ours=True)
    assert (letter.subject, letter.rule, letter.code) == (subject, "smoke", "BadRequest")
    assert isinstance(subject, Unreadable) or all(json.loads(body) for body in letter.bodies())
    (foreign,) = read_letters(text, ours=False)
    assert isinstance(foreign, BadLetter)


def test_a_hook_that_is_not_verified_comes_out_of_no_letter() -> None:
    """An unverified webhook delivery in the container is refused."""
    hook = UnverifiedHook("github", b"{}", f"sha256={'0' * 64}", {})
    document = {"deadletterreason": "x", **members_of(hook)}
    own = {"updraft": {"format": 1, "kind": document["kind"]}}
    (bad,) = read_letters(json.dumps(document | own), ours=True)
    assert isinstance(bad, BadLetter)
    assert "unverified" in bad.problem


def test_only_our_own_container_may_name_a_rule() -> None:
    """In Event Grid's container the member `updraft` does not set the rule or `via`."""
    letter = the_one(written(subject=replace(event(), via="hook/github")), ours=False)
    assert letter.rule == ""
    assert letter.subject == replace(event(), via="replay")


def test_event_grids_schema() -> None:
    """An array of events in Event Grid's schema has five additional members in camel case."""
    letters = good_letters(json.dumps([IN_EVENT_GRIDS_SCHEMA, IN_EVENT_GRIDS_SCHEMA]))
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


@pytest.mark.parametrize("shape", ["structured_flat", "structured_wrapped", "binary_wrapped"])
def test_the_three_shapes_of_namespaces(shape: str) -> None:
    """The published forms for namespaces have one event and one reason."""
    letter = the_one((SAMPLES / "deadletter" / f"{shape}.json").read_bytes())
    assert letter.code == "Refused by the pier"
    assert letter.reason == "Forbidden"
    assert letter.attempts == 2
    assert letter.first_seen == datetime(2026, 3, 9, 13, 9, 1, 555666, tzinfo=UTC)
    assert isinstance(letter.subject, Event)
    assert letter.subject.id == "lit-0041"
    assert letter.subject.extensions == {"pier": "north", "shift": 3}
    assert letter.subject.data_is_base64 is (shape == "binary_wrapped")


def of_ours(kind: str, content: str) -> str:
    """Return a dead letter of this app with a work item of a kind."""
    return json.dumps(json.loads(content) | {"deadletterreason": "x", "updraft": {"format": 1, "kind": kind}})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "a JSON object"),
        ("nonsense", "not JSON"),
        (json.dumps(event().to_cloud_event()), "not a dead letter"),
        ('{"deadletterreason": "x", "hello": 1}', "neither"),
        (of_ours("event", "{}"), "neither"),
        (of_ours("unreadable", '{"unreadable": {"error": "e", "base64": "!"}}'), "not Base64"),
        (of_ours("direct-run", '{"run": {"caller": {}}}'), "dag_id"),
        (of_ours("window-close", '{"rule": "r", "window": {"id": "../x"}}'), "id of a window"),
        (of_ours("unverified-hook", "{}"), "hook"),
        (of_ours("letter", "{}"), "kind"),
        ('{"deadletterreason": "x", "updraft": {"format": 1}}', "kind"),
    ],
)
def test_what_is_no_letter_is_refused(text: str, says: str) -> None:
    """A blob that is not a dead letter is refused, and the message names the fault."""
    (bad,) = read_letters(text, ours=True)
    assert isinstance(bad, BadLetter)
    assert says in bad.problem


def test_times_that_cannot_be_read_are_unknown() -> None:
    """A dead letter with unusable times can be replayed."""
    document = {**IN_EVENT_GRIDS_SCHEMA, "publishTime": "soon", "lastDeliveryAttemptTime": "2026-08-03T04:05"}
    letter = the_one(json.dumps(document))
    assert letter.first_seen is None
    assert letter.at == datetime(2026, 8, 3, 4, 5, tzinfo=UTC)


BAD_MEMBERS = {
    "no id": {name: value for name, value in IN_EVENT_GRIDS_SCHEMA.items() if name != "id"},
    "a number as type": {**IN_EVENT_GRIDS_SCHEMA, "eventType": 5},
    "no letter": {"hello": 1},
    "no object": 5,
    "another schema": {"specversion": "9", "deadletterreason": "x"},
}


def blob(bad: str, form: str) -> str:
    """Return a blob with two dead letters and a bad member between them."""
    good = json.dumps(IN_EVENT_GRIDS_SCHEMA)
    members = [good, bad, good]
    return f"[{','.join(members)}]" if form == "array" else "\r\n".join(members)


@pytest.mark.parametrize("form", ["array", "lines"])
@pytest.mark.parametrize(
    "bad",
    [*map(json.dumps, BAD_MEMBERS.values()), '{"id": NaN}', '{"id": 1,}', '{"x": "\\ud800"}'],
)
def test_a_bad_letter_never_takes_its_neighbours_down(bad: str, form: str) -> None:
    """A bad member of a blob has an error with its number, and the others are read."""
    first, refused, last = read_letters(blob(bad, form), ours=False)
    assert isinstance(first, Letter)
    assert isinstance(last, Letter)
    assert isinstance(refused, BadLetter)
    assert refused.problem.startswith("member 2 of 3: ")
    assert refused.text.strip() == bad


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", None])
@pytest.mark.parametrize("form", ["array", "lines"])
def test_a_byte_order_mark_is_passed_over(encoding: str | None, form: str) -> None:
    """A byte order mark is allowed, in bytes and in text."""
    text = blob(json.dumps(IN_EVENT_GRIDS_SCHEMA), form)
    assert len(good_letters(f"\ufeff{text}" if encoding is None else text.encode(encoding))) == 3


def test_one_letter_over_many_lines_is_one() -> None:
    """Indented JSON is not read as lines."""
    (letter,) = good_letters(json.dumps(IN_EVENT_GRIDS_SCHEMA, indent=1))
    assert letter.code == "MaxDeliveryAttemptsExceeded"


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted(LETTER_MEMBERS)) | st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True),
        st.text("ab 1:/Z\u00e9") | st.booleans() | st.integers(-(2**31), 2**31),
    )
)
def test_an_event_survives_its_dead_letter(extensions: dict[str, Json]) -> None:
    """Extension attributes of every name are read from a dead letter, and can be parked."""
    extensions = {name: value for name, value in extensions.items() if name not in ATTRIBUTES}
    subject = event(extensions=extensions)
    letter = the_one(written(subject=subject), ours=True)
    assert letter.subject == subject
    assert (letter.code, letter.rule, letter.attempts) == ("BadRequest", "smoke", 3)
    assert isinstance(letter.subject, Event)
    assert event_of(of_message(parked_event(letter.subject).to_message())) == subject


def test_a_publishers_extension_is_not_taken_for_ours() -> None:
    """In Event Grid's container an extension `updraft` belongs to the event, and is replayed with it."""
    document = {**event().to_cloud_event(), "deadletterreason": "x", "updraft": "mine"}
    subject = the_one(json.dumps(document)).subject
    assert isinstance(subject, Event)
    assert subject.extensions == {"updraft": "mine"}
