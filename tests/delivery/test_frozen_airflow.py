"""The log, the reasons and the counts while Airflow does not answer."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from local.stand_ins.airflow_stub import AirflowStub
from shared.admission.limiter import Slots
from shared.delivery.outcomes import AIRFLOW_NOT_ANSWERING, OutcomeKind, Wait
from shared.delivery.repeats import EVERY, Repeats
from shared.rules import Rules, load_rules
from shared.values.json_text import JsonObject
from tests.support.clocks import MonotonicClock
from tests.support.delivery import Delivering, decision, event
from tests.support.parked import of_message, parked_event

EVENTS = 12
ROUNDS = 5
RULES = """
connections:
  analytics: {url: "https://airflow.example", auth: {kind: entra, scope: "api://airflow/.default"}}
rules:
  - {name: smoke, when: {types: [Shop.Opened]}, start: {dag: smoke_tests}}
"""


def rules() -> Rules:
    """Return one rule without a condition."""
    return load_rules(RULES, file="rules.yaml", settings={})


def lines(caplog: pytest.LogCaptureFixture) -> list[JsonObject]:
    """Return the app's log lines as JSON objects."""
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == "updraft"]


def body(number: int) -> str:
    """Return an event as a body of the event queue."""
    return json.dumps(
        {"specversion": "1.0", "id": f"e-{number}", "source": "/shop", "type": "Shop.Opened", "data": {}}
    )


def try_again(delivering: Delivering, seconds: float) -> None:
    """Wait, and then deliver each parked message again."""
    waiting, delivering.parking.kept = delivering.parking.kept, []
    delivering.clock.sleep(seconds)
    intake = delivering.intake(rules())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(intake.receive_parked, [each.to_message() for each, _ in waiting]))


