"""The last delivery of a queue message, and poison messages: each has an outcome or a dead letter."""

import base64
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.stand_ins.airflow_stub import AirflowStub
from shared.delivery.closing import Closing
from shared.delivery.intake import Intake
from shared.delivery.policy import Policy
from shared.delivery.queue_intake import QueueIntake
from shared.errors import ConfigurationError, SettingsError, StorageUnavailable
from shared.event import Event, Unreadable
from shared.event.caller_stamp import ATTRIBUTE
from shared.rules import Rules, load_rules
from shared.stores.dead_letters import DeadLetter
from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE
from shared.stores.parked import Parked
from shared.stores.work_items import WindowClose
from shared.values.json_text import JsonObject
from tests.support.clocks import SEEN
from tests.support.delivery import DAG, Delivering
from tests.support.direct_runs import CALLED
from tests.support.in_memory import InMemoryParking, InMemoryPoison
from tests.support.parked import event_of, parked_event

LAST = Policy().queue_deliveries
CONNECTION = "connections: {analytics: {url: 'http://127.0.0.1:8080', auth: {kind: entra, scope: s}}}\n"
RULES = CONNECTION + (
    "rules:\n"
    "- name: smoke\n"
    "  when: {types: [Shop.Opened]}\n"
    f"  start: {{dag: {DAG}, conf: {{door: '{{{{ data.door }}}}'}}}}\n"
)
DOWN: JsonObject = {"detail": "the database is away"}


def opened(number: int = 1, **changes: object) -> dict[str, object]:
    """Return a CloudEvent that matches the rule `smoke`."""
    known = {"specversion": "1.0", "id": f"e-{number}", "source": "/shops/1", "type": "Shop.Opened"}
    return {**known, "data": {"door": number}, **changes}


def parked() -> Parked:
    """Return a parked delivery of `opened()`."""
    event = Event(id="e-1", source="/shops/1", type="Shop.Opened", data={"door": 1})
    return parked_event(event, attempt=3, reason="Airflow was down")


@dataclass
class Queue:
    """The app's queues, with Storage calls that can fail."""

    delivering: Delivering
    rules: Callable[[], Rules]
    poison: InMemoryPoison = field(default_factory=InMemoryPoison)

    def __post_init__(self) -> None:
        self.intake = Intake(
            rules=self.rules,
            relay=self.delivering.relay,
            windows=self.delivering.windows,
            parking=self.delivering.parking,
            closing=Closing(self.delivering.letters, self.delivering.outcome_counts),
        )
        self.queues = QueueIntake(self.intake, self.poison, deliveries=LAST)

    @property
    def letters(self) -> list[DeadLetter]:
        """The dead letters."""
        return list(self.delivering.letters.kept.values())


def broken() -> Rules:
    """Raise the error of rules with a mistake."""
    raise SettingsError("the rules file is missing")


@pytest.fixture
def queue(delivering: Delivering) -> Queue:
    """Queues whose parking fails, with an Airflow that does not answer."""
    delivering.parking.broken = True
    rules = load_rules(RULES, file="rules.yaml", settings={})
    return Queue(delivering, lambda: rules)


@pytest.fixture
def down(stub: AirflowStub) -> AirflowStub:
    """An Airflow that fails."""
    stub.inject(503, DOWN, times=10_000)
    return stub


@pytest.mark.parametrize("delivery", [None, 1, LAST - 1])
@pytest.mark.usefixtures("down")
def test_a_delivery_before_the_last_leaves_the_message(queue: Queue, delivery: int | None) -> None:
    """Before the last delivery a failure raises, and there is no dead letter."""
    with pytest.raises(StorageUnavailable):
        queue.queues.receive_event(json.dumps(opened()).encode(), delivery)
    with pytest.raises(StorageUnavailable):
        queue.queues.receive_parked(parked().to_message().encode(), delivery)
    assert queue.letters == []


@pytest.mark.parametrize("delivery", [LAST, LAST + 3])
@pytest.mark.usefixtures("down")
def test_the_last_delivery_of_an_event_ends_as_a_dead_letter(queue: Queue, delivery: int) -> None:
    """At the last delivery a failure becomes a dead letter with the reason and the number of deliveries."""
    queue.queues.receive_event(base64.b64encode(json.dumps(opened()).encode()), delivery)
    (letter,) = queue.delivering.letters.kept.values()
    assert (letter.code, letter.rule, letter.attempts) == ("MaxDeliveryAttemptsExceeded", "", delivery)
    assert "the queue is out of order" in letter.reason
    assert isinstance(letter.subject, Event)
    assert letter.subject.id == "e-1"
    assert queue.delivering.outcome_counts.balances()


