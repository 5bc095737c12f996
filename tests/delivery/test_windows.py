"""Windows of rules with `coalesce`, from the arrival of an event to the window's run."""

import itertools
import json
import random
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.stand_ins.airflow_stub import AirflowStub
from shared.deciding.decide import decide, decide_burst, explain
from shared.delivery.intake import Intake
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.errors import EventError
from shared.event import Event
from shared.event.bursts import Burst, in_order
from shared.event.caller_stamp import stamped
from shared.rules import Rules, load_rules
from shared.runs.claim_check import claim_check
from shared.runs.ids import run_id_for_window
from shared.stores.parked import Parked
from shared.stores.windows import from_lines, to_line
from shared.stores.work_items import WindowClose
from shared.values.storable import MAX_CONF_BYTES, size_of
from tests.support.clocks import SEEN
from tests.support.delivery import DAG, Delivering, event

CONNECTION = "connections: {analytics: {url: 'https://airflow.example', auth: {kind: entra, scope: s}}}\n"
RULES = CONNECTION + (
    "rules:\n"
    "- name: burst\n"
    "  when: {types: [Shop.Opened]}\n"
    "  start:\n"
    f"    dag: {DAG}\n"
    "    conf: {newest: '{{ id }}', all: '{{ events }}', ids: '{{ events | map(attribute=\"id\") }}'}\n"
    "  coalesce: {window: 5m, by: '{{ data.shop }}'}\n"
)
WINDOW = "0123456789abcdef" * 2


@pytest.fixture
def rules() -> Rules:
    """One rule with `coalesce`."""
    return load_rules(RULES, file="rules.yaml", settings={})


@pytest.fixture
def intake(delivering: Delivering, rules: Rules) -> Intake:
    """An intake with a relay to the stub."""
    return delivering.intake(rules)


def opened(number: int, *, shop: str = "north", **data: Any) -> Event:
    """Return an event of a series with one event per second."""
    time = f"2026-11-01T12:00:{number:02}Z"
    return event(id=f"e-{number}", type="Shop.Opened", time=time, data={"shop": shop, **data})


def arrive(intake: Intake, *events: Event) -> list[OutcomeKind]:
    """Deliver events, and return their outcomes."""
    body = json.dumps([each.to_cloud_event() for each in events])
    return [outcome.kind for outcome in intake.receive(body)]


def close(intake: Intake, delivering: Delivering) -> list[Outcome]:
    """Deliver all parked messages."""
    parked = [each for each, _ in delivering.parking.kept]
    delivering.parking.kept.clear()
    return [intake.receive_parked(each.to_message()) for each in parked]


def confs(stub: AirflowStub) -> list[Any]:
    """Return the confs of all runs."""
    return [run["conf"] for run in stub.runs.values()]


def test_a_burst_becomes_one_run_with_all_its_events(
    intake: Intake, delivering: Delivering, stub: AirflowStub
) -> None:
    """Shuffled and redelivered events of one key start one run, with each event once, in order."""
    events = [opened(number) for number in (3, 1, 2, 1, 3)]
    assert arrive(intake, *events) == [OutcomeKind.COALESCED] * 5
    assert stub.runs == {}
    (outcome,) = close(intake, delivering)
    assert outcome.kind is OutcomeKind.STARTED
    (conf,) = confs(stub)
    assert (conf["newest"], conf["ids"]) == ("e-3", ["e-1", "e-2", "e-3"])
    assert conf["all"] == [opened(number).to_cloud_event() for number in (1, 2, 3)]
    assert conf["_updraft"]["window"] == {"by": "north", "events": 3}
    assert conf["_updraft"]["event"]["id"] == "e-3"
    (run,) = stub.runs.values()
    assert "3 events of `north`" in str(run["note"])
    assert delivering.outcome_counts.balances()


def test_the_outcome_names_the_run_to_come(intake: Intake, delivering: Delivering, stub: AirflowStub) -> None:
    """The outcome of a collected event has the run id of its window."""
    (collected,) = intake.receive(json.dumps(opened(1).to_cloud_event()))
    close(intake, delivering)
    assert [(DAG, collected.dag_run_id)] == [*stub.runs]
    assert collected.dag_run_id.startswith("burst__north__")
    assert (collected.reason, collected.attempt) == ("", 1)


