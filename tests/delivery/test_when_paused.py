"""`when_paused` and `max_age`: paused and draining DAGs, and how long a delivery may wait."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.loopback_server import Request
from shared.deciding.decide import Decision, decide
from shared.delivery.outcomes import OutcomeKind
from shared.delivery.paused_dags import FAILURE_KEPT, KEPT, PausedDags, Scheduling, scheduling_of
from shared.rules import load_rules
from shared.runs.request import Terms
from shared.values.json_text import JsonObject
from tests.support.clocks import SEEN, MonotonicClock
from tests.support.delivery import DAG, Delivering, decision, event
from tests.support.parked import of_message, parked_event

DAG_PATH = f"/api/v2/dags/{DAG}"


def asks_for_dag(request: Request) -> bool:
    """Return whether a request is for the DAG."""
    return request.method == "GET" and request.path == DAG_PATH


def on_terms(**terms: object) -> Decision:
    """Return a decision of a rule with these terms."""
    return decision(terms=Terms(**terms))  # type: ignore[arg-type] # the tests name the terms' own fields


def test_a_paused_dag_is_started_with_a_warning(stub: AirflowStub, delivering: Delivering) -> None:
    """By default the run is started, and the outcome warns that the DAG is paused."""
    stub.paused.add(DAG)
    outcome = delivering.deliver(event(), decision())
    assert outcome.kind is OutcomeKind.STARTED
    assert "the DAG is paused" in outcome.reason
    assert len(stub.runs) == 1


def test_the_warning_is_of_no_consequence(stub: AirflowStub, delivering: Delivering) -> None:
    """A run is started even if Airflow does not answer whether the DAG is paused."""
    stub.inject(500, times=9, when=asks_for_dag)
    outcome = delivering.deliver(event(), decision())
    assert (outcome.kind, outcome.reason) == (OutcomeKind.STARTED, "")


def test_the_warning_waits_for_no_place(stub: AirflowStub) -> None:
    """If all slots are in use after the start of the run, the DAG is not requested."""
    delivering = Delivering(stub.url, places=1)
    leave = delivering.limiter.leave

    def taken(rule: str, *, seconds: float, healthy: bool) -> None:
        leave(rule, seconds=seconds, healthy=healthy)
        delivering.limiter.enter("another", wait=0)

    delivering.limiter.leave = taken  # type: ignore[method-assign] # another thread takes the place at once
    assert delivering.deliver(event(), decision()).kind is OutcomeKind.STARTED
    assert stub.count("GET") == 0


def test_hold_waits_for_an_answer_that_can_be_read(stub: AirflowStub, delivering: Delivering) -> None:
    """If the answer about the DAG is not a JSON object, the event is parked, and no run starts."""
    for status, body in ((200, b"<html>"), (200, b"[]"), (200, b""), (403, b"no"), (404, b"")):
        stub.inject(status, body=body, when=asks_for_dag)
        held = delivering.deliver(event(), on_terms(when_paused="hold"))
        assert (held.kind, stub.runs) == (OutcomeKind.PARKED, {})
        delivering = Delivering(stub.url)


def test_hold_waits_until_the_dag_is_unpaused(stub: AirflowStub, delivering: Delivering) -> None:
    """With `hold` an event is parked, and starts its run when the DAG is unpaused."""
    stub.paused.add(DAG)
    held = delivering.deliver(event(), on_terms(when_paused="hold"))
    assert held.kind is OutcomeKind.PARKED
    assert "the DAG is paused" in held.reason
    assert stub.runs == {}
    stub.paused.clear()
    fresh = Delivering(stub.url)
    assert fresh.deliver(event(), on_terms(when_paused="hold")).kind is OutcomeKind.STARTED


def test_holding_is_no_attempt(stub: AirflowStub, delivering: Delivering) -> None:
    """The waits for a paused DAG do not grow, and each parking has its own blob name."""
    stub.paused.add(DAG)
    waiting, names = None, set()
    for _ in range(20):
        outcome = delivering.deliver(event(), on_terms(when_paused="hold"), parked=waiting)
        waiting, delay = delivering.parking.kept[-1]
        assert outcome.attempt == 1
        assert 60 <= delay <= 120
        names.add(waiting.claim_name())
        waiting = of_message(waiting.to_message())
    assert len(names) == 20


def test_holding_ends_at_the_greatest_age(stub: AirflowStub, delivering: Delivering) -> None:
    """A held event is rejected at its rule's `max_age`."""
    stub.paused.add(DAG)
    waiting = parked_event(event(), first_seen=SEEN - timedelta(hours=1))
    outcome = delivering.deliver(event(), on_terms(when_paused="hold", max_age=3600), parked=waiting)
    assert outcome.kind is OutcomeKind.REJECTED
    assert "given up after 1 h: the DAG is paused" in outcome.reason


