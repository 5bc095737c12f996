"""`latest_by`: an older event does not start a run after a newer event of its key."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.loopback_server import Request
from shared.deciding.decide import Decision, decide
from shared.delivery.outcomes import OutcomeKind
from shared.event import Event
from shared.event.arrival import dated
from shared.rules import Rules, load_rules
from shared.runs.ids import MAX_RUN_ID, keyed, run_id_for_event, run_id_prefix
from tests.support.airflow_answers import run_of
from tests.support.delivery import DAG, Delivering, client_of, event

RULES = (
    "connections: {analytics: {url: 'https://airflow.example', auth: {kind: entra, scope: s}}}\n"
    "rules:\n"
    "- name: latest\n"
    "  when: {types: [Shop.Changed]}\n"
    f"  start: {{dag: {DAG}}}\n"
    "  latest_by: '{{ data.shop }}'\n"
)


@pytest.fixture
def rules() -> Rules:
    """One rule with `latest_by`."""
    return load_rules(RULES, file="rules.yaml", settings={})


def changed(number: int, *, shop: object = "north", time: str | None = "", id_: str = "") -> Event:
    """Return an event of a series with one event per second."""
    moment = f"2026-11-01T12:00:{number:02}Z" if time == "" else time
    return event(id=id_ or f"e-{number}", type="Shop.Changed", time=moment, data={"shop": shop})


def decided(rules: Rules, one: Event) -> Decision:
    """Return the rule's decision about an event."""
    (decision,) = decide(one, rules)
    return decision


def lists(request: Request) -> bool:
    """Return whether a request lists runs."""
    return request.method == "GET" and request.path.endswith("/dagRuns")


def test_an_older_event_is_superseded(stub: AirflowStub, delivering: Delivering, rules: Rules) -> None:
    """An older event starts no run after a newer event's run, and the reason names that run."""
    kinds = [delivering.deliver(changed(n), decided(rules, changed(n))) for n in (2, 5, 3, 6)]
    assert [each.kind for each in kinds] == [
        OutcomeKind.STARTED,
        OutcomeKind.STARTED,
        OutcomeKind.SUPERSEDED,
        OutcomeKind.STARTED,
    ]
    assert kinds[1].dag_run_id in kinds[2].reason
    assert len(stub.runs) == 3
    assert delivering.outcome_counts.balances()


def test_keys_do_not_supersede_each_other(delivering: Delivering, rules: Rules) -> None:
    """A newer event of another key has no effect, even if the keys are similar."""
    for number, shop in ((9, "north"), (1, "north-"), (2, "North"), (3, "north/1"), (4, "north 1"), (5, 7)):
        one = changed(number, shop=shop)
        assert delivering.deliver(one, decided(rules, one)).kind is OutcomeKind.STARTED


def test_events_of_the_same_time_both_start(delivering: Delivering, rules: Rules) -> None:
    """Of two events with the same time none is older; the offsets of the times have no effect."""
    for one in (changed(1), changed(1, id_="twin", time="2026-11-01T13:00:01+01:00")):
        assert delivering.deliver(one, decided(rules, one)).kind is OutcomeKind.STARTED


@pytest.mark.parametrize("time", [None, "", "yesterday", "2026-13-01T00:00:00Z"])
def test_an_event_without_a_time_is_a_dead_letter(
    stub: AirflowStub, delivering: Delivering, rules: Rules, time: str | None
) -> None:
    """An event without a usable time starts no run, and the dead letter has the reason."""
    odd = replace(changed(1), time=time)
    for before in ((), (changed(5),)):
        for one in before:
            assert delivering.deliver(one, decided(rules, one)).kind is OutcomeKind.STARTED
        outcome = delivering.deliver(odd, decided(rules, odd))
        assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "TemplateError")
        assert outcome.reason.startswith("latest_by: the event has ")
    assert len(stub.runs) == 1


def test_an_event_of_the_future_counts_as_of_its_arrival(
    stub: AirflowStub, delivering: Delivering, rules: Rules, caplog: pytest.LogCaptureFixture
) -> None:
    """An event with a time after its arrival supersedes older events, and a warning is logged."""
    ahead = dated(changed(1, time="2999-01-01T00:00:00Z"), datetime(2026, 11, 1, 12, 0, 30, tzinfo=UTC))
    events = (ahead, changed(29), ahead, changed(31))
    kinds = [delivering.deliver(each, decided(rules, each)).kind for each in events]
    assert kinds == [
        OutcomeKind.STARTED,
        OutcomeKind.SUPERSEDED,
        OutcomeKind.DUPLICATE,
        OutcomeKind.STARTED,
    ]
    assert "a time after its arrival" in caplog.text
    request = decided(rules, ahead).request
    assert request is not None
    conf: Any = stub.runs[DAG, request.dag_run_id]["conf"]
    assert conf["_updraft"]["event"]["time"] == "2026-11-01T12:00:30Z"
    assert conf["_updraft"]["event"]["stated_time"] == "2999-01-01T00:00:00Z"


