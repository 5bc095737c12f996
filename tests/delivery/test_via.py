"""`via`: the trigger sets it, content cannot change it, and parked messages and dead letters keep it."""

import json
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.stand_ins.airflow_stub import AirflowStub
from shared.delivery.intake import Intake
from shared.delivery.outcomes import OutcomeKind
from shared.event import Event, Unreadable, read_cloud_event, read_events
from shared.event.queue_bodies import read_queue_body
from shared.event.via import VIAS, Via
from shared.rules import Rules, load_rules
from shared.stores.dead_letter_reader import Letter, read_letters
from shared.stores.dead_letters import DeadLetter
from shared.stores.parked import Parked
from shared.stores.resent import members_again
from shared.stores.windows import from_lines, to_line
from shared.stores.work_items import Resent
from shared.values.json_text import JsonObject
from tests.support.clocks import SEEN
from tests.support.delivery import DAG, Delivering, event
from tests.support.parked import event_of, of_message, parked_event

RULES: Final = f"""
connections:
  analytics: {{url: "http://127.0.0.1:8080", auth: {{kind: entra, scope: "api://airflow/.default"}}}}
rules:
  - {{name: any-way, when: {{types: [Shop.*]}}, start: {{dag: {DAG}}}}}
  - {{name: by-queue, when: {{types: [Shop.*], via: queue}}, start: {{dag: {DAG}}}}}
  - {{name: by-hook, when: {{types: ["*"], via: hook/*}}, start: {{dag: {DAG}}}}}
  - {{name: again, when: {{types: [Shop.*], via: [replay, events]}}, start: {{dag: {DAG}}}}}
"""
SHOP: Final = {"specversion": "1.0", "id": "1", "source": "/shops/1", "type": "Shop.Opened"}
WAYS: Final = st.sampled_from(VIAS)
CLAIMS: Final = st.dictionaries(
    st.sampled_from(["via", "Via", "VIA", "updraftvia", "updraft", "arrived", "schema", "ce-via"]),
    WAYS | st.fixed_dictionaries({"via": WAYS}) | st.text(max_size=5),
)


@pytest.fixture
def rules() -> Rules:
    """Rules with `via`."""
    return load_rules(RULES, file="rules.yaml", settings={})


@pytest.fixture
def intake(delivering: Delivering, rules: Rules) -> Intake:
    """An intake with a relay to the stub."""
    return delivering.intake(rules)


def started(outcomes: Any) -> list[str]:
    """Return the names of the rules that started a run."""
    return [each.rule for each in outcomes if each.kind is OutcomeKind.STARTED]


@given(CLAIMS, CLAIMS, CLAIMS, WAYS)
def test_nothing_that_arrives_carries_a_way(
    members: JsonObject, data: JsonObject, headers: JsonObject, via: Via
) -> None:
    """No content of a request or message can set `via` or the time of arrival."""
    cloud = {**members, **SHOP, "data": data}
    grid = {**members, "id": "1", "topic": "/t", "eventType": "Shop.Opened", "eventTime": "x", "data": data}
    texts = {name: str(value).encode("ascii", "replace").decode() for name, value in headers.items()}
    binary = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "Shop.Opened", **texts}
    read = [
        *read_events(json.dumps([cloud, grid]), headers=texts, via=via),
        *read_events(json.dumps(data), headers=binary, via=via),
        *read_queue_body(json.dumps(json.dumps([cloud, grid])), via),
    ]
    assert {(each.via, getattr(each, "arrived", None)) for each in read} == {(via, None)}


@given(CLAIMS, WAYS, st.none() | st.just("2026-11-01T12:00:00Z"))
def test_a_way_is_kept_wherever_an_event_waits(claims: JsonObject, via: Via, arrived: str | None) -> None:
    """A parked message, a window and a dead letter keep `via` and the event's own extensions."""
    told = read_cloud_event({**claims, **SHOP}, via)
    one = replace(told, arrived=arrived, notes=())
    assert event_of(of_message(parked_event(one).to_message())) == one
    assert from_lines(to_line(one)) == [one]
    (letter,) = read_letters(json.dumps(letter_of(one)), ours=True)
    assert isinstance(letter, Letter)
    assert letter.subject == one
    (foreign,) = read_letters(json.dumps(letter_of(one)), ours=False)
    assert isinstance(foreign, Letter)
    assert isinstance(foreign.subject, Event)
    assert (foreign.subject.via, foreign.rule) == ("replay", "")


def letter_of(subject: Event | Unreadable) -> JsonObject:
    """Return the dead letter that this app writes."""
    return DeadLetter(subject, "BadRequest", "no", SEEN, SEEN, rule="r").to_document()


@pytest.mark.parametrize("via", ["hook/gitlab", "hook/*", None, 5, ["queue"], "QUEUE"])
def test_a_letter_without_a_known_way_comes_by_replay(via: object) -> None:
    """A changed dead letter cannot have a `via` that no trigger sets."""
    document: Any = letter_of(event(via="hook/github"))
    document["updraft"]["via"] = via
    (letter,) = read_letters(json.dumps(document), ours=True)
    assert isinstance(letter, Letter)
    assert isinstance(letter.subject, Event)
    assert letter.subject.via == "replay"


