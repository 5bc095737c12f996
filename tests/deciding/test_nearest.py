import json
import logging

import pytest

from shared.deciding.nearest import MOST_RULES, Unmatched, nearest
from shared.event import Event
from shared.rules import Rules, load_rules
from tests.support.delivery import Delivering

HEAD = """
connections:
  analytics: {url: "https://airflow.example", auth: {kind: entra, scope: "api://airflow/.default"}}
rules:
"""


def rules(*whens: str) -> Rules:
    """Return rules `r0`, `r1`, … with these conditions; the text after `|` has further keys of the rule."""
    lines = []
    for number, text in enumerate(whens):
        when, _, more = text.partition("|")
        lines.append(f"  - {{name: r{number}, when: {{{when}}}, start: {{dag: smoke_tests}}{more}}}")
    return load_rules(HEAD + "\n".join(lines), file="rules.yaml", settings={})


def event(**changes: object) -> Event:
    """Return a blob that was written."""
    known: dict[str, object] = {
        "id": "e-1",
        "source": "/stores/a",
        "type": "Shop.Opened",
        "subject": "/in/x.csv",
        "data": {"size": 3},
    }
    return Event(**(known | changes))  # type: ignore[arg-type] # the tests name the event's own fields


BIG = "filter: [{operatorType: NumberGreaterThan, key: data.size, value: 10}]"
SOURCE = "types: [Shop.Opened], sources: [/stores/b]"
SUBJECT = "types: [Shop.Opened], subject: {ends_with: .json}"
FILTER = f"types: [Shop.Opened], subject: {{ends_with: .csv}}, {BIG}"
OFF = "types: [Shop.Opened]|, enabled: false"


def test_the_rule_that_failed_last_is_the_nearest() -> None:
    """Of the rules with the type, the nearest is the one whose conditions hold longest."""
    assert nearest(event(), rules(SOURCE, FILTER, SUBJECT)).rule == "r1"
    assert "data.size NumberGreaterThan 10: saw 3" in nearest(event(), rules(SOURCE, FILTER, SUBJECT)).reason
    assert nearest(event(), rules(SOURCE, SUBJECT)) == Unmatched(
        "r1", "subject is `/in/x.csv`, which does not end with `.json`"
    )
    via = "types: [Shop.Opened], via: [queue]"
    assert nearest(event(), rules(via, SOURCE)).rule == "r1"
    assert nearest(event(), rules(FILTER, FILTER)).rule == "r0", "of equals it is the first in the file"


def test_a_rule_that_is_off_and_wants_the_event_is_nearest() -> None:
    """A disabled rule whose other conditions hold is the nearest rule."""
    assert nearest(event(), rules(FILTER, OFF)) == Unmatched("r1", "the rule is not enabled")


def test_no_rule_with_the_type_names_the_nearest_type() -> None:
    """If no rule has the type, the type with the longest common beginning is named, if there is one."""
    assert nearest(event(type="Shop.OpenedLate"), rules("types: [Depot.Full]", SOURCE)) == Unmatched(
        "r1", "no rule has the type `Shop.OpenedLate`; the nearest type is `Shop.Opened` of the rule `r1`"
    )
    assert nearest(event(type="Zoo.Closed"), rules("types: [Depot.Full]")) == Unmatched(
        "", "no rule has the type `Zoo.Closed`"
    )


@pytest.mark.parametrize(
    ("sent", "types", "named"),
    [
        ("shoX", ["shop.Opened"], False),
        ("SHOP", ["shop.Opened"], True),
        ("Shop.Op", ["Shop.Other", "Shop.Opened", "Shop.Open"], True),
        ("x" * 200 + "a", ["x" * 199 + "b", "x" * 200 + "b", "x" * 200 + "a" + "b"], True),
        ("Shop.Opened", [*(f"Depot.T{number}" for number in range(100)), "Shop.Open"], False),
        ("Shop.Opened", [*(f"Depot.T{number}" for number in range(99)), "Shop.Open"], True),
    ],
)
def test_types_are_alike_by_their_first_four_to_two_hundred_characters(
    sent: str, types: list[str], *, named: bool
) -> None:
    """Of the first hundred types the first of those that are most alike is named, letter case aside."""
    several = rules(*(f"types: ['{name}']" for name in types))
    found = nearest(event(type=sent), several)
    assert (found.rule != "") == named
    if named:
        assert found.rule == f"r{1 if len(types) == 3 else len(types) - 1}"


def test_its_cost_is_bounded() -> None:
    """Of many rules with the type only the first are checked, and the reason reports this."""
    many = rules(*[SOURCE] * MOST_RULES, FILTER)
    found = nearest(event(), many)
    assert found.rule == "r0"
    assert found.reason.endswith(" (1 more rules with this type were not checked)")


def test_the_line_of_an_unmatched_event_says_why(caplog: pytest.LogCaptureFixture) -> None:
    """The line has type, source, the nearest rule and the failed condition; the sender's text is escaped."""
    caplog.set_level(logging.INFO, logger="updraft")
    delivering = Delivering("http://127.0.0.1:1")
    body = event(subject="/in/\u202ex.csv").to_cloud_event()
    (outcome,) = delivering.intake(rules(SUBJECT)).receive(json.dumps(body))
    line = json.loads(caplog.records[-1].getMessage())
    reason = "subject is `/in/\\u202ex.csv`, which does not end with `.json`"
    assert line["message"].endswith(f"nearest rule r0: {reason}")
    known = {name: line[name] for name in ("outcome", "event", "type", "source", "nearest", "reason")}
    assert known == {
        "outcome": "unmatched",
        "event": "e-1",
        "type": "Shop.Opened",
        "source": "/stores/a",
        "nearest": "r0",
        "reason": reason,
    }
    assert outcome.reason == "", "what may reach a caller quotes no rule"


def test_nothing_is_looked_for_where_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """If INFO lines are not logged, an unmatched event causes no search."""
    caplog.set_level(logging.WARNING, logger="updraft")
    (outcome,) = (
        Delivering("http://127.0.0.1:1").intake(rules(SUBJECT)).receive(json.dumps(event().to_cloud_event()))
    )
    assert outcome.unmatched is None
