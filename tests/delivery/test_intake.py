import json
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from azure.functions import QueueMessage

from functions.event_queue import event_queue, parked_queue
from local.stand_ins.airflow_stub import AirflowStub
from shared.delivery.closing import Closing
from shared.delivery.intake import Intake
from shared.delivery.outcomes import OutcomeKind
from shared.delivery.queue_intake import QueueIntake
from shared.errors import ConfigurationError, SettingsError, StorageUnavailable
from shared.event import Event, read_events
from shared.rules import Rules, load_rules
from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE
from shared.stores.parked import Parked
from shared.stores.parking import ClaimGone
from tests.support.clocks import SEEN
from tests.support.delivery import DAG, Delivering
from tests.support.in_memory import InMemoryParking, InMemoryPoison
from tests.support.parked import parked_event

RULES = f"""
connections:
  analytics: {{url: "http://127.0.0.1:8080", auth: {{kind: entra, scope: "api://airflow/.default"}}}}
rules:
  - name: smoke
    when: {{types: [Shop.Opened]}}
    start: {{dag: {DAG}, conf: {{door: "{{{{ data.door }}}}"}}}}
  - name: greet
    when: {{types: [Shop.Opened], subject: {{begins_with: /shops/}}}}
    start: {{dag: {DAG}}}
"""


def opened(number: int = 1, **changes: object) -> dict[str, object]:
    """Return a CloudEvent that matches the rule `smoke`."""
    return {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "/shops/1",
        "type": "Shop.Opened",
        "data": {"door": number},
        **changes,
    }


@pytest.fixture
def rules() -> Rules:
    """Two rules for one type of event."""
    return load_rules(RULES, file="rules.yaml", settings={})


@pytest.fixture
def intake(delivering: Delivering, rules: Rules) -> Intake:
    """An intake with a relay to the stub."""
    return delivering.intake(rules)


def test_an_event_starts_a_run_for_each_rule_that_it_matches(
    intake: Intake, delivering: Delivering, stub: AirflowStub
) -> None:
    """Each rule decides on its own, and each run has its own id."""
    outcomes = intake.receive(json.dumps(opened(subject="/shops/front")))
    assert [(outcome.rule, outcome.kind) for outcome in outcomes] == [
        ("smoke", OutcomeKind.STARTED),
        ("greet", OutcomeKind.STARTED),
    ]
    assert len(stub.runs) == 2
    assert delivering.outcome_counts.balances()


def test_an_event_that_no_rule_wants_is_counted(intake: Intake, delivering: Delivering) -> None:
    """An event that matches no rule is unmatched, and Airflow gets no request."""
    (outcome,) = intake.receive(json.dumps(opened(type="Shop.Closed")))
    assert outcome.kind is OutcomeKind.UNMATCHED
    assert delivering.outcome_counts.by_rule()["-"]["unmatched"] == 1
    assert delivering.outcome_counts.balances()


@pytest.mark.parametrize(
    "body",
    [
        b"not JSON",
        b"\xff\xfe",
        b'{"specversion": "1.0", "type": "Shop.Opened", "source": "/shops/1"}',
        b'{"what": "ever"}',
    ],
)
def test_what_is_no_event_is_kept_with_the_reason(
    intake: Intake, delivering: Delivering, body: bytes
) -> None:
    """An unreadable body becomes a dead letter, is counted, and raises no error."""
    (outcome,) = intake.receive(body)
    assert outcome.kind is OutcomeKind.REJECTED
    (letter,) = delivering.letters.kept.values()
    assert letter.code == "Unreadable"
    assert letter.reason == outcome.reason != ""
    assert delivering.outcome_counts.balances()


def test_a_bad_member_leaves_its_neighbours_alone(
    intake: Intake, delivering: Delivering, stub: AirflowStub
) -> None:
    """If one member of an array is unreadable, it is dead-lettered and the others start."""
    batch = [opened(1), {"specversion": "1.0", "id": "e-2"}, opened(3)]
    kinds = [outcome.kind for outcome in intake.receive(json.dumps(batch))]
    assert kinds == [OutcomeKind.STARTED, OutcomeKind.REJECTED, OutcomeKind.STARTED]
    assert len(stub.runs) == 2
    assert len(delivering.letters.kept) == 1