def test_a_rule_asks_for_a_way(intake: Intake, stub: AirflowStub) -> None:
    """A rule with `via` matches only these events; a rule without it matches all."""
    body = json.dumps(SHOP)
    assert started(intake.receive(body)) == ["any-way"]
    stub.runs.clear()
    assert started(intake.receive_message(body)) == ["any-way", "by-queue"]
    stub.runs.clear()
    assert started(intake.receive(body, via="webhook")) == ["any-way"]
    stub.runs.clear()
    assert started(intake.receive(body, via="events")) == ["any-way", "again"]


def test_a_parked_event_keeps_its_way(intake: Intake, delivering: Delivering, stub: AirflowStub) -> None:
    """A parked event keeps the `via` `queue`, and its conf has it."""
    stub.inject(503, times=99)
    intake.receive_message(json.dumps(SHOP))
    stub.heal()
    delivering.clock.sleep(10_000)
    parked = [each for each, _ in delivering.parking.kept]
    outcomes = [intake.receive_parked(each.to_message()) for each in parked]
    assert started(outcomes) == ["any-way", "by-queue"]
    confs: list[Any] = [run["conf"] for run in stub.runs.values()]
    assert [conf["_updraft"]["via"] for conf in confs] == ["queue", "queue"]


def test_what_is_sent_again_for_all_rules_keeps_its_way(intake: Intake, stub: AirflowStub) -> None:
    """A dead letter without a rule goes to the rules for its `via`; one of Event Grid's has `replay`."""
    stamp = {"updraftcaller": '{"object_id":"forged"}'}
    cases: tuple[tuple[Via, list[str]], ...] = (("replay", ["any-way", "again"]), ("webhook", ["any-way"]))
    for via, rules in cases:
        stub.runs.clear()
        one = read_cloud_event({**SHOP, **stamp}, via)
        intake.receive_parked(Parked(Resent(one), 1, SEEN).to_message())
        assert sorted({run_id.partition("__")[0] for _, run_id in stub.runs}) == sorted(rules)
        assert ("forged" in json.dumps([run["conf"] for run in stub.runs.values()])) == (via != "replay")


def test_a_hooks_body_that_could_not_be_read_does_not_become_an_event_of_another_channel(
    intake: Intake, delivering: Delivering, stub: AirflowStub
) -> None:
    """A replayed body of a webhook is read as a body of that webhook."""
    intake.receive(json.dumps(SHOP), kind="kudu", via="hook/kudu")
    (letter,) = delivering.letters.kept.values()
    (again,) = read_letters(json.dumps(letter.to_document()), ours=True)
    assert isinstance(again, Letter)
    assert isinstance(again.subject, Unreadable)
    assert (again.subject.via, again.rule) == ("hook/kudu", "")
    outcome = intake.receive_parked(Parked(Resent(again.subject), 1, SEEN).to_message())
    assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "Unreadable")
    assert stub.runs == {}


@pytest.mark.parametrize("via", ["queue", "webhook", "hook/kudu"])
def test_the_log_names_the_channel_of_a_body_that_is_not_an_event(
    intake: Intake, via: Via, caplog: pytest.LogCaptureFixture
) -> None:
    """Such a body has no id, so its line has the channel: which hook to look at."""
    intake.receive("not JSON", via=via)
    message = json.loads(caplog.records[-1].getMessage())["message"]
    assert message.startswith(f"rejected: a body that came by {via}: the body is not JSON: ")


def test_a_body_without_events_is_unmatched(intake: Intake, delivering: Delivering) -> None:
    """A replayed empty array is counted, and ends."""
    body = Unreadable("no", "[]", via="queue")
    outcome = intake.receive_parked(Parked(Resent(body), 1, SEEN).to_message())
    assert outcome.kind is OutcomeKind.UNMATCHED
    assert delivering.outcome_counts.balances()


@given(WAYS, st.text() | st.sampled_from([json.dumps(SHOP), f"[{json.dumps(SHOP)}]"]))
def test_a_body_that_is_sent_again_keeps_its_way(via: Via, raw: str) -> None:
    """The events of a replayed body have the `via` of its arrival."""
    for each in members_again(sent_again(Unreadable("no", raw, via=via))):
        assert each.via == via
        assert isinstance(each, Unreadable) or not via.startswith("hook/") or each.type != "Shop.Opened"


def sent_again(body: Unreadable) -> Unreadable:
    """Return a body as it is read from the queue."""
    back = of_message(Parked(Resent(body), 1, SEEN).to_message()).work
    assert back == Resent(body)
    return body


def test_a_burst_says_the_ways_of_its_events(delivering: Delivering, stub: AirflowStub) -> None:
    """The conf of a window's run has the `via` of all its events."""
    text = RULES.partition("rules:")[0] + (
        "rules:\n- name: burst\n  when: {types: [Shop.*]}\n"
        f"  start: {{dag: {DAG}}}\n  coalesce: {{window: 5m, by: '{{{{ source }}}}'}}\n"
    )
    intake = delivering.intake(load_rules(text, file="rules.yaml", settings={}))
    ways: tuple[Via, ...] = ("webhook", "queue", "webhook")
    for number, via in enumerate(ways):
        intake.receive(json.dumps({**SHOP, "id": str(number)}), via=via)
    (closing,) = [each for each, _ in delivering.parking.kept]
    intake.receive_parked(closing.to_message())
    ((run),) = stub.runs.values()
    conf: Any = run["conf"]
    assert conf["_updraft"]["window"]["via"] == ["queue", "webhook"]
