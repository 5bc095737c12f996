"""Instances with different rules at one queue: a parked event waits for the rules that have its run."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from local.stand_ins.airflow_stub import AirflowStub
from shared.delivery.intake import Intake
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.delivery.policy import Policy
from shared.errors import EventError
from shared.event import Event
from shared.rules import load_rules
from shared.stores.parked import Parked
from shared.stores.work_items import RuleEvent
from tests.support.clocks import SEEN
from tests.support.delivery import DAG, Delivering, event
from tests.support.parked import of_message, parked_event

CONNECTION = "connections: {analytics: {url: 'https://airflow.example', auth: {kind: entra, scope: s}}}\n"
OTHER = f"  - {{name: other, when: {{types: [Else]}}, start: {{dag: {DAG}}}}}\n"
KNOWN = CONNECTION + (
    "rules:\n" + OTHER + "  - name: smoke\n"
    "    when: {types: [Shop.Opened]}\n"
    f"    start: {{dag: {DAG}, conf: {{door: '{{{{ data.door }}}}'}}}}\n"
)
WITHOUT = {
    "no such rule": CONNECTION + "rules:\n" + OTHER,
    "no longer matches": KNOWN.replace("Shop.Opened", "Shop.Closed"),
    "not enabled": KNOWN + "    enabled: false\n",
    "cannot be rendered": KNOWN.replace("data.door", "data.gate"),
}
CODES = dict.fromkeys(WITHOUT, "RuleChanged") | {"cannot be rendered": "TemplateError"}
without = pytest.mark.parametrize("rules", WITHOUT)


def intake(delivering: Delivering, rules: str) -> Intake:
    """Return an instance with these rules, at the shared queue."""
    return delivering.intake(load_rules(rules, file="rules.yaml", settings={}))


def next_try(delivering: Delivering, instance: Intake) -> Outcome:
    """Wait until the parked message is visible, and deliver it to an instance."""
    ((parked, delay),) = delivering.parking.kept
    delivering.parking.kept.clear()
    delivering.clock.sleep(delay)
    return instance.receive_parked(parked.to_message())


def parked_for_an_outage(delivering: Delivering, stub: AirflowStub) -> None:
    """Park an event at an instance with the new rules, while Airflow does not answer."""
    stub.inject(500, times=99)
    body = json.dumps(event(type="Shop.Opened", data={"door": 7}).to_cloud_event())
    (outcome,) = intake(delivering, KNOWN).receive(body)
    assert outcome.kind is OutcomeKind.PARKED
    stub.heal()
    delivering.clock.sleep(60)  # the circuit breaker's pause


@without
def test_an_instance_with_other_rules_passes_it_on(
    stub: AirflowStub, delivering: Delivering, rules: str
) -> None:
    """An instance without the rule parks the event, and an instance with the rule starts the same run."""
    parked_for_an_outage(delivering, stub)
    waiting = next_try(delivering, intake(delivering, WITHOUT[rules]))
    assert (waiting.kind, waiting.code) == (OutcomeKind.PARKED, CODES[rules])
    assert "waits for an instance with other rules" in waiting.reason
    assert delivering.letters.kept == {}
    started = next_try(delivering, intake(delivering, KNOWN))
    assert (started.kind, started.attempt) == (OutcomeKind.STARTED, 2)
    assert [run["conf"]["door"] for run in stub.runs.values()] == [7]  # type: ignore[index, call-overload] # a conf
    assert delivering.outcome_counts.balances()


@without
def test_the_grace_ends(stub: AirflowStub, delivering: Delivering, rules: str) -> None:
    """If no instance has a run within the grace, the event is a dead letter with the reason."""
    parked_for_an_outage(delivering, stub)
    began, tries = delivering.clock.seconds + delivering.parking.kept[0][1], 1
    outdated = intake(delivering, WITHOUT[rules])
    while (outcome := next_try(delivering, outdated)).kind is OutcomeKind.PARKED:
        assert outcome.retry_in is not None
        assert 15 <= outcome.retry_in <= 300
        tries += 1
    assert outcome.kind is OutcomeKind.REJECTED
    grace = Policy().grace
    assert grace <= delivering.clock.seconds - began <= grace + 300 * 12
    assert tries >= Policy().grace_attempts
    (letter,) = delivering.letters.kept.values()
    assert (letter.code, letter.rule) == (CODES[rules], "smoke")
    assert "for 1 h no instance had other rules" in letter.reason
    assert delivering.outcome_counts.balances()


def test_a_long_wait_before_does_not_use_up_the_grace(stub: AirflowStub, delivering: Delivering) -> None:
    """An event that waited for Airflow for days has the whole grace."""
    parked_for_an_outage(delivering, stub)
    delivering.clock.sleep(3 * 86_400)
    assert next_try(delivering, intake(delivering, WITHOUT["no such rule"])).kind is OutcomeKind.PARKED


def test_a_rule_that_is_known_between_begins_the_grace_anew(
    stub: AirflowStub, delivering: Delivering
) -> None:
    """The grace counts from the last instance with a run for the event."""
    parked_for_an_outage(delivering, stub)
    outdated = intake(delivering, WITHOUT["no such rule"])
    while delivering.clock.seconds < Policy().grace - 600:
        assert next_try(delivering, outdated).kind is OutcomeKind.PARKED
    stub.inject(500, times=99)
    assert next_try(delivering, intake(delivering, KNOWN)).kind is OutcomeKind.PARKED
    assert delivering.parking.kept[0][0].rule_changed_since is None
    delivering.clock.sleep(600)
    assert next_try(delivering, outdated).kind is OutcomeKind.PARKED


def test_a_wrong_clock_does_not_use_up_the_grace(delivering: Delivering) -> None:
    """The slow clock of the first instance without the rule does not end the grace."""
    known = Parked(
        RuleEvent(event(), "smoke"),
        1,
        SEEN,
        rendered=True,
        rule_changed_since=SEEN - timedelta(days=9),
        rule_changed_tries=2,
    )
    outcome = intake(delivering, WITHOUT["no such rule"]).receive_parked(known.to_message())
    assert outcome.kind is OutcomeKind.PARKED


def test_a_letter_that_is_sent_again_and_cannot_be_rendered_is_kept_at_once(delivering: Delivering) -> None:
    """An event that was parked without a rendered run does not wait for other rules."""
    sent = parked_event(event(type="Shop.Opened", data={}), reason="sent again after it was given up")
    outcome = intake(delivering, KNOWN).receive_parked(sent.to_message())
    assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "TemplateError")


def test_what_has_just_arrived_is_not_promised_a_run(delivering: Delivering) -> None:
    """A new event is unmatched without a matching rule, and a dead letter if it cannot be rendered."""
    body = json.dumps(event(type="Shop.Opened", data={}).to_cloud_event())
    kinds = {name: intake(delivering, rules).receive(body)[0].kind for name, rules in WITHOUT.items()}
    assert kinds == dict.fromkeys(WITHOUT, OutcomeKind.UNMATCHED) | {
        "cannot be rendered": OutcomeKind.REJECTED
    }


@pytest.mark.parametrize(
    "member",
    [7, [], {"since": None, "tries": 1}, {"since": SEEN.isoformat(), "tries": -1}, {"tries": "1"}, {}],
)
def test_a_broken_grace_is_told(member: object) -> None:
    """A message with an unreadable grace is not a message of this app."""
    known = parked_event(Event(id="e", source="/s", type="t"))
    document = json.loads(known.to_message()) | {"rule_changed": member}
    with pytest.raises(EventError, match="parked message"):
        of_message(json.dumps(document))


def test_a_message_keeps_its_grace() -> None:
    """The message has the begin of the grace and the number of tries."""
    known = replace(parked_event(event()), rendered=True, rule_changed_since=SEEN, rule_changed_tries=3)
    assert of_message(known.to_message()) == known