def test_reject_makes_a_dead_letter(stub: AirflowStub, delivering: Delivering) -> None:
    """With `reject` no run starts, and the dead letter has the reason."""
    stub.paused.add(DAG)
    outcome = delivering.deliver(event(), on_terms(when_paused="reject"))
    assert (outcome.kind, stub.runs) == (OutcomeKind.REJECTED, {})
    assert next(iter(delivering.letters.kept.values())).code == "DagPaused"


@pytest.mark.parametrize("when_paused", ["hold", "reject"])
def test_a_dag_that_runs_is_started(stub: AirflowStub, delivering: Delivering, when_paused: str) -> None:
    """`when_paused` has no effect on an active DAG."""
    outcome = delivering.deliver(event(), on_terms(when_paused=when_paused))
    assert (outcome.kind, outcome.reason, len(stub.runs)) == (OutcomeKind.STARTED, "", 1)


def test_without_an_answer_nothing_is_started(stub: AirflowStub, delivering: Delivering) -> None:
    """If the state of the DAG is unknown, a rule with `hold` or `reject` waits."""
    stub.inject(503, times=9, when=asks_for_dag)
    outcome = delivering.deliver(event(), on_terms(when_paused="hold"))
    assert (outcome.kind, stub.runs) == (OutcomeKind.PARKED, {})


def test_an_identity_that_may_not_see_dags_waits_for_a_person(
    stub: AirflowStub, delivering: Delivering
) -> None:
    """If Airflow refuses to show the DAG, the event waits for operator action, with the reason."""
    stub.inject(403, {"detail": "Forbidden"}, times=9, when=asks_for_dag)
    outcome = delivering.deliver(event(), on_terms(when_paused="reject"))
    assert outcome.kind is OutcomeKind.PARKED
    assert "cannot find out whether the DAG is paused" in outcome.reason
    assert delivering.parking.kept[0][1] >= 900


def test_a_dag_without_its_state_is_no_answer(stub: AirflowStub, delivering: Delivering) -> None:
    """An `is_paused` that is not a boolean is an unexpected response."""
    stub.inject(200, {"dag_id": DAG, "is_paused": None}, times=9, when=asks_for_dag)
    outcome = delivering.deliver(event(), on_terms(when_paused="hold"))
    assert (outcome.kind, outcome.code, stub.runs) == (OutcomeKind.PARKED, "UnexpectedResponse", {})


def test_a_missing_dag_has_its_grace(stub: AirflowStub, delivering: Delivering) -> None:
    """An event for a missing DAG waits as with every other rule."""
    stub.dags.clear()
    outcome = delivering.deliver(event(), on_terms(when_paused="hold"))
    assert outcome.kind is OutcomeKind.PARKED
    assert 15 <= delivering.parking.kept[0][1] <= 300


def test_the_question_is_asked_once_a_minute(stub: AirflowStub) -> None:
    """Many threads together request the state of a DAG once."""
    delivering = Delivering(stub.url, read_timeout=25.0)
    threads = [
        threading.Thread(
            target=delivering.deliver,
            args=(event(), decision(dag_run_id=f"run__{number}", terms=Terms(when_paused="hold"))),
        )
        for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stub.runs) == 12
    assert [request.path for request in stub.seen if request.method == "GET"] == [DAG_PATH]


def test_answers_are_kept_for_a_minute_and_failures_less() -> None:
    """A state is cached for a minute, a failure for a shorter time, and each DAG separately."""
    clock, asked = MonotonicClock(), []
    states = PausedDags(clock)

    def answering(answer: Scheduling | str) -> Scheduling | str:
        asked.append(answer)
        return answer

    paused, active, none = Scheduling.PAUSED, Scheduling.ACTIVE, "no answer"
    assert states.scheduling("a", lambda: answering(paused)) is paused
    clock.sleep(KEPT - 1)
    assert states.scheduling("a", lambda: answering(active)) is paused
    assert states.scheduling("b", lambda: answering(none)) == none
    clock.sleep(1)
    assert states.scheduling("a", lambda: answering(active)) is active
    clock.sleep(FAILURE_KEPT - 1)
    assert states.scheduling("b", lambda: answering(active)) is active
    assert asked == [paused, none, active, active]


