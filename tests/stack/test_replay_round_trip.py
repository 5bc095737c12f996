"""The whole way of a dead letter: written by the app, replayed by `updraft replay`, started."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.replay.container import DeadLetterContainer
from cli.replay.resend import Report, Resender, resend
from local.stand_ins.airflow_stub import AirflowStub
from shared.admission.breaker import Breaker
from shared.azure.storage_account import Storage
from shared.delivery.closing import Closing
from shared.delivery.intake import Intake
from shared.delivery.outcomes import Outcome, OutcomeCounts, OutcomeKind
from shared.delivery.policy import Policy
from shared.delivery.relay import Relay
from shared.delivery.target import Target
from shared.event import Event
from shared.rules import load_rules
from shared.runs.direct_run import DirectRun
from shared.stores.dead_letters import BlobDeadLetters
from shared.stores.names import PARKED_QUEUE
from shared.stores.parked import Parked
from shared.stores.parking import QueueParking
from shared.stores.window_blobs import WindowBlobs
from shared.stores.work_items import WindowClose
from shared.values.json_text import MAX_DEPTH, JsonObject
from tests.support.delivery import DAG, client_of, event
from tests.support.failure_cases import starts
from tests.support.in_memory import FixedLimiter

NOW = datetime.now(UTC)
CONNECTION = "connections: {analytics: {url: 'https://airflow.example', auth: {kind: entra, scope: s}}}\n"
BURST = (
    "- name: burst\n"
    "  when: {types: [Shop.Opened]}\n"
    f"  start: {{dag: {DAG}, conf: {{ids: '{{{{ events | map(attribute=\"id\") }}}}'}}}}\n"
    "  coalesce: {window: 5m, by: '{{ data.shop }}'}\n"
)
EVERYTHING = "- {name: everything, when: {types: ['*']}, start: {dag: nothing}}\n"
APP_ID = "00000000-0000-4000-8000-000000000000"
CALLERS = f"callers:\n- name: pipeline\n  app_id: {APP_ID}\n  dags: [{DAG}]\n  conf: ['*']\n"
RULES = f"{CONNECTION}rules:\n{BURST}{EVERYTHING}{CALLERS}"
REFUSAL: JsonObject = {"detail": "not to my taste"}

NO_GRACE = Policy(grace=0.0, grace_attempts=0)
"""A delivery whose rule was removed is dead-lettered at once."""


@dataclass
class Instance:
    """An instance of the app on real Storage, and the operator's tools.

    Attributes:
        intake: Receives events.
        outcome_counts: The outcomes.
        stub: The Airflow.
        letters: The container with the dead letters.
        sender: Replays them.
        storage: The account.
        name: The prefix of the names of the queues and containers.
    """

    intake: Intake
    outcome_counts: OutcomeCounts
    stub: AirflowStub
    letters: DeadLetterContainer
    sender: Resender
    storage: Storage
    name: str

    def replay(self) -> Report:
        """Replay all dead letters."""
        return resend(self.letters, self.sender, self.letters.read_all(self.letters.names()), now=lambda: NOW)

    def parked(self) -> list[str]:
        """Take the visible messages from the queue of parked deliveries."""
        queue = self.storage.queue(f"{self.name}-parked")
        taken = list(queue.receive_messages(max_messages=32))
        for message in taken:
            queue.delete_message(message.id, message.pop_receipt)
        return [message.content for message in taken]

    def deliver_parked(self) -> list[Outcome]:
        """Deliver them."""
        return [self.intake.receive_parked(body) for body in self.parked()]

    def windows(self) -> list[str]:
        """Return the ids of all windows of the rule `burst`."""
        container = self.storage.container(f"{self.name}-windows")
        return [blob.name.rpartition("/")[2] for blob in container.list_blobs("burst/windows/")]

    def close(self, window: str, *, rule: str = "burst") -> Outcome:
        """Deliver the message that closes a window; in the queue it is invisible for five minutes."""
        closing = WindowClose(rule, window, "north")
        return self.intake.receive_parked(Parked(closing, 0, None).to_message())

    def confs(self) -> list[Any]:
        """Return the confs of all runs."""
        return [run["conf"] for run in self.stub.runs.values()]


@pytest.fixture
def instance(storage: Storage, prefix: str) -> Iterator[Instance]:
    """An instance with empty queues and containers."""
    with AirflowStub((DAG,)) as stub:
        yield instance_with(storage, prefix, stub)


def instance_with(
    storage: Storage, prefix: str, stub: AirflowStub, rules: str = RULES, *, policy: Policy | None = None
) -> Instance:
    """Start an instance with these rules."""
    parking = QueueParking(storage, queue=f"{prefix}-parked", claims=f"{prefix}-claims")
    letters = BlobDeadLetters(storage, container=prefix)
    outcome_counts = OutcomeCounts()
    target = Target(client_of(stub.url), Breaker(), FixedLimiter(4))
    relay = Relay(
        {"analytics": target}.__getitem__,
        parking=parking,
        closing=Closing(letters, outcome_counts),
        policy=policy,
    )
    loaded = load_rules(rules, file="rules.yaml", settings={})
    return Instance(
        Intake(
            rules=lambda: loaded,
            relay=relay,
            windows=WindowBlobs(storage, parking, container=f"{prefix}-windows"),
            parking=parking,
            closing=Closing(letters, outcome_counts),
        ),
        outcome_counts,
        stub,
        DeadLetterContainer(storage.container(prefix), ours=True),
        Resender(
            storage,
            parked=f"{prefix}-parked",
            events=f"{prefix}-events",
            windows=f"{prefix}-windows",
            claims=f"{prefix}-claims",
        ),
        storage,
        prefix,
    )


def call(**conf: Any) -> DirectRun:
    """Return a direct run of a verified caller."""
    caller: JsonObject = {"entry": "pipeline", "kind": "application", "object_id": "o-1", "app_id": APP_ID}
    return DirectRun(caller, DAG, "analytics", "k-1", "2026-11-01T12:00:00Z", conf=conf, note="a release")


def opened(number: int) -> Event:
    """Return an event of a series with one event per second."""
    time = f"2026-11-01T12:00:{number:02}Z"
    return event(id=f"e-{number}", type="Shop.Opened", time=time, data={"shop": "north"})


def collect(instance: Instance, *numbers: int) -> str:
    """Put events into a window, and return its id."""
    for number in numbers:
        outcomes = instance.intake.receive(json.dumps(opened(number).to_cloud_event()))
        assert OutcomeKind.COALESCED in {outcome.kind for outcome in outcomes}
    (window,) = instance.windows()
    return window


def test_a_refused_call_gets_its_run(instance: Instance) -> None:
    """A replayed direct run has its conf, caller and run id."""
    instance.stub.inject(422, REFUSAL, when=starts)
    rejected = instance.intake.receive_direct_run(call(site="shop", share=0.1, many=[1, None, "ü"]))
    assert rejected.kind is OutcomeKind.REJECTED
    assert instance.replay().sent == {f"{instance.name}-parked": 1}
    (outcome,) = instance.deliver_parked()
    assert (outcome.kind, outcome.rule) == (OutcomeKind.STARTED, "call")
    assert outcome.dag_run_id == rejected.dag_run_id
    (conf,) = instance.confs()
    output = conf.pop("_updraft")
    assert conf == {"site": "shop", "share": 0.1, "many": [1, None, "ü"]}
    assert output["caller"]["object_id"] == "o-1"
    assert instance.outcome_counts.balances()


def test_a_call_is_read_back_whatever_it_holds(instance: Instance) -> None:
    """A conf of the greatest nesting and half of a surrogate pair in Airflow's text can be replayed."""
    deep: dict[str, Any] = {}
    for _ in range(MAX_DEPTH - 2):
        deep = {"d": deep}
    instance.stub.inject(422, {"detail": "not \ud800 this"})
    rejected = instance.intake.receive_direct_run(call(deep=deep))
    assert "not" in rejected.reason
    report = instance.replay()
    assert (report.failed, report.finished) == ([], 1)
    assert [outcome.kind for outcome in instance.deliver_parked()] == [OutcomeKind.STARTED]
    assert instance.confs()[0]["deep"] == deep


