import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.event import Event, Unreadable
from shared.event.cloud_events import read_cloud_event
from shared.stores.dead_letter_names import (
    NOT_CONTENT,
    REPLAYED,
    begun_mark,
    folder_of,
    letter_name,
    marks_of,
    number_of,
    numbered,
    read_sent_mark,
    sent_mark,
    stem,
)
from shared.values.json_text import parse_kept
from tests.support.clocks import SEEN
from tests.support.dead_letters import letter
from tests.support.delivery import event

NAME = letter_name("smoke", event())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def test_a_name_is_the_same_at_every_try() -> None:
    """Each try to write a dead letter uses the same name."""
    later = letter(
        at=SEEN + timedelta(days=2),
        first_seen=SEEN + timedelta(days=1),
        code="AirflowUnavailable",
        attempts=9,
    )
    assert later.name == letter().name
    assert letter().name.startswith("smoke/2026/11/01/")


def test_a_name_depends_on_all_of_the_event() -> None:
    """Each attribute of an event, and the rule, changes the name; how the event was read does not."""
    changes: dict[str, object] = {
        "id": "other",
        "source": "/other",
        "type": "Other.Type",
        "subject": "other",
        "time": "2026-11-01T11:59:59Z",
        "data": {"slot": "staging"},
        "datacontenttype": "text/plain",
        "dataschema": "2",
        "extensions": {"updraftcaller": "{}"},
        "data_is_base64": True,
    }
    known = {each.name for each in fields(Event)} - NOT_CONTENT
    assert changes.keys() <= known
    names = {letter_name("smoke", event(**{name: value})) for name, value in changes.items()}
    assert len(names | {NAME, letter_name("other", event())}) == len(changes) + 2
    assert letter_name("smoke", event(schema="event-grid", notes=("a note",))) == NAME


@given(JSON, JSON)
def test_two_payloads_have_two_names(one: object, other: object) -> None:
    """Different JSON payloads never have the same name; the order of members has no effect."""
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (letter_name("r", event(data=one)) == letter_name("r", event(data=other))) == same


@given(JSON)
def test_a_letter_that_was_sent_again_has_its_name(data: object) -> None:
    """An event that is read from its own text has the same name."""
    known = event(data=data, extensions={"updraftcaller": "{}"})
    read = read_cloud_event(parse_kept(json.dumps(known.to_cloud_event())))  # type: ignore[arg-type] # an object
    assert letter_name("r", read) == letter_name("r", known)


@pytest.mark.parametrize("change", [{"raw": "{"}, {"id": "e"}, {"type": "t"}, {"source": "s"}])
def test_a_body_is_named_by_itself(change: dict[str, Any]) -> None:
    """The name of an unreadable body depends on its text and on the headers about it."""
    body = Unreadable("no JSON", "{{")
    name = letter_name("", body)
    assert name.startswith("unreadable/")
    assert letter_name("", replace(body, error="other words")) == name
    assert letter_name("", replace(body, **change)) != name


@pytest.mark.parametrize(
    ("time", "folder"),
    [
        ("2026-11-01T23:59:59-02:00", "2026/11/02"),
        ("2026-11-01T23:59:59", "2026/11/01"),
        ("0001-01-01T00:00:00+14:00", "0001/01/01"),
        ("yesterday", "undated"),
        ("../../../x", "undated"),
        (None, "undated"),
    ],
)
def test_the_date_is_the_events_own(time: str | None, folder: str) -> None:
    """The folder is the date of the event in UTC; events without a usable time have their own folder."""
    assert letter_name("smoke", event(time=time)).startswith(f"smoke/{folder}/")


