import json
from datetime import UTC, datetime, timedelta

import pytest

from local.stand_ins.airflow_stub import AirflowStub
from shared.deciding.decide import Decision
from shared.delivery.hops import HOPS, Arrival, milliseconds
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.rules import Rules, load_rules
from shared.runs.direct_run import DirectRun
from shared.stores.parked import Parked
from shared.stores.work_items import WindowClose
from tests.support.clocks import SEEN
from tests.support.delivery import Delivering, decision, event
from tests.support.direct_runs import CALLED

RULES = """
connections:
  analytics: {url: "https://airflow.example", auth: {kind: entra, scope: "api://airflow/.default"}}
rules:
  - {name: smoke, when: {types: [Shop.Opened]}, start: {dag: smoke_tests}}
  - name: many
    when: {types: [Shop.Sold]}
    start: {dag: smoke_tests}
    coalesce: {by: "{{ source }}", window: 60s}
"""
_BEFORE = {"published", "waited"}


def rules() -> Rules:
    """Return a rule that starts a run, and a rule with `coalesce`."""
    return load_rules(RULES, file="rules.yaml", settings={})


def body(**changes: str) -> str:
    """Return an event that happened ten seconds ago."""
    happened = (datetime.now(UTC) - timedelta(seconds=10)).isoformat()
    known = {"specversion": "1.0", "id": "e-1", "source": "/shop", "type": "Shop.Opened", "time": happened}
    return json.dumps(known | changes)


def parts(outcome: Outcome) -> float:
    """Return the sum of the hops within the total."""
    return sum(value for name, value in outcome.milliseconds.items() if name not in {*_BEFORE, "total"})


def test_every_millisecond_has_a_name() -> None:
    """The hops of a delivery add up to its total; `other` is the rest."""
    hops = milliseconds(1.0, {"read": 0.1, "decide": 0.2}, before={"waited": 5.0})
    assert hops == {"waited": 5000, "read": 100, "decide": 200, "other": pytest.approx(700), "total": 1000}
    assert list(hops) == [name for name in HOPS if name in hops], "in the order of time"
    assert milliseconds(0.1, {"airflow": 0.2})["other"] == 0, "never below zero"


def test_an_arrival_knows_publishing_and_waiting() -> None:
    """`published` ends at the arrival of the body, and `waited` begins there."""
    arrival = Arrival(SEEN, 0.5)
    happened = event(time="2026-11-01T11:59:58Z")
    now = SEEN + timedelta(seconds=4)
    assert arrival.before(happened, now, 1.0) == {"published": 2.0, "waited": 3.0}
    assert arrival.before(event(time=None), now, 9.0) == {"waited": 0.0}
    assert arrival.before(event(time="yesterday"), now, 0.0) == {"waited": 4.0}


def test_an_event_of_the_queue_says_how_long_it_lay_there(stub: AirflowStub) -> None:
    """For a queue message, `published` ends when Storage received it."""
    delivering = Delivering(stub.url)
    inserted = delivering.clock.now() - timedelta(seconds=6)
    text = body(time="2026-11-01T11:59:50Z")
    (outcome,) = delivering.intake(rules()).receive_message(text, first_seen=inserted)
    assert outcome.kind is OutcomeKind.STARTED
    assert outcome.milliseconds["published"] == 4_000
    assert outcome.milliseconds["waited"] == pytest.approx(6_000, abs=100)
    assert set(outcome.milliseconds) == {
        *("published", "waited", "read", "decide", "slot", "token", "airflow", "other", "total")
    }


def test_a_pushed_event_waits_for_nothing(stub: AirflowStub) -> None:
    """An event that Event Grid pushes has a short `waited`, and `read` is more than zero."""
    delivering = Delivering(stub.url)
    delivering.clock.seconds = (datetime.now(UTC) - SEEN).total_seconds()
    (outcome,) = delivering.intake(rules()).receive(body())
    assert outcome.milliseconds["published"] == pytest.approx(10_000, abs=2_000)
    assert outcome.milliseconds["waited"] < 2_000
    assert outcome.milliseconds["read"] > 0


def test_what_was_parked_says_since_when_it_waits(stub: AirflowStub) -> None:
    """`waited` of a parked delivery counts from the event's first arrival."""
    delivering = Delivering(stub.url)
    stub.inject(503, times=5)
    intake = delivering.intake(rules())
    (parked,) = intake.receive_message(body())
    assert parked.milliseconds["pause"] > 0
    assert parts(parked) == pytest.approx(parked.milliseconds["total"], rel=0.2)
    delivering.clock.sleep(100)
    outcome = intake.receive_parked(delivering.parking.kept[0][0].to_message())
    assert outcome.kind is OutcomeKind.STARTED
    assert outcome.milliseconds["waited"] >= 100_000
    assert "published" not in outcome.milliseconds


def test_a_collected_event_says_how_long_storage_took(stub: AirflowStub) -> None:
    """An event in a window has the hop `storage`, and no hop at Airflow."""
    (outcome,) = Delivering(stub.url).intake(rules()).receive(body(type="Shop.Sold"))
    assert outcome.kind is OutcomeKind.COALESCED
    assert (outcome.event_type, outcome.source) == ("Shop.Sold", "/shop")
    assert set(outcome.milliseconds) == {
        *("published", "waited", "read", "decide", "storage", "other", "total")
    }
    assert parts(outcome) == pytest.approx(outcome.milliseconds["total"])


def test_every_outcome_has_the_events_type_and_source(delivering: Delivering) -> None:
    """Started and rejected outcomes have the event's type and source."""
    started = delivering.deliver(event(), decision())
    rejected = delivering.deliver(event(), Decision("smoke", matched=False, reason="no", request=None))
    assert {(each.event_type, each.source) for each in (started, rejected)} == {
        ("Microsoft.Web.SlotSwapCompleted", "/sites/shop")
    }


@pytest.mark.parametrize(
    ("work", "known"),
    [
        (CALLED, ("k-1", "", CALLED.source)),
        (WindowClose("smoke", "0" * 32, "north"), ("0" * 32, "", "")),
    ],
)
def test_a_direct_run_and_a_window_have_no_type(
    delivering: Delivering, work: DirectRun | WindowClose, known: tuple[str, str, str]
) -> None:
    """The outcome of a direct run has the caller's source, and a window's has no source; both have an id."""
    with delivering.closing.delivery("smoke"):
        started = delivering.relay.deliver(work, decision(), parked=Parked(work, 0, SEEN))
    assert started.kind is OutcomeKind.STARTED
    assert (started.dag_id, started.milliseconds["waited"]) == ("smoke_tests", 0)
    kept = delivering.closing.keep(work, "PermissionRevoked", "no")
    assert {(each.event_id, each.event_type, each.source) for each in (started, kept)} == {known}