def test_a_rule_that_cannot_be_rendered_is_kept_with_the_reason(
    intake: Intake, delivering: Delivering
) -> None:
    """An event without a value that the rule's conf needs is rejected, and the reason names the value."""
    (outcome,) = intake.receive(json.dumps(opened(data={})))
    assert (outcome.rule, outcome.kind) == ("smoke", OutcomeKind.REJECTED)
    assert "door" in outcome.reason
    assert len(delivering.letters.kept) == 1


def test_a_megabyte_is_an_event_like_any_other(intake: Intake, stub: AirflowStub) -> None:
    """The largest event that Event Grid delivers starts its run."""
    body = json.dumps(opened(data={"door": 1, "padding": "x" * 1_000_000}))
    assert [outcome.kind for outcome in intake.receive(body)] == [OutcomeKind.STARTED]
    assert len(stub.runs) == 1


def test_what_can_be_neither_delivered_nor_kept_comes_again(
    intake: Intake, delivering: Delivering, stub: AirflowStub
) -> None:
    """If parking fails the delivery is not acknowledged; at the next one, started runs are duplicates."""
    delivering.letters.broken = True
    batch = json.dumps([{"no": "event"}, opened(2)])
    with pytest.raises(StorageUnavailable):
        intake.receive(batch)
    assert len(stub.runs) == 1
    delivering.letters.broken = False
    assert [outcome.kind for outcome in intake.receive(batch)] == [
        OutcomeKind.REJECTED,
        OutcomeKind.DUPLICATE,
    ]


def test_several_failures_of_one_delivery_are_all_raised(intake: Intake, delivering: Delivering) -> None:
    """If two members fail, the error has both errors."""
    delivering.letters.broken = True
    with pytest.raises(ExceptionGroup) as caught:
        intake.receive("[1, 2]")
    assert len(caught.value.exceptions) == 2


def test_unusable_rules_leave_the_delivery_unacknowledged(delivering: Delivering) -> None:
    """If the rules have mistakes, each delivery raises, so that it is delivered again after the fix."""

    def broken() -> Rules:
        raise SettingsError("the rules file is missing")

    intake = Intake(
        rules=broken,
        relay=delivering.relay,
        windows=delivering.windows,
        parking=delivering.parking,
        closing=Closing(delivering.letters, delivering.outcome_counts),
    )
    with pytest.raises(ConfigurationError):
        intake.receive(json.dumps(opened()))
    with pytest.raises(ConfigurationError):
        intake.receive_parked(parked().to_message())


def parked(event: Event | None = None, rule: str = "smoke", attempt: int = 3) -> Parked:
    """Return a parked delivery of `opened()`."""
    known = Event(id="e-1", source="/shops/1", type="Shop.Opened", data={"door": 1})
    return parked_event(event or known, rule, attempt, reason="Airflow was down")


def test_a_parked_delivery_starts_what_it_would_have_started(intake: Intake, stub: AirflowStub) -> None:
    """A parked delivery has the same run id as before, and the next attempt number."""
    outcome = intake.receive_parked(parked().to_message())
    assert (outcome.kind, outcome.attempt) == (OutcomeKind.STARTED, 4)
    (again,) = intake.receive(json.dumps(opened()))
    assert again.kind is OutcomeKind.DUPLICATE
    assert again.dag_run_id == outcome.dag_run_id
    assert len(stub.runs) == 1


def test_a_foreign_message_in_the_parking_queue_is_kept(intake: Intake, delivering: Delivering) -> None:
    """An unreadable parked message becomes a dead letter."""
    outcome = intake.receive_parked(b"hello")
    assert outcome.kind is OutcomeKind.REJECTED
    assert len(delivering.letters.kept) == 1


def test_a_second_copy_of_a_parked_message_is_a_duplicate(delivering: Delivering, rules: Rules) -> None:
    """A message without its blob is a duplicate: another copy of it was delivered."""

    class Gone(InMemoryParking):
        def unpark(self, body: str | bytes) -> Parked:
            raise ClaimGone("the event kept as abc is gone")

    delivering.parking = Gone()
    assert delivering.intake(rules).receive_parked("{}").kind is OutcomeKind.DUPLICATE
    assert delivering.outcome_counts.balances()