def test_a_large_call_gets_its_run(instance: Instance) -> None:
    """A direct run with a large conf is replayed by claim check, and its blob is deleted."""
    instance.stub.inject(422, REFUSAL, when=starts)
    instance.intake.receive_direct_run(call(text="ü" * 24_000))
    instance.replay()
    claims = instance.storage.container(f"{instance.name}-claims")
    assert len([*claims.list_blobs()]) == 1
    (outcome,) = instance.deliver_parked()
    assert outcome.kind is OutcomeKind.STARTED
    assert instance.confs()[0]["text"] == "ü" * 24_000
    assert [*claims.list_blobs()] == []


def test_a_window_whose_run_was_refused_gets_it(instance: Instance) -> None:
    """The replayed close reads all events of the sealed window, and starts the run with its id."""
    window = collect(instance, 2, 1)
    instance.parked()
    instance.stub.inject(422, REFUSAL, when=starts)
    rejected = instance.close(window)
    assert rejected.kind is OutcomeKind.REJECTED
    assert instance.stub.runs == {}
    assert instance.replay().sent == {f"{instance.name}-parked": 1}
    (outcome,) = instance.deliver_parked()
    assert (outcome.kind, outcome.rule) == (OutcomeKind.STARTED, "burst")
    assert outcome.dag_run_id == rejected.dag_run_id
    (conf,) = instance.confs()
    assert conf["ids"] == ["e-1", "e-2"]
    assert instance.outcome_counts.balances()
    late = instance.intake.receive(json.dumps(opened(2).to_cloud_event()))
    assert OutcomeKind.DUPLICATE in {outcome.kind for outcome in late}