def test_an_outage_is_a_line_an_event_and_not_a_line_a_try(
    stub: AirflowStub, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of twelve events is logged at its first parking and at its outcome; all tries are counted."""
    caplog.set_level(logging.INFO, logger="updraft")
    delivering = Delivering(stub.url, read_timeout=0.2, places=4)
    intake = delivering.intake(rules())
    stub.latency = 1.0
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(intake.receive_message, map(body, range(EVENTS))))
    for _ in range(ROUNDS):
        try_again(delivering, 31)
    stub.latency = 0.0
    while delivering.parking.kept:
        try_again(delivering, 31)
    logged = lines(caplog)
    kinds = [line.get("outcome") for line in logged]
    ended = kinds.count("started") + kinds.count("duplicate")  # a request without an answer created its run
    assert (kinds.count("parked"), ended, len(stub.runs)) == (EVENTS, EVENTS, EVENTS)
    assert len(logged) <= 2 * EVENTS + 3
    counts = delivering.outcome_counts.by_rule()["smoke"]
    assert counts["parked"] >= EVENTS * (ROUNDS + 1), "counts do not depend on lines"
    assert counts["received"] == counts["parked"] + counts["started"] + counts["duplicate"]
    assert delivering.outcome_counts.balances()
    assert {line["cause"] for line in logged if line.get("outcome") == "parked"} == {AIRFLOW_NOT_ANSWERING}
    last = logged[-1]
    assert int(str(last["waits"])) > ROUNDS, "the last line has the number and the time of the waits"
    assert isinstance(last["milliseconds"], dict)
    assert float(str(last["milliseconds"]["waited"])) >= 31_000 * ROUNDS


def test_an_open_circuit_is_told_as_what_opened_it(stub: AirflowStub) -> None:
    """The reason has the time of the first failed request, and the time of the next try."""
    delivering = Delivering(stub.url, read_timeout=0.1)
    stub.latency = 0.5
    delivering.clock.seconds = 5.0
    delivering.deliver(event(), decision())
    outcome = delivering.deliver(event(), decision())
    assert outcome.cause == AIRFLOW_NOT_ANSWERING
    assert outcome.reason.startswith(
        "Airflow `analytics` has not answered since 12:00:05 UTC; next try 12:00:3"
    )


def test_slots_that_hang_are_not_told_as_a_want_of_slots(stub: AirflowStub) -> None:
    """If requests without an answer use all slots, the reason is Airflow."""
    delivering = Delivering(stub.url, places=1)
    hanging = delivering.breaker.enter()
    assert hanging is not None
    assert delivering.limiter.enter("other", wait=0)
    hanging.sent()
    delivering.clock.sleep(1)
    full = delivering.deliver(event(), decision(), deadline=delivering.clock() + 0.6)
    assert full.reason == "waits for a slot: 1 of 1 requests to Airflow are in flight (oldest for 1 s)"
    assert full.cause == full.code
    delivering.clock.sleep(2)
    hung = delivering.deliver(event(), decision(), deadline=delivering.clock() + 0.6)
    assert hung.reason == "Airflow `analytics` has not answered since 12:00:00 UTC"
    assert (hung.cause, hung.wait) == (AIRFLOW_NOT_ANSWERING, Wait.NO_CAPACITY)


@pytest.mark.parametrize(
    ("slots", "reason"),
    [
        (Slots(0, 0, 8), "waits for a slot: other instances hold the 8 slots of this Airflow"),
        (
            Slots(2, 2, 8),
            (
                "waits for a slot: 2 of 2 requests that this instance may send now are in flight; "
                "all instances together may send 8"
            ),
        ),
        (Slots(9, 8, 8), "waits for a slot: 8 of 8 requests to Airflow are in flight"),
    ],
)
def test_a_want_of_slots_says_who_has_them(stub: AirflowStub, slots: Slots, reason: str) -> None:
    """While Airflow answers, the reason is the slots of this instance or of other instances."""
    delivering = Delivering(stub.url, places=1)
    delivering.limiter.enter("other", wait=0)
    delivering.limiter.slots = lambda: slots  # type: ignore[method-assign] # as another instance sees them
    assert delivering.deliver(event(), decision(), deadline=delivering.clock() + 0.6).reason == reason


def test_no_time_left_is_told_as_the_outage_that_took_it(stub: AirflowStub) -> None:
    """If Airflow's outage used up the time budget, the outage is the reason."""
    delivering = Delivering(stub.url)
    nothing_left = delivering.clock()
    assert delivering.deliver(event(), decision(), deadline=nothing_left).cause != AIRFLOW_NOT_ANSWERING
    stub.inject(500, times=99)
    delivering.deliver(event(), decision())
    outcome = delivering.deliver(event(), decision(), deadline=delivering.clock())
    assert outcome.cause == AIRFLOW_NOT_ANSWERING
    assert "has answered only with errors (the last one HTTP 500) since 12:00:00 UTC" in outcome.reason


def test_another_cause_is_another_line(stub: AirflowStub, caplog: pytest.LogCaptureFixture) -> None:
    """An event with a new cause is logged again, and with the same cause it is not."""
    caplog.set_level(logging.INFO, logger="updraft")
    delivering = Delivering(stub.url)
    intake = delivering.intake(rules())
    stub.inject(503, times=6)
    intake.receive_message(body(1))
    stub.forbidden.add("smoke_tests")
    for _ in range(3):
        try_again(delivering, 60)
    parked = [line for line in lines(caplog) if line.get("outcome") == "parked"]
    assert [line["cause"] for line in parked] == [AIRFLOW_NOT_ANSWERING, "Forbidden"]
    assert delivering.outcome_counts.by_rule()["smoke"]["parked"] == 4


def test_a_message_carries_the_cause(delivering: Delivering) -> None:
    """The parked message has the cause, so each instance knows which cause was logged."""
    waiting = parked_event(event(), first_seen=delivering.clock.now())
    noted = replace(waiting, cause=AIRFLOW_NOT_ANSWERING)
    assert of_message(noted.to_message()).cause == AIRFLOW_NOT_ANSWERING
    assert "cause" not in json.loads(waiting.to_message())


def test_a_long_outage_has_a_line_every_few_minutes(
    stub: AirflowStub, caplog: pytest.LogCaptureFixture
) -> None:
    """Repeated parkings have one line per connection, with their number and the level of the cause."""
    caplog.set_level(logging.INFO, logger="updraft")
    delivering = Delivering(stub.url)
    stub.inject(500, times=99)
    outcome = delivering.deliver(event(), decision())
    assert outcome.kind is OutcomeKind.PARKED
    caplog.clear()
    clock = MonotonicClock()
    repeats, again = Repeats(clock), replace(outcome, is_repeat=True)
    repeats.note(outcome)
    for _ in range(3):
        repeats.note(again)
        clock.sleep(EVERY / 2 + 1)
    (line,) = lines(caplog)
    assert "outcome" not in line, "it is not the line of an outcome"
    assert (line["connection"], line["cause"], line["tries"]) == ("analytics", AIRFLOW_NOT_ANSWERING, 3)
    assert caplog.records[-1].levelno == logging.WARNING
    repeats.note(again)
    assert len(lines(caplog)) == 1, "a new count begins"
    clock.sleep(EVERY)
    repeats.note(outcome)
    repeats.note(again)
    assert len(lines(caplog)) == 1, "a line of an event's own begins the next seconds"
    clock.sleep(EVERY)
    repeats.note(again)
    assert len(lines(caplog)) == 2, "rare tries have a summary each"


def test_a_slot_that_is_not_there_is_no_news_of_what_waits(
    stub: AirflowStub, caplog: pytest.LogCaptureFixture
) -> None:
    """An event that finds no slot after an outage has no new log line."""
    caplog.set_level(logging.INFO, logger="updraft")
    delivering = Delivering(stub.url, places=1)
    intake = delivering.intake(rules())
    stub.inject(503, times=5)
    intake.receive_message(body(1))
    delivering.limiter.enter("other", wait=0)
    delivering.clock.sleep(60)
    probe = delivering.breaker.enter()
    assert probe is not None
    probe.end(healthy=True)
    try_again(delivering, 1)
    assert len(delivering.parking.kept) == 1
    assert delivering.parking.kept[0][0].cause == AIRFLOW_NOT_ANSWERING
    assert len(lines(caplog)) == 1
