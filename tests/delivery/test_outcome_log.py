import itertools
import json
import logging
import re
from typing import Any, Literal

import pytest

from shared.delivery.outcome_log import fields, report, words
from shared.delivery.outcomes import Outcome, OutcomeKind, Wait
from shared.event.via import Via

PARKED = Outcome(
    kind=OutcomeKind.PARKED,
    rule="smoke",
    event_id="e-1",
    reason="Airflow cannot be reached",
    connection="analytics",
    dag_id="smoke_tests",
    dag_run_id="smoke__1",
    attempt=2,
    retry_in=12.34,
    event_type="Shop.Opened",
    source="/shop",
    waits=1,
    cause="AirflowNotAnswering",
    milliseconds={"token": 1.234, "airflow": 20.0, "total": 21.5},
)


def test_a_line_is_one_object_that_begins_with_words(caplog: pytest.LogCaptureFixture) -> None:
    """A line is one JSON object: a sentence for people, then the members for queries."""
    caplog.set_level(logging.INFO, logger="updraft")
    report(PARKED)
    line = caplog.records[-1].getMessage()
    sentence = "parked: rule smoke run smoke__1 of DAG smoke_tests on analytics for event e-1"
    assert line.startswith(f'{{"message": "{sentence}')
    logged = json.loads(line)
    assert logged.pop("message").startswith(sentence)
    assert logged == {
        "rule": "smoke",
        "outcome": "parked",
        "event": "e-1",
        "type": "Shop.Opened",
        "source": "/shop",
        "connection": "analytics",
        "dag": "smoke_tests",
        "run": "smoke__1",
        "attempt": 2,
        "waits": 1,
        "cause": "AirflowNotAnswering",
        "reason": "Airflow cannot be reached",
        "retry_in": 12.3,
        "milliseconds": {"token": 1.2, "airflow": 20.0, "total": 21.5},
    }


@pytest.mark.parametrize(
    ("kind", "wait", "level"),
    [
        (OutcomeKind.STARTED, None, logging.INFO),
        (OutcomeKind.DUPLICATE, None, logging.INFO),
        (OutcomeKind.UNMATCHED, None, logging.INFO),
        (OutcomeKind.PARKED, Wait.SOON, logging.WARNING),
        (OutcomeKind.PARKED, Wait.OPERATOR, logging.ERROR),
        (OutcomeKind.REJECTED, None, logging.ERROR),
    ],
)
def test_the_level_says_who_has_to_look(
    kind: OutcomeKind, wait: Wait | None, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The level is info for success, warning for parked events, and error if operator action is needed."""
    caplog.set_level(logging.DEBUG, logger="updraft")
    report(Outcome(kind=kind, rule="smoke", wait=wait))
    assert caplog.records[-1].levelno == level


@pytest.mark.parametrize("kind", [OutcomeKind.PARKED, OutcomeKind.REJECTED])
def test_what_waits_or_failed_names_the_page_of_its_code(kind: OutcomeKind) -> None:
    """The sentence ends with a link to the code; the member `code` has only the code."""
    outcome = Outcome(kind, rule="smoke", code="NoCapacity", reason="8 of 8 slots are in use")
    assert words(outcome) == f"{kind}: rule smoke: 8 of 8 slots are in use; see docs/codes.md#NoCapacity"
    assert "docs/codes.md" not in json.dumps(fields(outcome))


PARTS: dict[str, tuple[dict[str, Any], str]] = {
    "rule": ({"rule": "smoke"}, "rule smoke"),
    "run": ({"dag_id": "d", "dag_run_id": "r", "connection": "c"}, "run r of DAG d on c"),
    "event": ({"event_id": "e-1"}, "for event e-1"),
    "time": ({"milliseconds": {"total": 21.5}}, "in 22 ms"),
    "retry": ({"retry_in": 12.0}, "waits for a retry in 12 s"),
    "reason": ({"reason": "the body is not JSON"}, ": the body is not JSON"),
    "code": ({"code": "Unreadable"}, "; see docs/codes.md#Unreadable"),
}
"""Members of an outcome, each with its words in the sentence."""


@pytest.mark.parametrize("kind", [OutcomeKind.PARKED, OutcomeKind.REJECTED])
@pytest.mark.parametrize("via", ["", "unknown", "hook/kudu"])
def test_every_mixture_of_parts_is_one_clean_sentence(kind: OutcomeKind, via: Via | Literal[""]) -> None:
    """Whatever is missing, no separator is doubled, and a body without an event id has its channel."""
    for present in itertools.product((False, True), repeat=len(PARTS)):
        names = [name for name, there in zip(PARTS, present, strict=True) if there]
        members = {key: value for name in names for key, value in PARTS[name][0].items()}
        sentence = words(Outcome(kind, via=via, **members))
        assert re.match(rf"{kind}(?:: \w|; see |$)", sentence), sentence
        assert not re.search(r":\s*[:;]|: and |  |[:;,\s]$", sentence), sentence
        for name, (_, text) in PARTS.items():
            assert sentence.count(text) == (name in names), sentence
        named = via == "hook/kudu" and "event" not in names
        assert ("a body that came by hook/kudu" in sentence) == named, sentence
        assert "unknown" not in sentence


def test_what_went_well_names_no_page() -> None:
    """The line of a started run has no link."""
    assert words(Outcome(OutcomeKind.STARTED, rule="smoke", code="Started")) == "started: rule smoke"


def test_hostile_text_stays_on_one_line() -> None:
    """Line breaks and half surrogate pairs of an event neither split a line nor break the log."""
    outcome = Outcome(kind=OutcomeKind.REJECTED, event_id="e\r\n1", reason="no\nERROR forged \ud800")
    assert "\n" not in words(outcome)
    assert "\r" not in words(outcome)
    words(outcome).encode()
    json.dumps(fields(outcome)).encode()


def test_absent_things_are_left_out() -> None:
    """The line of an outcome without a run has no members of a run."""
    assert fields(Outcome(kind=OutcomeKind.UNMATCHED, event_id="e-1")) == {
        "rule": "",
        "outcome": "unmatched",
        "event": "e-1",
        "attempt": 1,
    }