@pytest.mark.usefixtures("down")
def test_the_last_delivery_of_a_parked_one_keeps_its_rule(queue: Queue) -> None:
    """The dead letter of a parked delivery has its rule, attempts and time."""
    queue.queues.receive_parked(parked().to_message().encode(), LAST)
    (letter,) = queue.delivering.letters.kept.values()
    assert (letter.code, letter.rule, letter.attempts) == ("MaxDeliveryAttemptsExceeded", "smoke", 3)
    assert letter.first_seen == SEEN
    assert "parked because: Airflow was down" in letter.reason
    assert queue.delivering.outcome_counts.balances()


def test_only_the_members_that_failed_are_given_up(
    queue: Queue, delivering: Delivering, stub: AirflowStub
) -> None:
    """Of an array, only the member whose delivery failed is dead-lettered."""
    stub.inject(503, DOWN, times=10_000, when=lambda request: b"e-2" in request.body or "e-2" in request.path)
    body = json.dumps([opened(1), opened(3, type="Shop.Closed"), opened(4), opened(2)])
    queue.queues.receive_event(body.encode(), LAST)
    (letter,) = delivering.letters.kept.values()
    assert letter.subject.id == "e-2"
    assert len(stub.runs) == 2
    assert delivering.outcome_counts.balances()


def test_unusable_rules_end_as_dead_letters(delivering: Delivering) -> None:
    """If the rules have mistakes, the dead letter names the mistake."""
    queue = Queue(delivering, broken)
    for delivery in range(1, LAST):
        with pytest.raises(ConfigurationError):
            queue.queues.receive_event(json.dumps([opened(1), opened(2)]).encode(), delivery)
    queue.queues.receive_event(json.dumps([opened(1), opened(2)]).encode(), LAST)
    queue.queues.receive_parked(parked().to_message().encode(), LAST)
    assert len(queue.letters) == 3
    assert all("rules file is missing" in letter.reason for letter in delivering.letters.kept.values())
    assert delivering.outcome_counts.balances()


@pytest.mark.usefixtures("down")
def test_what_cannot_be_kept_either_is_left_to_the_host(queue: Queue) -> None:
    """If the dead letter cannot be written, the last delivery raises, so the host moves the message."""
    queue.delivering.letters.broken = True
    with pytest.raises(StorageUnavailable):
        queue.queues.receive_event(json.dumps(opened()).encode(), LAST)
    with pytest.raises(StorageUnavailable):
        queue.queues.receive_parked(parked().to_message().encode(), LAST)


@pytest.mark.usefixtures("down")
def test_a_window_whose_close_is_given_up_is_sealed(queue: Queue, delivering: Delivering) -> None:
    """A dead letter for the close of a window seals the window."""
    closing = WindowClose("smoke", "0123456789abcdef" * 2, "north")
    delivering.windows.kept[closing.id] = [event_of(parked())]
    queue.queues.receive_parked(Parked(closing, 0, None).to_message().encode(), LAST)
    assert delivering.windows.closed == {closing.id}
    (letter,) = delivering.letters.kept.values()
    assert (letter.rule, letter.subject) == ("smoke", closing)


def test_a_direct_run_that_is_given_up_keeps_its_caller(delivering: Delivering) -> None:
    """The dead letter of a parked direct run has its caller, and can be replayed."""
    queue = Queue(delivering, broken)
    queue.queues.receive_parked(Parked(CALLED, 1, SEEN).to_message().encode(), LAST)
    (letter,) = delivering.letters.kept.values()
    assert (letter.rule, letter.subject) == ("call", CALLED)


def test_a_claim_that_stays_behind_costs_no_outcome(queue: Queue, delivering: Delivering) -> None:
    """At the last delivery, a started run has no dead letter, even if its blob cannot be deleted."""

    class Stuck(InMemoryParking):
        def forget(self, parked: Parked) -> None:
            raise StorageUnavailable(f"the claim {parked.claim} cannot be deleted")

    delivering.parking = Stuck()
    stuck = Queue(delivering, queue.rules)
    with pytest.raises(StorageUnavailable):
        stuck.queues.receive_parked(parked().to_message().encode(), 1)
    stuck.queues.receive_parked(parked().to_message().encode(), LAST)
    assert stuck.letters == []
    assert delivering.outcome_counts.by_rule()["smoke"]["duplicate"] == 1


def test_errors_that_are_not_our_own_are_named_by_type_alone(delivering: Delivering) -> None:
    """A dead letter does not have the text of a foreign error."""

    def fails() -> Rules:
        raise KeyError("sig=made-up-secret")

    rules = load_rules(RULES, file="rules.yaml", settings={})
    answers = itertools.chain([rules], itertools.repeat(None))
    queue = Queue(delivering, lambda: next(answers) or fails())
    queue.queues.receive_parked(parked().to_message().encode(), 1)
    queue.queues.receive_parked(parked().to_message().encode(), LAST)
    (letter,) = delivering.letters.kept.values()
    assert "KeyError" in letter.reason
    assert "made-up-secret" not in str(letter.to_document())