def test_a_draining_dag_gets_no_run(stub: AirflowStub, delivering: Delivering) -> None:
    """With `hold` an event for a draining DAG waits until the DAG is active again."""
    stub.draining.add(DAG)
    held = delivering.deliver(event(), on_terms(when_paused="hold"))
    assert (held.kind, held.code, stub.runs) == (OutcomeKind.PARKED, "DagPaused", {})
    assert held.attempt == 1
    assert "the DAG is draining, and the rule waits for it" in held.reason
    stub.draining.clear()
    stub.paused.add(DAG)  # as Airflow does at the end of draining
    still = Delivering(stub.url)
    assert still.deliver(event(), on_terms(when_paused="hold")).kind is OutcomeKind.PARKED
    stub.paused.clear()
    fresh = Delivering(stub.url)
    assert fresh.deliver(event(), on_terms(when_paused="hold")).kind is OutcomeKind.STARTED


def test_a_draining_dag_rejects_where_the_rule_says_so(stub: AirflowStub, delivering: Delivering) -> None:
    """With `reject` an event for a draining DAG is a dead letter, as for a paused DAG."""
    stub.draining.add(DAG)
    outcome = delivering.deliver(event(), on_terms(when_paused="reject"))
    assert (outcome.kind, outcome.code, stub.runs) == (OutcomeKind.REJECTED, "DagPaused", {})
    assert "the DAG is draining" in outcome.reason


def test_a_draining_dag_is_started_with_a_warning(stub: AirflowStub, delivering: Delivering) -> None:
    """With `start` the run is started, and the outcome warns that the DAG is draining."""
    stub.draining.add(DAG)
    outcome = delivering.deliver(event(), decision())
    assert (outcome.kind, len(stub.runs)) == (OutcomeKind.STARTED, 1)
    assert "the DAG is draining" in outcome.reason


@pytest.mark.parametrize(
    ("dag", "state"),
    [
        ({"is_paused": False}, Scheduling.ACTIVE),
        ({"is_paused": True}, Scheduling.PAUSED),
        ({"is_paused": False, "scheduling_state": "active"}, Scheduling.ACTIVE),
        ({"is_paused": False, "scheduling_state": "draining"}, Scheduling.DRAINING),
        ({"is_paused": True, "scheduling_state": "paused"}, Scheduling.PAUSED),
        ({"is_paused": True, "scheduling_state": "active"}, Scheduling.PAUSED),
        ({"is_paused": False, "scheduling_state": "paused"}, Scheduling.PAUSED),
        ({"is_paused": False, "scheduling_state": None}, Scheduling.ACTIVE),
        ({"is_paused": False, "scheduling_state": ["draining"]}, Scheduling.ACTIVE),
        ({"is_paused": False, "scheduling_state": "new in Airflow 4"}, Scheduling.ACTIVE),
        ({"scheduling_state": "draining"}, None),
        ({"is_paused": None}, None),
        ({}, None),
    ],
)
def test_the_state_of_a_dag_is_what_airflow_says(dag: JsonObject, state: Scheduling | None) -> None:
    """The states of all Airflow versions are read; without `is_paused` the state is unknown."""
    assert scheduling_of(dag) is state


def test_each_rule_has_its_greatest_age(stub: AirflowStub, delivering: Delivering) -> None:
    """Each rule rejects an event at its own `max_age`."""
    stub.inject(500, times=99)
    waiting = parked_event(event(), first_seen=SEEN - timedelta(minutes=30))
    short = delivering.deliver(event(), on_terms(max_age=1800), parked=waiting)
    long = delivering.deliver(event(), on_terms(max_age=86_400), parked=waiting)
    assert (short.kind, long.kind) == (OutcomeKind.REJECTED, OutcomeKind.PARKED)
    assert "given up after 30 min" in short.reason


def test_a_rule_says_its_terms(tmp_path: Path) -> None:
    """The request has the rule's `when_paused` and `max_age`; the defaults are `start` and a day."""
    rules = load_rules(
        "connections: {a: {url: 'https://airflow.example', auth: {kind: entra, scope: s}}}\n"
        "rules:\n"
        "- {name: one, when: {types: ['*']}, start: {dag: d}, when_paused: hold, max_age: 90m}\n"
        "- {name: two, when: {types: ['*']}, start: {dag: d}}\n",
        file=str(tmp_path),
        settings={},
    )
    terms = [each.request.terms for each in decide(event(), rules) if each.request]
    assert terms == [Terms(max_age=5400, when_paused="hold"), Terms()]