def test_who_lost_its_right_while_its_window_was_open_is_left_out(
    intake: Intake, delivering: Delivering, stub: AirflowStub
) -> None:
    """Its event is a dead letter with the deliveries of the close, and the run has the others, if any."""
    nobody = [stamped(opened(number, shop="south"), {"entry": "gone"}) for number in (4, 5)]
    for events, runs in (([opened(1), stamped(opened(2), {"entry": "gone"})], 1), (nobody, 0)):
        delivering.letters.kept.clear()
        stub.runs.clear()
        window = uuid.uuid4().hex
        delivering.windows.kept[window] = list(events)
        key = "north" if runs else "south"
        late = Parked(WindowClose("burst", window, key), 4, SEEN)
        outcome = intake.receive_parked(late.to_message())
        assert outcome.kind is (OutcomeKind.STARTED if runs else OutcomeKind.REJECTED)
        assert len(stub.runs) == runs
        letters = delivering.letters.kept.values()
        assert {(each.code, each.attempts, each.first_seen) for each in letters} == {
            ("PermissionRevoked", 5, SEEN)
        }
        assert len(letters) == (1 if runs else 2)
    assert outcome.attempt == 5


def test_each_key_has_a_run(intake: Intake, delivering: Delivering, stub: AirflowStub) -> None:
    """Events with different keys are collected separately."""
    arrive(intake, opened(1, shop="north"), opened(2, shop="south"), opened(3, shop="north"))
    close(intake, delivering)
    assert sorted(conf["ids"] for conf in confs(stub)) == [["e-1", "e-3"], ["e-2"]]


def test_a_repeated_close_is_a_duplicate(intake: Intake, delivering: Delivering, stub: AirflowStub) -> None:
    """A window that is closed several times has one run."""
    arrive(intake, opened(1))
    ((parked, delay),) = delivering.parking.kept
    assert delay == 300
    outcomes = [intake.receive_parked(parked.to_message()).kind for _ in range(3)]
    assert outcomes == [OutcomeKind.STARTED, OutcomeKind.DUPLICATE, OutcomeKind.DUPLICATE]
    assert len(stub.runs) == 1


def test_an_event_that_comes_after_the_close(
    intake: Intake, delivering: Delivering, stub: AirflowStub
) -> None:
    """A late event goes into the next window; a redelivery of an earlier event is a duplicate."""
    arrive(intake, opened(1))
    close(intake, delivering)
    assert arrive(intake, opened(2), opened(1)) == [OutcomeKind.COALESCED, OutcomeKind.DUPLICATE]
    close(intake, delivering)
    assert [conf["ids"] for conf in confs(stub)] == [["e-1"], ["e-2"]]
    assert delivering.outcome_counts.balances()


def test_a_close_that_meets_an_outage_waits(
    intake: Intake, delivering: Delivering, stub: AirflowStub
) -> None:
    """If Airflow does not answer, the window's run is parked, and starts later with the same events."""
    arrive(intake, opened(1), opened(2))
    stub.inject(500, times=99)
    (first,) = close(intake, delivering)
    assert (first.kind, first.rule, first.attempt) == (OutcomeKind.PARKED, "burst", 1)
    stub.heal()
    delivering.clock.sleep(60)
    (second,) = close(intake, delivering)
    assert (second.kind, second.attempt, second.dag_run_id) == (OutcomeKind.STARTED, 2, first.dag_run_id)
    assert confs(stub)[0]["ids"] == ["e-1", "e-2"]


def test_a_window_without_events_starts_nothing(intake: Intake, stub: AirflowStub) -> None:
    """The close of an empty window starts no run."""
    closing = Parked(WindowClose("burst", WINDOW, "north"), 0, None)
    outcome = intake.receive_parked(closing.to_message())
    assert (outcome.kind, stub.runs) == (OutcomeKind.DUPLICATE, {})