def test_a_time_ahead_does_not_change_a_run_id(rules: Rules) -> None:
    """The run id does not depend on the time of arrival or the number of deliveries."""
    one = changed(1, time="2999-01-01T00:00:00Z")
    arrivals = (dated(one, datetime(2026, 11, day, tzinfo=UTC)) for day in (1, 2, 3))
    requests = [decided(rules, each).request for each in (one, *arrivals)]
    assert len({each.dag_run_id for each in requests if each is not None}) == 1


def test_a_parked_event_of_the_future_keeps_its_first_arrival(
    stub: AirflowStub, delivering: Delivering, rules: Rules
) -> None:
    """A parked event keeps its time of arrival, so a later genuine event is newer."""
    intake = delivering.intake(rules)
    body = json.dumps(changed(1, time="2999-01-01T00:00:00Z").to_cloud_event())
    stub.inject(503, times=99)
    intake.receive_message(body, first_seen=datetime(2026, 11, 1, 12, tzinfo=UTC))
    stub.heal()
    delivering.clock.sleep(10_000)
    genuine = changed(10)
    assert delivering.deliver(genuine, decided(rules, genuine)).kind is OutcomeKind.STARTED
    ((parked, _),) = delivering.parking.kept
    assert intake.receive_parked(parked.to_message()).kind is OutcomeKind.SUPERSEDED


def test_a_redelivery_is_a_duplicate(delivering: Delivering, rules: Rules) -> None:
    """A redelivered event is a duplicate of its own run, even after newer runs."""
    for number in (1, 2):
        delivering.deliver(changed(number), decided(rules, changed(number)))
    again = delivering.deliver(changed(1), decided(rules, changed(1)))
    assert again.kind is OutcomeKind.DUPLICATE


def test_without_an_answer_nothing_is_started(
    stub: AirflowStub, delivering: Delivering, rules: Rules
) -> None:
    """If Airflow does not list the runs, the event waits."""
    stub.inject(503, times=9, when=lists)
    outcome = delivering.deliver(changed(1), decided(rules, changed(1)))
    assert (outcome.kind, stub.runs) == (OutcomeKind.PARKED, {})
    stub.heal()
    stub.inject(403, {"detail": "Forbidden"}, times=9, when=lists)
    outcome = delivering.deliver(changed(1), decided(rules, changed(1)))
    assert (outcome.kind, stub.runs) == (OutcomeKind.PARKED, {})
    assert "cannot be looked up" in outcome.reason


def test_a_missing_dag_has_its_grace(stub: AirflowStub, delivering: Delivering, rules: Rules) -> None:
    """An event for a missing DAG waits as with every other rule."""
    stub.dags.clear()
    assert delivering.deliver(changed(1), decided(rules, changed(1))).kind is OutcomeKind.PARKED
    assert delivering.parking.kept[0][1] <= 300


@pytest.mark.parametrize(
    "runs",
    [
        [],
        [run_of(run_id="other__x", conf=None)],
        [run_of(run_id="other__x", conf={"_updraft": {"event": {"time": "2027-01-01T00:00:00Z"}}})],
    ],
)
def test_runs_that_say_nothing_supersede_nothing(
    stub: AirflowStub,
    delivering: Delivering,
    rules: Rules,
    runs: Any,
) -> None:
    """Runs of other keys have no effect, whatever their confs contain."""
    prefix = run_id_prefix("latest", "north")
    named = [run | {"dag_run_id": run["dag_run_id"].format(prefix=prefix)} for run in runs]
    stub.inject(200, {"dag_runs": named, "total_entries": len(named)}, when=lists)
    outcome = delivering.deliver(changed(1), decided(rules, changed(1)))
    assert outcome.kind is OutcomeKind.STARTED