@given(st.text(max_size=300), st.text(max_size=40), st.text(max_size=40), st.none() | st.text(max_size=40))
def test_no_text_steers_a_name(rule: str, event_id: str, source: str, time: str | None) -> None:
    """For each rule, id, source and time, the name is short ASCII and never the name of a mark."""
    name = letter_name(rule, event(id=event_id, source=source, time=time))
    folder, *rest, last = name.split("/")
    assert name.isascii()
    assert 0 < len(folder) <= 100
    assert not folder.startswith((".", "_", "-"))
    assert not folder.endswith(".")
    assert len("/".join(rest)) <= 10
    assert len(last) == 64 + len(".json")
    assert not name.startswith(REPLAYED)


@pytest.mark.parametrize("rule", ["../../etc", "a/b", "…", "", "..", "_replayed", "._replayed", "x" * 5_000])
def test_a_rules_folder_is_one_segment(rule: str) -> None:
    """For each rule, the folder is one segment, is not the folder of the marks, and is not too long."""
    assert "/" not in folder_of(rule)
    assert not folder_of(rule).startswith(("_", ".", "-"))
    assert len(folder_of(rule)) <= 100


@given(st.integers(1, 99_999))
def test_a_number_is_read_back(number: int) -> None:
    """The second dead letter of an event has the name of the first one with its number."""
    name = numbered(NAME, number)
    assert name.startswith(stem(NAME))
    assert number_of(name, NAME) == number


@pytest.mark.parametrize(
    "other",
    [NAME.replace(".json", ".0.json"), NAME.replace(".json", ".x.json"), f"{NAME}.2.json", "2.json", "x", ""],
)
def test_what_is_no_later_letter_has_no_number(other: str) -> None:
    """A blob with another name has no number."""
    assert number_of(other, NAME) == 0


@given(st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1)), st.booleans())  # noqa: DTZ001 - hypothesis wants them so
def test_a_mark_says_when_and_how_much(naive: datetime, whole: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    """The name of a mark has the name of the dead letter, the time, and whether all was sent."""
    at = naive.replace(tzinfo=UTC)
    mark = sent_mark(NAME, at, whole=whole)
    assert mark.startswith(marks_of(NAME))
    assert read_sent_mark(mark) == (NAME, at, whole)
    assert sent_mark(NAME, at.astimezone(timezone(timedelta(hours=5))), whole=whole) == mark


@pytest.mark.parametrize("name", [NAME, begun_mark(NAME), f"{marks_of(NAME)}20261101T120000Z", REPLAYED, ""])
def test_what_is_no_mark_of_a_sending_is_none(name: str) -> None:
    """The names of a dead letter and of the begin mark are not read as marks of a replay."""
    assert read_sent_mark(name) is None


def test_names_never_change() -> None:
    """The names never change, because `updraft replay` reads the names of all versions."""
    digest = "f0b2fa4f4a7683ecac0998afbdc2dd48e53f13867dd37fe5d385c0442cd07278"
    first = f"smoke/2026/11/01/{digest}.json"
    assert letter_name("smoke", event()) == first
    assert numbered(first, 1) == first
    assert numbered(first, 2) == f"smoke/2026/11/01/{digest}.2.json"
    assert number_of(f"smoke/2026/11/01/{digest}.999999999.json", first) == 999_999_999
    assert number_of(f"smoke/2026/11/01/{digest}.1000000000.json", first) == 0
    assert begun_mark(first) == f"_replayed/{first}/begun.json"
    assert sent_mark(first, SEEN, whole=True) == f"_replayed/{first}/20261101T120000.000000Z.json"
    assert sent_mark(first, SEEN, whole=False) == f"_replayed/{first}/20261101T120000.000000Z.part.json"
    assert read_sent_mark(f"{first}/20261101T120000.000000Z.json") is None
    assert read_sent_mark(f"_replayed/{first}/20261101T120000.000000Z") is None


def test_folders_never_change() -> None:
    """A folder has the first 100 characters of the rule's name; without a rule it is `no-rule`."""
    assert folder_of("x" * 99 + "yz") == "x" * 99 + "y"
    assert folder_of("A.b_c-9/d") == "A.b_c-9-d"
    assert folder_of("") == folder_of("..") == "no-rule"