def test_a_queue_is_no_way_to_claim_an_identity(
    queue: Queue, delivering: Delivering, stub: AirflowStub
) -> None:
    """An event from a queue, and its dead letter, never have a caller stamp."""
    stamped = base64.b64encode(json.dumps(opened() | {ATTRIBUTE: "{}"}).encode())
    queue.queues.receive_event(stamped, 1)
    assert '"caller"' not in json.dumps([run["conf"] for run in stub.runs.values()])
    queue.queues.bury(stamped, queue=EVENT_QUEUE)
    (letter,) = delivering.letters.kept.values()
    assert isinstance(letter.subject, Event)
    assert ATTRIBUTE not in letter.subject.extensions


@pytest.mark.parametrize("name", [EVENT_QUEUE, PARKED_QUEUE])
@pytest.mark.parametrize("body", [b"hello", b"", b"\xff\x00", b"{", b"bnVsbA=="])
def test_poison_is_kept_or_put_back(queue: Queue, name: str, body: bytes) -> None:
    """If the dead letter of a poison message cannot be written, it is put back; if that fails, it stays."""
    queue.delivering.letters.broken = True
    queue.queues.bury(body, queue=name)
    assert queue.poison.kept == [(name, body)]
    queue.poison.broken = True
    with pytest.raises(StorageUnavailable):
        queue.queues.bury(body, queue=name)
    queue.delivering.letters.broken = False
    queue.queues.bury(body, queue=name)
    (letter,) = queue.delivering.letters.kept.values()
    assert isinstance(letter.subject, Unreadable)
    assert letter.code == "MaxDeliveryAttemptsExceeded"


FAULTS = st.fixed_dictionaries(
    {name: st.booleans() for name in ("airflow", "parking", "letters", "poison", "rules", "killed")}
)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(["event", "array", "parked", "garbage"]),
    st.lists(FAULTS, max_size=LAST + 3),
)
def test_every_message_ends(kind: str, faults: list[dict[str, bool]]) -> None:
    """After any failures, a message ends with an outcome or a dead letter.

    The test models the host with the extension that production pins: it delivers a message 12 times, moves it
    to the poison queue, delivers it there 12 times, and then skips it for good.
    """
    with AirflowStub((DAG,)) as stub:
        delivering = Delivering(stub.url)
        rules = load_rules(RULES, file="rules.yaml", settings={})
        now = {"rules": False}
        queue = Queue(delivering, lambda: broken() if now["rules"] else rules)
        body = {
            "event": json.dumps(opened()).encode(),
            "array": base64.b64encode(json.dumps([opened(1), {"no": "event"}]).encode()),
            "parked": parked().to_message().encode(),
            "garbage": b"bnVsbA==",
        }[kind]
        receive = queue.queues.receive_parked if kind == "parked" else queue.queues.receive_event
        name = PARKED_QUEUE if kind == "parked" else EVENT_QUEUE

        def deliver(call: Callable[[int], None], happens: dict[str, bool], delivery: int) -> bool:
            """Deliver once, and return whether the host deletes the message."""
            now["rules"] = happens["rules"]
            delivering.parking.broken = happens["parking"]
            delivering.letters.broken = happens["letters"]
            queue.poison.broken = happens["poison"]
            stub.inject(503, DOWN, times=10_000 if happens["airflow"] else 0)
            try:
                call(delivery)
            except (StorageUnavailable, ConfigurationError, ExceptionGroup):
                return False
            finally:
                stub.heal()
            return not happens["killed"]

        well = dict.fromkeys(("airflow", "parking", "letters", "poison", "rules", "killed"), False)
        row = itertools.chain(faults, itertools.repeat(well))
        done = any(
            deliver(lambda delivery: receive(body, delivery), happens, delivery)
            for delivery, happens in zip(range(1, LAST + 1), row, strict=False)
        )
        while not done:
            before = len(queue.poison.kept)
            gone = any(
                deliver(lambda _: queue.queues.bury(body, queue=name), happens, delivery)
                for delivery, happens in zip(range(1, LAST + 1), row, strict=False)
            )
            assert gone, "the host skips it without a log line"
            done = len(queue.poison.kept) == before
        found = len(stub.runs) + len(delivering.letters.kept) + len(delivering.parking.kept)
        assert found >= (2 if kind == "array" else 1)
        assert delivering.outcome_counts.balances()
