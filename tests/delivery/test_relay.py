import json
import logging
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Literal

import pytest

from local.stand_ins.airflow_stub import AirflowStub
from shared.deciding.decide import Decision
from shared.delivery.outcomes import OutcomeKind
from shared.delivery.policy import Policy
from shared.errors import StorageUnavailable, TokenUnavailable
from shared.runs.provenance import is_ours
from shared.runs.request import Terms
from shared.stores.parked import Parked
from shared.stores.work_items import RuleEvent
from shared.values.json_text import Json
from tests.support.clocks import SEEN
from tests.support.delivery import (
    DAG,
    RUN_ID,
    Delivering,
    conf,
    decision,
    event,
    run_request,
    started_by_somebody_else,
)
from tests.support.failure_cases import CASES, Case, looks_up, starts
from tests.support.parked import parked_event


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_row_ends_as_the_table_says(stub: AirflowStub, delivering: Delivering, case: Case) -> None:
    """Each case has the outcome of its row, is counted once, and is parked or dead-lettered without a run."""
    for changes in case.before:
        assert delivering.deliver(event(), decision(**changes)).kind is OutcomeKind.STARTED
    before = len(case.before)
    if case.fault is not None:
        case.fault(stub)

    outcome = delivering.deliver(event(), decision(**case.changes))

    assert outcome.kind is case.outcome, outcome.reason
    assert case.says in outcome.reason
    assert "\n" not in outcome.reason
    assert len(stub.runs) == case.runs
    assert len(delivering.parking.kept) == (case.outcome is OutcomeKind.PARKED)
    assert len(delivering.letters.kept) == (case.outcome is OutcomeKind.REJECTED)
    counts = delivering.outcome_counts.by_rule()["smoke"]
    assert counts["received"] == before + 1
    assert delivering.outcome_counts.balances()
    assert delivering.clock.seconds <= Policy().budget


def test_time_is_told_for_each_hop(delivering: Delivering) -> None:
    """An outcome has the milliseconds of each hop and of the total."""
    outcome = delivering.deliver(event(), decision(), decide_seconds=0.25)
    assert set(outcome.milliseconds) == {"read", "decide", "slot", "token", "airflow", "other", "total"}
    assert outcome.milliseconds["decide"] == 250
    assert outcome.milliseconds["airflow"] > 0


def test_a_conflict_that_quotes_our_run_id_needs_no_look_up(
    stub: AirflowStub, delivering: Delivering
) -> None:
    """A 409 that names our run is trusted; after a 409 without a run id, the run is looked up."""
    stub.expose_stacktrace = True
    assert delivering.deliver(event(), decision()).kind is OutcomeKind.STARTED
    stub.forget()
    assert delivering.deliver(event(), decision()).kind is OutcomeKind.DUPLICATE
    assert (stub.count("POST"), stub.count("GET", "/api/v2/dags/smoke_tests/dagRuns/")) == (1, 0)
    stub.expose_stacktrace = False
    stub.forget()
    assert delivering.deliver(event(), decision()).kind is OutcomeKind.DUPLICATE
    assert (stub.count("POST"), stub.count("GET", "/api/v2/dags/smoke_tests/dagRuns/")) == (1, 1)


def test_a_conflict_after_doubt_is_looked_up(stub: AirflowStub, delivering: Delivering) -> None:
    """After an ambiguous answer, a foreign run with our run id is not taken for ours."""
    started_by_somebody_else(stub, event_id="another")
    stub.inject(500, when=starts)
    outcome = delivering.deliver(event(), decision())
    assert outcome.kind is OutcomeKind.REJECTED
    assert next(iter(delivering.letters.kept.values())).code == "RunIdTaken"


def test_a_run_of_the_same_dedupe_key_is_ours(stub: AirflowStub, delivering: Delivering) -> None:
    """With a dedupe key, another event's run of that key is a duplicate."""
    started_by_somebody_else(stub, key="deploy-7", event_id="another")
    stub.inject(500, when=starts)
    outcome = delivering.deliver(event(), decision(conf=conf("deploy-7")))
    assert outcome.kind is OutcomeKind.STARTED