def test_a_poisoned_event_is_kept_as_the_event_that_it_is(intake: Intake, delivering: Delivering) -> None:
    """A message that the host gave up becomes a dead letter with the whole event."""
    (outcome,) = intake.bury(json.dumps(opened()), queue=EVENT_QUEUE)
    assert outcome.kind is OutcomeKind.REJECTED
    (letter,) = delivering.letters.kept.values()
    assert isinstance(letter.subject, Event)
    assert letter.code == "MaxDeliveryAttemptsExceeded"


def test_a_poisoned_parked_delivery_keeps_its_rule(intake: Intake, delivering: Delivering) -> None:
    """The dead letter of a parked delivery that the host gave up has its rule."""
    (outcome,) = intake.bury(parked().to_message(), queue=PARKED_QUEUE)
    (letter,) = delivering.letters.kept.values()
    assert (letter.rule, letter.attempts, letter.first_seen) == ("smoke", 3, SEEN)
    assert "Airflow was down" in outcome.reason


def test_a_claim_that_stays_behind_does_not_fail_a_burial(delivering: Delivering, rules: Rules) -> None:
    """The dead letter is written; the claim costs its storage alone."""

    class Stuck(InMemoryParking):
        def forget(self, parked: Parked) -> None:
            raise StorageUnavailable("it cannot be deleted")

    delivering.parking = Stuck()
    (outcome,) = delivering.intake(rules).bury(parked().to_message(), queue=PARKED_QUEUE)
    assert outcome.kind is OutcomeKind.REJECTED


def test_the_events_of_a_body_share_a_deadline(
    delivering: Delivering, rules: Rules, stub: AirflowStub
) -> None:
    """A deadline that is over is over for each of them; without one each has a budget of its own."""
    events = [each for number in (1, 2) for each in read_events(json.dumps(opened(number)))]
    arrivals = delivering.intake(rules)._arrivals
    late = arrivals.receive(events, deadline=delivering.clock())
    assert ([each.kind for (each,) in late], stub.runs) == ([OutcomeKind.PARKED] * 2, {})
    in_time = arrivals.receive(events)
    assert [each.kind for (each,) in in_time] == [OutcomeKind.STARTED] * 2


def test_poison_that_is_no_message_of_ours_is_kept_whole(intake: Intake, delivering: Delivering) -> None:
    """Bytes that are not text are stored in the dead letter."""
    intake.bury(b"\xff\x00", queue=PARKED_QUEUE)
    assert len(delivering.letters.kept) == 1


@pytest.mark.parametrize("function", [event_queue, parked_queue])
def test_the_queues_are_held_back_for_want_of_a_place(
    stub: AirflowStub, rules: Rules, monkeypatch: pytest.MonkeyPatch, function: Callable[[QueueMessage], None]
) -> None:
    """A queue function ends when there is a slot, after its event is parked."""
    delivering = Delivering(stub.url, places=1)
    intake = delivering.intake(rules)
    queues = QueueIntake(intake, InMemoryPoison(), deliveries=12)
    monkeypatch.setattr("functions.event_queue.app", lambda: SimpleNamespace(queues=queues))
    assert delivering.limiter.enter("other", wait=0)
    (event,) = read_events(json.dumps(opened()))
    assert isinstance(event, Event)
    waiting = parked_event(event, attempt=0, reason="it was full before")
    body = json.dumps(opened()) if function is event_queue else waiting.to_message()
    function(QueueMessage(body=body.encode()))
    assert len(delivering.parking.kept) == 1
    assert len(delivering.limiter.held_back) == 1


def test_an_attribute_that_cannot_be_used_costs_no_run(
    intake: Intake, stub: AirflowStub, caplog: pytest.LogCaptureFixture
) -> None:
    """The event starts its run, and one log line names the omitted attribute."""
    body = opened(time="at\ndusk", eventTime="x", colour=None)
    (outcome,) = intake.receive(json.dumps(body))
    assert outcome.kind is OutcomeKind.STARTED
    assert len(stub.runs) == 1
    messages = [json.loads(record.getMessage())["message"] for record in caplog.records]
    (line,) = [message for message in messages if "is left out" in message]
    assert line.startswith('event "e-1": ')
    assert line.isprintable()
    assert all(name in line for name in ("time", "eventTime", "colour"))