def test_a_window_that_the_host_gave_up_gets_its_run(instance: Instance) -> None:
    """A close in the poison queue becomes a dead letter, and its replay starts the window's run."""
    window = collect(instance, 1)
    closing = Parked(WindowClose("burst", window, "north"), 0, None)
    instance.intake.bury(closing.to_message(), queue=PARKED_QUEUE)
    instance.replay()
    (outcome,) = instance.deliver_parked()
    assert outcome.kind is OutcomeKind.STARTED


def test_a_window_whose_rule_was_gone_gets_its_run(instance: Instance, storage: Storage, prefix: str) -> None:
    """After a rule is restored, its window that closed meanwhile gets its run."""
    window = collect(instance, 1)
    rules = CONNECTION + "rules:\n" + EVERYTHING
    without = instance_with(storage, prefix, instance.stub, rules, policy=NO_GRACE)
    assert without.close(window).code == "RuleChanged"
    instance.replay()
    assert [outcome.kind for outcome in instance.deliver_parked()] == [OutcomeKind.STARTED]


def test_a_window_that_is_no_longer_kept_is_named(instance: Instance) -> None:
    """The dead letter of a window whose blob was deleted is not replayed, because it has no events."""
    window = collect(instance, 1)
    instance.stub.inject(422, REFUSAL, when=starts)
    instance.close(window)
    container = instance.storage.container(f"{instance.name}-windows")
    container.delete_blob(f"burst/windows/{window}")
    report = instance.replay()
    assert report.finished == 0
    ((name, reason),) = report.failed
    assert instance.letters.names() == [name]
    assert f"the window {window} of rule burst is no longer stored" in reason
    assert instance.deliver_parked() == []


def test_an_event_that_no_window_took_is_collected(instance: Instance, storage: Storage, prefix: str) -> None:
    """The dead letter of an event is replayed into the window that is open then."""
    first = CONNECTION + "rules:\n" + BURST.replace("data.shop", "data.nothing")
    wrong = instance_with(storage, prefix, instance.stub, first)
    (outcome,) = wrong.intake.receive(json.dumps(opened(1).to_cloud_event()))
    assert outcome.code == "TemplateError"
    instance.replay()
    assert [outcome.kind for outcome in instance.deliver_parked()] == [OutcomeKind.COALESCED]
    (window,) = instance.windows()
    assert instance.close(window).kind is OutcomeKind.STARTED


def test_what_is_sent_twice_has_one_run(instance: Instance) -> None:
    """After a crash between sending and marking, a second replay has duplicates; a third sends nothing."""
    window = collect(instance, 1)
    instance.stub.inject(422, REFUSAL, times=2, when=starts)
    instance.close(window)
    instance.intake.receive_direct_run(call())
    for kept in instance.letters.read_all(instance.letters.names()):  # the command is killed here
        for letter in kept.letters:
            instance.sender.send(letter, NOW - timedelta(seconds=1))
    assert instance.replay().finished == 2
    outcomes = sorted(outcome.kind.value for outcome in instance.deliver_parked())
    assert outcomes == ["duplicate", "duplicate", "started", "started"]
    assert len(instance.stub.runs) == 2
    assert instance.replay().finished == 0
    assert instance.deliver_parked() == []


def test_a_call_that_is_no_longer_allowed_is_refused_again(
    instance: Instance, storage: Storage, prefix: str
) -> None:
    """A replayed direct run needs the permission at the time of the replay."""
    instance.stub.inject(422, REFUSAL, when=starts)
    instance.intake.receive_direct_run(call())
    instance.replay()
    rules = f"{CONNECTION}rules:\n{BURST}"
    without = instance_with(storage, prefix, instance.stub, rules)
    (outcome,) = without.deliver_parked()
    assert (outcome.kind, outcome.code) == (OutcomeKind.REJECTED, "PermissionRevoked")
    assert len(instance.letters.names()) == 1