@pytest.mark.parametrize(
    "changed",
    ["rules: []", RULES[len(CONNECTION) :] + "  enabled: false\n"],
    ids=["the rule is gone", "the rule is out of force"],
)
def test_a_window_whose_rule_is_gone_is_kept(
    intake: Intake, delivering: Delivering, stub: AirflowStub, changed: str
) -> None:
    """A window whose rule is removed becomes a dead letter that names the window."""
    arrive(intake, opened(1))
    later = delivering.intake(load_rules(CONNECTION + changed, file="rules.yaml", settings={}))
    (outcome,) = close(later, delivering)
    assert (outcome.kind, delivering.letters.kept) == (OutcomeKind.PARKED, {})
    while outcome.kind is OutcomeKind.PARKED:
        delivering.clock.sleep(300)
        (outcome,) = close(later, delivering)
    assert (outcome.kind, stub.runs) == (OutcomeKind.REJECTED, {})
    (letter,) = delivering.letters.kept.values()
    assert letter.code == "RuleChanged"
    assert isinstance(letter.subject, WindowClose)


def test_a_window_waits_for_an_instance_that_knows_its_rule(
    intake: Intake, delivering: Delivering, stub: AirflowStub
) -> None:
    """A window that an instance with older rules closes gets its run from an instance with its rule."""
    arrive(intake, opened(1), opened(2))
    older = delivering.intake(load_rules(CONNECTION + "rules: []", file="rules.yaml", settings={}))
    assert [each.kind for each in close(older, delivering)] == [OutcomeKind.PARKED]
    assert [each.kind for each in close(intake, delivering)] == [OutcomeKind.STARTED]
    assert confs(stub)[0]["ids"] == ["e-1", "e-2"]


def test_a_window_whose_close_is_given_up_takes_nothing_more(intake: Intake, delivering: Delivering) -> None:
    """A dead-lettered close seals its window: later events go into another one."""
    arrive(intake, opened(1))
    ((parked, _),) = delivering.parking.kept
    (outcome,) = intake.bury(parked.to_message(), queue="updraft-parked")
    assert outcome.kind is OutcomeKind.REJECTED
    arrive(intake, opened(2))
    assert [len(events) for events in delivering.windows.kept.values()] == [1, 1]


def test_nobody_outside_closes_a_window(intake: Intake, delivering: Delivering) -> None:
    """The content of an event cannot close a window or name a rule."""
    arrive(intake, opened(1))
    ((parked, _),) = delivering.parking.kept
    told = json.loads(parked.to_message())
    forged = [
        event(id="f-1", type="Updraft.WindowClosed", source="updraft:windows", data=told["window"]),
        event(id="f-2", type="Shop.Closed", data=told, extensions={"kind": "window-close", "rule": "burst"}),
    ]
    assert arrive(intake, *forged) == [OutcomeKind.UNMATCHED] * 2
    assert [each.kind for each in intake.receive_message(parked.to_message())] == [OutcomeKind.REJECTED]
    assert delivering.windows.closed == set()


@pytest.mark.parametrize("window", [None, {}, {"id": "../heads/x", "key": "k"}, {"id": WINDOW}])
def test_a_close_that_names_no_window_is_kept(intake: Intake, delivering: Delivering, window: object) -> None:
    """An unreadable message becomes a dead letter."""
    known = json.loads(Parked(WindowClose("burst", WINDOW, "north"), 0, None).to_message())
    outcome = intake.receive_parked(json.dumps(known | {"window": window}))
    assert outcome.kind is OutcomeKind.REJECTED
    assert len(delivering.letters.kept) == 1


def test_the_age_of_a_windows_run_counts_from_its_close(
    intake: Intake, delivering: Delivering, stub: AirflowStub
) -> None:
    """The age of a close counts from the end of the window, on the clock of the closing instance."""
    arrive(intake, opened(1))
    ((parked, _),) = delivering.parking.kept
    assert parked.first_seen is None
    delivering.clock.sleep(90_000)
    closed = delivering.clock.now()
    stub.inject(500, times=99)
    assert [each.kind for each in close(intake, delivering)] == [OutcomeKind.PARKED]
    ((parked, _),) = delivering.parking.kept
    assert parked.first_seen is not None
    assert timedelta(0) <= parked.first_seen - closed < timedelta(minutes=1)


