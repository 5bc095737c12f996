"""Senders cannot choose the name of a dead letter, or share one; tests/stack has the tests with storage."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.rules import load_rules
from shared.stores.dead_letter_names import REPLAYED, letter_name
from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE
from tests.support.clocks import SEEN
from tests.support.delivery import Delivering, event
from tests.support.parked import parked_event

RULES = """
connections: {analytics: {url: 'https://airflow.example', auth: {kind: entra, scope: s}}}
rules:
- {name: smoke, when: {types: ['*']}, start: {dag: smoke_tests, conf: {x: "{{ data.missing }}"}}}
"""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/\d{4}/\d\d/\d\d|/undated)?/[0-9a-f]{64}\.json")
HOSTILE = (
    "../../updraft-windows/x",
    "..",
    ".",
    "/",
    "//",
    "a/../b",
    "..\\..\\x",
    "%2e%2e%2f",
    "_replayed",
    "_replayed/smoke",
    "$root",
    "smoke\0",
    "smoke\r\nx-ms-meta: 1",
    "smoke?comp=metadata",
    "smoke#",
    "\uff53\uff4d\uff4f\uff4b\uff45",
    "smo\u0301ke",
    "\u202ekoms",
    "\ud800",
    "x" * 60_000,
)


def written(delivering: Delivering) -> list[str]:
    """Return the names of all letters that were written."""
    return list(delivering.letters.kept)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_message_of_the_queues_steers_a_name(delivering: Delivering, text: str) -> None:
    """A hostile rule, id, source, type or time in any queue gives a dead letter with a name of our form."""
    intake = delivering.intake(load_rules(RULES, file="rules.yaml", settings={}))
    known = event(id=text, source=text, subject=text, type=text, time=text).to_cloud_event()
    parked = json.dumps(
        {
            "updraft": 1,
            "rule": text,
            "attempt": 1,
            "first_seen": SEEN.isoformat(),
            "event": event().to_cloud_event(),
        }
    )
    intake.receive(json.dumps([known, {"id": text}, text]))
    intake.bury(json.dumps(known), queue=EVENT_QUEUE)
    intake.bury(parked, queue=PARKED_QUEUE)
    intake.bury(json.dumps(text), queue=PARKED_QUEUE)
    intake.receive_parked(parked, last_delivery=12)
    names = written(delivering)
    assert names
    assert [name for name in names if not NAME.fullmatch(name)] == []


def test_a_parked_message_names_no_other_rules_letter(delivering: Delivering) -> None:
    """Two rules whose folders are spelt alike have letters of their own."""
    names = {letter_name(rule, event()) for rule in ("a/b", "a-b", "a b", "a\0b", "a?b")}
    assert len(names) == 5
    assert len({name.partition("/")[0] for name in names}) == 1


@given(st.data())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_event_that_differs_anywhere_keeps_its_own_letter(
    delivering: Delivering, data: st.DataObject
) -> None:
    """A forged event of the same source, id and day never has the name of the genuine one."""
    genuine = event()
    text = st.text(max_size=8)
    member = data.draw(
        st.sampled_from(["type", "subject", "time", "data", "datacontenttype", "dataschema", "extensions"])
    )
    values: st.SearchStrategy[object] = {
        "data": st.dictionaries(text, text | st.integers() | st.lists(text, max_size=2), max_size=3),
        "extensions": st.dictionaries(st.sampled_from(["updraftcaller", "a", "via"]), text, max_size=2),
        "time": st.integers(0, 86_399).map(
            lambda second: f"2026-11-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
        ),
    }.get(member, text)
    forged = event(**{member: data.draw(values)})
    same = forged == genuine
    assert (letter_name("smoke", forged) == letter_name("smoke", genuine)) == same


@pytest.mark.parametrize("times", [2, 5])
def test_the_first_letter_stays(delivering: Delivering, times: int) -> None:
    """The first dead letter of an event stays, after any number of rejections for any reason."""
    intake = delivering.intake(load_rules(RULES, file="rules.yaml", settings={}))
    intake.receive(json.dumps(event().to_cloud_event()))
    ((name, first),) = delivering.letters.kept.items()
    for attempt in range(times):
        message = parked_event(event(), attempt=attempt, reason="a reason of its own").to_message()
        intake.bury(message, queue=PARKED_QUEUE)
        intake.receive(json.dumps(event().to_cloud_event()))
    assert delivering.letters.kept == {name: first}


def test_no_name_is_a_marks(delivering: Delivering) -> None:
    """No name of a rule, valid or not, puts its dead letters among the marks."""
    rules = ("_replayed", "replayed", "_replayed/smoke", "__replayed", "._replayed", "unreadable", "", "-")
    names = [letter_name(rule, event()) for rule in rules]
    assert [name for name in names if name.startswith(REPLAYED)] == []
    assert len(set(names)) == len(names)