@pytest.mark.parametrize(
    ("there", "ours"),
    [
        (conf(), True),
        (conf() | {"other": "members do not matter"}, True),
        (conf(event_id="e-2"), False),
        (conf("deploy-7"), False),
        (
            {"_updraft": {"rule": "other", "event": {"id": "e-1", "source": "/sites/shop"}, "key": None}},
            False,
        ),
        ({"_updraft": {"rule": "smoke", "event": "e-1"}}, True),
        ({"_updraft": {"rule": "***", "event": {"id": "***", "source": "***"}, "key": "***"}}, True),
        ({"_updraft": {"rule": "smoke", "event": {"id": "e-1", "source": "***"}, "key": None}}, True),
        ({"_updraft": {"rule": "smoke", "event": {"id": "e-2", "source": "***"}, "key": None}}, False),
        ({"_updraft": "***"}, True),
        ("***", True),
        ('{"_updraft": {}}', True),
        ({}, True),
        (None, True),
    ],
)
def test_a_run_is_known_by_the_identity_in_its_conf(there: Json, *, ours: bool) -> None:
    """A run with our id is ours unless its conf names another rule, event or dedupe key."""
    assert is_ours(there, run_request()) is ours


def test_a_run_that_vanishes_between_is_started_again(stub: AirflowStub, delivering: Delivering) -> None:
    """If the look-up after a conflict finds no run, the run is requested again."""
    stub.inject(500, times=1, when=starts)
    stub.inject(404, {"detail": f"The DagRun with run_id: `{RUN_ID}` was not found"}, times=1, when=looks_up)
    stub.inject(409, times=1, when=starts)
    stub.inject(404, {"detail": f"The DagRun with run_id: `{RUN_ID}` was not found"}, times=1, when=looks_up)
    assert delivering.deliver(event(), decision()).kind is OutcomeKind.STARTED
    assert len(stub.runs) == 1


def test_a_lookup_that_is_refused_waits_for_a_person(stub: AirflowStub, delivering: Delivering) -> None:
    """If the identity may start runs but not read them, the reason says it, and the event waits."""
    stub.inject(500, when=starts)
    stub.inject(403, {"detail": "Forbidden"}, times=9, when=looks_up)
    outcome = delivering.deliver(event(), decision())
    assert outcome.kind is OutcomeKind.PARKED
    assert "cannot be looked up" in outcome.reason
    assert delivering.parking.kept[0][1] >= 900


def test_a_lookup_that_fails_is_repeated(stub: AirflowStub, delivering: Delivering) -> None:
    """A look-up is tried again after an outage."""
    stub.inject(0, when=starts, after_handling=True)
    stub.inject(503, times=2, when=looks_up)
    assert delivering.deliver(event(), decision()).kind is OutcomeKind.STARTED
    assert stub.count("GET", f"/api/v2/dags/{DAG}/dagRuns/") == 3


def test_retry_after_is_kept_to(stub: AirflowStub, delivering: Delivering) -> None:
    """A `Retry-After` beyond the time budget is the wait in the queue."""
    stub.inject(429, retry_after=120, times=9)
    outcome = delivering.deliver(event(), decision())
    assert outcome.retry_in is not None
    assert outcome.retry_in >= 120
    assert stub.count() == 1
    assert delivering.clock.slept == []


def test_a_short_retry_after_is_waited_out(stub: AirflowStub, delivering: Delivering) -> None:
    """A `Retry-After` within the time budget is waited for in the process."""
    stub.inject(429, retry_after=3)
    assert delivering.deliver(event(), decision()).kind is OutcomeKind.STARTED
    assert delivering.clock.slept[0] >= 3


def test_an_open_breaker_sends_nothing(stub: AirflowStub, delivering: Delivering) -> None:
    """While the circuit breaker is open no request is sent; the event waits at least until the probe."""
    stub.inject(500, times=99)
    for _ in range(2):
        delivering.deliver(event(), decision())
    assert delivering.breaker.retry_in > 0
    stub.forget()
    outcome = delivering.deliver(event(), decision())
    assert stub.count() == 0
    assert outcome.kind is OutcomeKind.PARKED
    assert outcome.retry_in is not None
    assert outcome.retry_in >= delivering.breaker.retry_in > 0


def test_a_breaker_that_opens_midway_keeps_the_reason(stub: AirflowStub, delivering: Delivering) -> None:
    """If the requests of a delivery open the circuit breaker, the reason is their failure."""
    stub.inject(500, {"detail": {"reason": "Database error"}}, times=99)
    outcome = delivering.deliver(event(), decision())
    assert "Database error" in outcome.reason


def test_definite_answers_keep_the_breaker_closed(stub: AirflowStub, delivering: Delivering) -> None:
    """Refusals do not open the circuit breaker."""
    stub.forbidden.add(DAG)
    for _ in range(9):
        delivering.deliver(event(), decision())
    assert delivering.breaker.outage is None