def test_a_conf_that_is_too_large_goes_by_reference(
    intake: Intake, delivering: Delivering, stub: AirflowStub
) -> None:
    """The run has the events that fit, and the address of the whole conf, which is stored first."""
    arrive(intake, *(opened(number, text="x" * 1_000) for number in range(60)))
    (outcome,) = close(intake, delivering)
    assert outcome.kind is OutcomeKind.STARTED
    (conf,) = confs(stub)
    assert size_of(conf) <= MAX_CONF_BYTES
    assert conf["ids"] == [f"e-{number}" for number in range(60)]
    reference = conf["_updraft"]["by_reference"]
    assert reference["members"] == ["all"]
    whole: Any = delivering.windows.confs[reference["url"]]
    assert [each["id"] for each in whole["all"]] == conf["ids"]


@given(
    conf=st.dictionaries(
        st.text(min_size=1, max_size=8), st.integers(0, 40_000).map(lambda size: "x" * size), max_size=5
    )
)
def test_what_is_handed_over_is_whole(conf: dict[str, Any]) -> None:
    """The events in the conf and the number of omitted ones are together all events."""
    conf = conf | {"_updraft": {"rule": "r"}}
    sent, whole = claim_check(conf, "https://account.example/conf")
    assert size_of(sent) <= MAX_CONF_BYTES
    if whole is None:
        assert sent is conf
        return
    identity: Any = sent["_updraft"]
    left_out = identity["by_reference"]["members"]
    assert whole == conf
    assert {**sent, **{name: whole[name] for name in left_out}, "_updraft": {"rule": "r"}} == conf
    assert not sent.keys() & set(left_out)


@given(
    numbers=st.lists(st.integers(0, 30), min_size=1, max_size=30),
    seed=st.randoms(use_true_random=False),
)
def test_the_order_is_that_of_the_events_times(numbers: list[int], seed: random.Random) -> None:
    """The run has each event once, in order of time, for each order of arrival."""
    seed.shuffle(numbers)
    ordered = in_order([opened(number) for number in numbers])
    assert [each.id for each in ordered] == [f"e-{number}" for number in sorted(set(numbers))]


def test_events_without_a_time_come_first_as_they_arrived() -> None:
    """An event without a readable time is never the newest; offsets are converted."""
    events = [
        event(id="later", time="2026-11-01T12:00:00Z"),
        event(id="none", time=None),
        event(id="odd", time="yesterday"),
        event(id="earlier", time="2026-11-01T13:30:00+02:00"),
        event(id="same", time="2026-11-01T12:00:00Z"),
    ]
    assert [each.id for each in in_order(events)] == ["earlier", "later", "none", "odd", "same"]


UNDATED = st.lists(st.none() | st.just("yesterday") | st.integers(0, 9), min_size=1, max_size=8)


@given(UNDATED)
def test_an_event_without_a_time_is_neither_the_oldest_nor_the_newest(times: list[str | int | None]) -> None:
    """An event without a time follows its predecessor, and the conf has the number of such events."""
    moments = [f"2026-11-01T12:00:0{each}Z" if isinstance(each, int) else each for each in times]
    events = [event(id=str(number), time=moment) for number, moment in enumerate(moments)]
    ordered = in_order(events)
    burst = Burst(WINDOW, "north", ordered)
    dated = [each for each, time in zip(events, times, strict=True) if isinstance(time, int)]
    assert burst.undated == len(events) - len(dated)
    assert [each for each in ordered if each in dated] == sorted(dated, key=lambda each: str(each.time))
    if dated:
        assert burst.newest.time == max(str(each.time) for each in dated)
        assert burst.newest in dated
    else:
        assert burst.newest == events[-1]
    for before, one in itertools.pairwise(events):
        if one not in dated:
            assert ordered[ordered.index(one) - 1] == before