@pytest.mark.parametrize(
    "conf",
    [
        None,
        "***",
        {},
        {"_updraft": "***"},
        {"_updraft": {"event": {}}},
        {"_updraft": {"event": {"time": None}}},
        {"_updraft": {"event": {"time": "yesterday"}}},
        {"_updraft": {"event": {"time": 7}}},
    ],
)
def test_a_run_that_does_not_say_its_time_is_not_taken_for_the_oldest(
    stub: AirflowStub,
    delivering: Delivering,
    rules: Rules,
    conf: Any,
) -> None:
    """If a run of the key hides the time of its event, operator action is needed."""
    hidden = run_of(run_id=f"{run_id_prefix('latest', 'north')}x", conf=conf)
    stub.inject(200, {"dag_runs": [hidden], "total_entries": 1}, when=lists)
    outcome = delivering.deliver(changed(1), decided(rules, changed(1)))
    assert (outcome.kind, outcome.code, stub.runs) == (OutcomeKind.PARKED, "OrderUnknown", {})
    assert "does not have the time of its event" in outcome.reason
    assert outcome.retry_in is not None
    assert outcome.retry_in >= 900


def test_a_newer_run_supersedes_beside_one_that_does_not_say(
    stub: AirflowStub, delivering: Delivering, rules: Rules
) -> None:
    """One run with a newer event is enough to supersede."""
    prefix = run_id_prefix("latest", "north")
    newer: Any = {"_updraft": {"event": {"time": "2027-01-01T00:00:00Z"}}}
    runs: Any = [run_of(run_id=f"{prefix}x", conf=None), run_of(run_id=f"{prefix}y", conf=newer)]
    stub.inject(200, {"dag_runs": runs, "total_entries": 2}, when=lists)
    outcome = delivering.deliver(changed(1), decided(rules, changed(1)))
    assert outcome.kind is OutcomeKind.SUPERSEDED


@pytest.mark.parametrize(
    "body",
    [
        {"status": "ok"},
        {"dag_runs": None},
        {"dag_runs": "no list"},
        {"dag_runs": [None]},
        {"dag_runs": [{"dag_run_id": 7}]},
        {"dag_runs": [run_of("another_dag")]},
        "<html>Sign in</html>",
        "",
        [],
    ],
)
def test_what_is_no_list_of_runs_starts_nothing(
    stub: AirflowStub,
    delivering: Delivering,
    rules: Rules,
    body: Any,
) -> None:
    """Another service's answer to the request for newer runs does not count: the event waits."""
    stub.inject(200, body, times=9, when=lists)
    outcome = delivering.deliver(changed(1), decided(rules, changed(1)))
    assert (outcome.kind, stub.runs) == (OutcomeKind.PARKED, {})
    assert "cannot be looked up" in outcome.reason
    assert delivering.parking.kept[0][1] >= 900


def test_airflow_2_is_asked_for_its_newest_runs(stub: AirflowStub) -> None:
    """API version 1 cannot search for run ids, so the newest runs of the DAG are requested."""
    stub.inject(200, {"dag_runs": []}, when=lambda request: "/api/v1/" in request.path)
    client = client_of(stub.url, api="v1")
    assert client.newest_runs(DAG, "latest__north-").body == {"dag_runs": []}
    (line,) = stub.seen
    assert (line.method, line.path) == ("GET", f"/api/v1/dags/{DAG}/dagRuns")


def test_the_run_id_is_found_by_its_key(rules: Rules) -> None:
    """The run ids of a key have a common prefix and the event's own hash; they never change."""
    request = decided(rules, changed(1)).request
    assert request is not None
    assert request.dag_run_id == "latest__north-6badf9a2e43b78f006de718c__7d58c3b56682ca45f77acbe1"
    assert (
        request.dag_run_id.rpartition("__")[2]
        == run_id_for_event("latest", "/sites/shop", "e-1").rpartition("__")[2]
    )


@given(rule=st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True), key=st.text(min_size=1))
def test_every_key_makes_a_run_id_that_airflow_takes(rule: str, key: str) -> None:
    """For each key the run id is valid in Airflow, and its prefix has no wildcard."""
    prefix = run_id_prefix(rule, key)
    run_id = keyed(run_id_for_event(rule, "s", "e"), rule, key)
    assert run_id.startswith(prefix)
    assert len(run_id) <= MAX_RUN_ID
    assert re.fullmatch(r"[A-Za-z0-9_.~:+-]+", run_id)
    assert ".." not in run_id
    assert not set("~|%*") & set(prefix)


def test_an_event_without_a_key_is_told(rules: Rules) -> None:
    """An event without a value for `latest_by` has a template error."""
    decision = decided(rules, changed(1, shop=None))
    assert decision.request is None
    assert "latest_by" in str(decision.reason)