def test_a_full_limiter_parks(stub: AirflowStub) -> None:
    """If there is no slot in time, no request is sent, and the event is parked."""
    delivering = Delivering(stub.url, places=1)
    assert delivering.limiter.enter("other", wait=0)
    outcome = delivering.deliver(event(), decision(), deadline=delivering.clock() + 0.6)
    assert outcome.kind is OutcomeKind.PARKED
    assert stub.count() == 0
    delivering.limiter.leave("other", seconds=0, healthy=True)
    assert delivering.deliver(event(), decision()).kind is OutcomeKind.STARTED


def test_no_more_than_the_places_are_in_flight(stub: AirflowStub) -> None:
    """Airflow never has more requests in flight than there are slots."""
    stub.latency = 0.02
    delivering = Delivering(stub.url, places=2)
    threads = [
        threading.Thread(target=delivering.deliver, args=(event(), decision(dag_run_id=f"run__{number}")))
        for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stub.peak <= 2
    assert len(stub.runs) == 12


def test_twelve_at_once_start_one_run(stub: AirflowStub) -> None:
    """Of simultaneous deliveries of one event one starts the run, and the others are duplicates."""
    delivering = Delivering(stub.url, places=12)
    threads = [threading.Thread(target=delivering.deliver, args=(event(), decision())) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = delivering.outcome_counts.by_rule()["smoke"]
    assert (counts["started"], counts["duplicate"], len(stub.runs)) == (1, 11, 1)


def test_a_token_that_may_come_is_waited_for(stub: AirflowStub, delivering: Delivering) -> None:
    """A failure of the identity endpoint is transient, and does not affect the circuit breaker."""
    delivering.tokens.error = TokenUnavailable("the identity endpoint answered 503")
    outcome = delivering.deliver(event(), decision())
    assert (outcome.kind, outcome.code) == (OutcomeKind.PARKED, "CredentialUnavailable")
    assert "503" in outcome.reason
    assert delivering.breaker.outage is None
    assert stub.count() == 0
    assert len(delivering.clock.slept) > 1


def test_a_token_that_needs_a_person_raises_the_alarm(
    delivering: Delivering, caplog: pytest.LogCaptureFixture
) -> None:
    """If a token needs operator action, the event is parked for long and an error is logged."""
    delivering.tokens.error = TokenUnavailable("no such identity", permanent=True)
    outcome = delivering.deliver(event(), decision())
    assert outcome.kind is OutcomeKind.PARKED
    assert outcome.retry_in is not None
    assert outcome.retry_in >= 900
    assert caplog.records[-1].levelno == logging.ERROR


def test_the_waits_of_a_transient_failure_grow_with_its_attempts(delivering: Delivering) -> None:
    """The eighth wait is up to 640 s, however often the event was parked for another cause."""
    for _ in range(5):
        passage = delivering.breaker.enter()
        assert passage is not None
        passage.end(healthy=False)

    def waits_of(parked: Parked) -> list[float]:
        return [delivering.deliver(event(), decision(), parked=parked).retry_in or 0 for _ in range(40)]

    waits = waits_of(parked_event(event(), attempt=7))
    assert 100 < max(waits) <= 640
    first = waits_of(replace(parked_event(event()), waits=8))
    assert max(first) <= 30, "until the circuit breaker's next probe"
    assert {each.rule_changed_tries for each, _ in delivering.parking.kept} == {0}


def test_a_missing_dag_has_its_grace(delivering: Delivering) -> None:
    """An event for a missing DAG is parked until the grace is over, and then rejected."""
    wanted = decision(dag_id="not_there")
    early, late = (
        delivering.deliver(
            event(), wanted, parked=parked_event(event(), attempt=tries, first_seen=SEEN - age)
        )
        for tries, age in [(29, timedelta(minutes=59)), (11, timedelta(minutes=61))]
    )
    assert (early.kind, late.kind) == (OutcomeKind.PARKED, OutcomeKind.REJECTED)
    assert next(iter(delivering.letters.kept.values())).code == "DagNotFound"


def test_a_wrong_clock_does_not_use_up_the_grace(delivering: Delivering) -> None:
    """If the first instance had a slow clock, the event still has the least number of deliveries."""
    wanted = decision(dag_id="not_there")
    waiting = parked_event(event(), attempt=10, first_seen=SEEN - timedelta(hours=1))
    outcome = delivering.deliver(event(), wanted, parked=waiting)
    assert outcome.kind is OutcomeKind.PARKED


def test_an_old_event_is_given_up(stub: AirflowStub, delivering: Delivering) -> None:
    """An event beyond its `max_age` has a last try, and then a dead letter with the last reason."""
    stub.inject(500, times=99)
    waiting = parked_event(event(), attempt=39, first_seen=SEEN - timedelta(hours=24))
    outcome = delivering.deliver(event(), decision(), parked=waiting)
    assert outcome.kind is OutcomeKind.REJECTED
    assert "given up after 24 h" in outcome.reason
    assert next(iter(delivering.letters.kept.values())).code == "TimeToLiveExceeded"
    stub.heal()
    delivering.clock.sleep(60)
    late = delivering.deliver(event(), decision(), parked=waiting)
    assert late.kind is OutcomeKind.STARTED


def test_a_parked_delivery_keeps_its_history(stub: AirflowStub, delivering: Delivering) -> None:
    """The parked message has the event, the rule, the attempt, the first arrival and the reason."""
    stub.inject(500, times=99)
    first = SEEN - timedelta(hours=1)
    delivering.deliver(event(), decision(), parked=parked_event(event(), attempt=4, first_seen=first))
    parked, delay = delivering.parking.kept[0]
    assert (parked.work, parked.attempt, parked.first_seen) == (RuleEvent(event(), "smoke"), 5, first)
    assert "HTTP 500" in parked.reason
    assert 1 <= delay <= 900


@pytest.mark.parametrize("status", [500, 400])
def test_what_cannot_be_kept_is_not_acknowledged(
    stub: AirflowStub, delivering: Delivering, status: int
) -> None:
    """If parking or dead-lettering fails, the delivery raises and is counted as `raised`."""
    delivering.parking.broken = delivering.letters.broken = True
    stub.inject(status, times=99)
    with pytest.raises(StorageUnavailable):
        delivering.deliver(event(), decision())
    counts = {word: count for word, count in delivering.outcome_counts.by_rule()["smoke"].items() if count}
    assert counts == {"received": 1, "raised": 1}
    assert delivering.outcome_counts.balances()


def test_a_template_error_is_a_dead_letter(delivering: Delivering) -> None:
    """An event whose rule cannot be rendered is rejected with the template's error."""
    outcome = delivering.deliver(event(), Decision("smoke", True, "conf.site: no such member", None))
    assert outcome.kind is OutcomeKind.REJECTED
    letter = next(iter(delivering.letters.kept.values()))
    assert (letter.code, letter.reason) == ("TemplateError", "conf.site: no such member")


def test_new_work_without_a_run_is_a_dead_letter(stub: AirflowStub, delivering: Delivering) -> None:
    """New work without a run in the rules is a dead letter."""
    outcome = delivering.deliver(event(), Decision("smoke", False, "the rule is gone", None))
    assert (outcome.kind, outcome.reason, stub.count()) == (OutcomeKind.REJECTED, "the rule is gone", 0)


def test_a_shared_deadline_leaves_no_time(stub: AirflowStub, delivering: Delivering) -> None:
    """If an earlier rule used up the time budget, the event is parked at once."""
    deadline = delivering.relay.deadline()
    delivering.clock.sleep(17.9)
    outcome = delivering.deliver(event(), decision(), deadline=deadline)
    assert (outcome.kind, stub.count()) == (OutcomeKind.PARKED, 0)


@pytest.mark.parametrize("when_paused", ["start", "hold"])
@pytest.mark.parametrize(("left", "asks"), [(0.499, False), (0.5, True)])
def test_a_request_needs_half_a_second(
    stub: AirflowStub,
    delivering: Delivering,
    when_paused: Literal["start", "hold"],
    left: float,
    *,
    asks: bool,
) -> None:
    """With less time nothing is asked, be it for the run or for the DAG."""
    delivering.clock.sleep(-delivering.clock())
    wanted = decision(terms=Terms(when_paused=when_paused))
    delivering.deliver(event(), wanted, deadline=left)
    assert (stub.count() > 0) == asks


def test_the_log_says_how_it_ended(delivering: Delivering, caplog: pytest.LogCaptureFixture) -> None:
    """Each outcome is one line: a JSON object with a sentence and members."""
    caplog.set_level(logging.INFO, logger="updraft")
    delivering.deliver(event(), decision())
    line = caplog.records[-1].getMessage()
    logged = json.loads(line)
    assert (logged["outcome"], logged["run"], logged["dag"]) == ("started", RUN_ID, DAG)
    assert logged["message"].startswith("started: rule smoke ")


def test_a_request_is_sent_as_it_was_made(stub: AirflowStub, delivering: Delivering) -> None:
    """The run in Airflow has the id, conf and note of the request."""
    delivering.deliver(event(), decision())
    run = stub.runs[DAG, RUN_ID]
    assert (run["conf"], run["note"]) == (run_request().conf, run_request().note)