def test_the_run_says_how_many_events_have_no_time(
    intake: Intake, delivering: Delivering, stub: AirflowStub
) -> None:
    """The run's conf and note have the number of events without a time."""
    arrive(intake, opened(2), replace(opened(3), time=None), opened(1))
    close(intake, delivering)
    (conf,) = confs(stub)
    assert conf["ids"] == ["e-1", "e-2", "e-3"]
    assert conf["newest"] == "e-2"
    assert conf["_updraft"]["window"] == {"by": "north", "events": 3, "undated": 1}
    (run,) = stub.runs.values()
    assert "3 events (1 without a time) of `north`" in str(run["note"])


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_lines_come_back_as_they_went_in(data: dict[str, Any]) -> None:
    """A window does not change the content of an event."""
    events = [opened(1, more=data), event(id="e-2")]
    assert from_lines(b"".join(map(to_line, events))) == events


def test_an_event_that_could_not_be_read_back_is_refused() -> None:
    """An event that would make the window unreadable is refused."""
    with pytest.raises(EventError):
        to_line(event(id=""))


def test_an_event_that_no_window_takes_is_a_dead_letter(
    intake: Intake, delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that cannot be stored becomes a dead letter."""

    def refuse(*_: object) -> None:
        to_line(event(id=""))

    monkeypatch.setattr(delivering.windows, "collect", refuse)
    assert arrive(intake, opened(1)) == [OutcomeKind.REJECTED]
    (letter,) = delivering.letters.kept.values()
    assert (letter.code, letter.rule) == ("Unreadable", "burst")
    assert delivering.outcome_counts.balances()


def test_what_is_explained_is_the_run_of_a_single_event(rules: Rules) -> None:
    """`explain` shows the run of a window with this one event."""
    (decision,) = explain(opened(1), rules)
    assert decision.burst_key is not None
    assert (decision.burst_key.key, decision.burst_key.seconds) == ("north", 300)
    assert decision.request is not None
    assert decision.request.conf["ids"] == ["e-1"]


def versions() -> Rules:
    """Return rules whose run uses the version of the newest event, and the data of all events."""
    text = RULES.replace("newest: '{{ id }}'", "version: '{{ data.version }}'")
    text = text.replace("all: '{{ events }}'", "all: '{{ events | map(attribute=\"data\") }}'")
    return load_rules(text, file="rules.yaml", settings={})


def test_an_event_that_cannot_be_rendered_alone_is_in_the_run(
    delivering: Delivering, stub: AirflowStub
) -> None:
    """Only the whole window is rendered: older events may lack values of the newest event."""
    intake = delivering.intake(versions())
    events = [opened(1, version="1"), opened(2), opened(3, version="3")]
    assert arrive(intake, *events) == [OutcomeKind.COALESCED] * 3
    assert [each.kind for each in close(intake, delivering)] == [OutcomeKind.STARTED]
    (conf,) = confs(stub)
    assert (conf["version"], conf["all"]) == ("3", [each.data for each in events])
    assert delivering.letters.kept == {}
    assert delivering.outcome_counts.balances()


def test_a_run_that_cannot_be_rendered_is_a_dead_letter_of_the_close(
    delivering: Delivering, stub: AirflowStub
) -> None:
    """If the newest event lacks a value, no run starts, and the dead letter names the window."""
    intake = delivering.intake(versions())
    arrive(intake, opened(1, version="1"), opened(2))
    (outcome,) = close(intake, delivering)
    assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "TemplateError")
    assert "data.version" in outcome.reason
    assert stub.runs == {}
    (letter,) = delivering.letters.kept.values()
    assert isinstance(letter.subject, WindowClose)
    assert delivering.outcome_counts.balances()


@pytest.mark.parametrize(
    "refused",
    [
        replace(opened(2), data={"shop": None, "version": "2"}),
        opened(2, shop="north", more={"__type": "Order"}),
        replace(opened(2), id="\u200b"),
        replace(opened(2), source="/" + "\U0001f600" * 8_000, subject="\U0001f600" * 8_000),
    ],
    ids=["without a key", "with a reserved key", "without a visible id", "with a huge identity"],
)
def test_an_event_that_no_run_can_have_does_not_harm_the_others(
    delivering: Delivering, stub: AirflowStub, refused: Event
) -> None:
    """An event that would make its window's run fail is a dead letter, and the others have their run."""
    intake = delivering.intake(versions())
    arrived = arrive(intake, opened(1, version="1"), refused, opened(3, version="3"))
    assert arrived == [OutcomeKind.COALESCED, OutcomeKind.REJECTED, OutcomeKind.COALESCED]
    (letter,) = delivering.letters.kept.values()
    assert (letter.code, letter.subject) == ("TemplateError", refused)
    assert [each.kind for each in close(intake, delivering)] == [OutcomeKind.STARTED]
    assert confs(stub)[0]["ids"] == ["e-1", "e-3"]
    assert delivering.outcome_counts.balances()


def test_a_reserved_key_that_the_run_does_not_have_is_no_obstacle(
    delivering: Delivering, stub: AirflowStub
) -> None:
    """An event with a reserved key is collected if the rule omits that key."""
    text = RULES.replace("{{ events }}", "{{ events | without_reserved }}")
    assert text != RULES
    intake = delivering.intake(load_rules(text, file="rules.yaml", settings={}))
    assert arrive(intake, opened(1, more={"__type": "Order"})) == [OutcomeKind.COALESCED]
    assert [each.kind for each in close(intake, delivering)] == [OutcomeKind.STARTED]


def test_only_explain_renders_an_event_alone(rules: Rules) -> None:
    """Deciding renders only the key; explaining also shows why a single event has no run."""
    (decision,) = decide(opened(1), rules)
    assert (decision.request, decision.reason, decision.matched) == (None, None, True)
    assert decision.burst_key is not None
    (preview,) = explain(opened(1), versions())
    assert preview.burst_key == decision.burst_key
    assert preview.request is None
    assert "data.version" in str(preview.reason)


def test_an_event_without_a_key_is_told(rules: Rules) -> None:
    """An event without a value for `by` has a template error."""
    for data in ({}, {"shop": None}, {"shop": " "}):
        (decision,) = decide(event(type="Shop.Opened", data=data), rules)
        assert decision.request is None
        assert "coalesce.by" in str(decision.reason)


def test_the_run_ids_of_windows_are_pinned(rules: Rules) -> None:
    """The run id of a window depends only on the rule, the key and the window's id."""
    expected = "burst__north__1822536ab9d9b5ffc82dda2a"
    assert run_id_for_window("burst", "north", WINDOW) == expected
    for events in ((opened(1),), (opened(2), opened(3))):
        decision = decide_burst(Burst(WINDOW, "north", events), rules, "burst")
        assert decision.request is not None
        assert decision.request.dag_run_id == expected


def test_what_is_held_keeps_its_age(delivering: Delivering, stub: AirflowStub) -> None:
    """While the DAG is paused, a window and an event are parked until their `max_age`."""
    text = RULES + "  when_paused: hold\n  max_age: 1h\n"
    text += f"- {{name: each, when: {{types: ['*']}}, start: {{dag: {DAG}}}, "
    text += "when_paused: hold, max_age: 1h}\n"
    intake = delivering.intake(load_rules(text, file="rules.yaml", settings={}))
    stub.paused.add(DAG)
    assert arrive(intake, opened(1)) == [OutcomeKind.COALESCED, OutcomeKind.PARKED]
    rounds = 0
    while delivering.parking.kept:
        delivering.clock.sleep(120)
        close(intake, delivering)
        rounds += 1
        assert rounds <= 31
    assert len(delivering.letters.kept) == 2
    assert {letter.code for letter in delivering.letters.kept.values()} == {"TimeToLiveExceeded"}
    assert delivering.outcome_counts.balances()


def test_a_close_is_as_old_as_its_first_delivery(
    intake: Intake, delivering: Delivering, stub: AirflowStub
) -> None:
    """`max_age` counts from the end of the window."""
    arrive(intake, opened(1))
    stub.inject(500, times=99)
    delivering.clock.sleep(timedelta(days=2).total_seconds())
    (outcome,) = close(intake, delivering)
    assert outcome.kind is OutcomeKind.PARKED
