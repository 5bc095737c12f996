"""Events beyond the slots: no thread waits without a chance, and a queue's listener fetches no more."""

import threading
import time

from local.stand_ins.airflow_stub import AirflowStub
from shared.admission.fair_queue import FairQueue
from shared.admission.limiter import SharedLimiter
from shared.delivery.outcomes import Outcome, OutcomeKind
from tests.support.delivery import DAG, Delivering, decision, event
from tests.support.in_memory_permits import InMemoryPermits
from tests.support.limiter import Kept

LONG = 60.0
"""Seconds that are too long for any test."""


def refused_at_once(limiter: SharedLimiter, wait: float = LONG) -> bool:
    """Return whether the limiter refused without a wait."""
    started = time.monotonic()
    entered = limiter.enter("a", wait=wait)
    return not entered and time.monotonic() - started < wait / 2


def held(limiter: SharedLimiter, longest: float = LONG) -> threading.Thread:
    """Hold a listener back, and return its thread when it waits or has ended."""
    thread = threading.Thread(target=limiter.hold_back, kwargs={"longest": longest}, daemon=True)
    thread.start()
    while thread.is_alive() and not limiter._held_back:
        time.sleep(0.001)
    return thread


def slow(requests: int) -> Kept:
    """Return a limiter whose only slot is in use, of an Airflow that took 5 s for so many requests."""
    kept = Kept(places=1)
    assert kept.enter()
    for _ in range(requests):
        kept.serve(5.0)
        assert kept.enter()
    return kept


def test_nobody_waits_in_vain() -> None:
    """If the expected wait is more than half of the allowed one, the limiter refuses at once."""
    kept = slow(60)
    assert refused_at_once(kept.limiter, wait=9.0)
    waiting = threading.Thread(target=kept.limiter.enter, args=("a",), kwargs={"wait": 11.0}, daemon=True)
    waiting.start()
    while not len(kept.limiter._queue):
        time.sleep(0.001)
    kept.serve(5.0)
    waiting.join(LONG)
    assert not waiting.is_alive(), "a turn that is near enough is waited for"


def test_nobody_waits_for_permits_that_others_hold() -> None:
    """While other instances hold all permits, the limiter refuses at once."""
    store = InMemoryPermits(1)
    one, two = Kept(1, store, "one"), Kept(1, store, "two")
    assert one.enter()
    for _ in range(10):
        assert not two.enter()
        two.keep(0.5)
    assert refused_at_once(two.limiter, wait=4.0)


def test_those_who_wait_are_sent_away_where_it_is_in_vain() -> None:
    """A thread that waits for the first permit is rejected when other instances hold all of them."""
    store = InMemoryPermits(1)
    one, two = Kept(1, store, "one"), Kept(1, store, "two")
    assert one.enter()
    entered: list[bool] = []
    waiting = threading.Thread(target=lambda: entered.append(two.limiter.enter("a", wait=LONG)), daemon=True)
    waiting.start()
    while not len(two.limiter._queue):
        time.sleep(0.001)
    for _ in range(10):
        two.keep(0.5)
        two.limiter.enter("a", wait=0)
    waiting.join(LONG / 2)
    assert entered == [False]


def test_what_others_have_places_for_comes_back_at_once() -> None:
    """An event without a permit may come back at once; an instance with permits delays it."""
    store = InMemoryPermits(1)
    one, two = Kept(1, store, "one"), Kept(1, store, "two")
    assert one.enter()
    assert not one.enter()
    assert not two.enter()
    assert [two.limiter.delay_for_rejected() for _ in range(100)] == [0.0] * 100
    assert [one.limiter.delay_for_rejected() for _ in range(2)] == [0.05, 0.1]
    store.down = True
    two.keep(60)
    assert two.limiter.delay_for_rejected() > 0, "nobody else can be asked then"


def test_nobody_waits_while_storage_is_away() -> None:
    """A process without Storage refuses events at once during its cool-down."""
    kept = Kept()
    kept.store.down = True
    assert not kept.enter()
    assert refused_at_once(kept.limiter, wait=5.0)


def test_the_line_knows_who_comes_before() -> None:
    """Ahead of a rule's event are its rule's events, and as many of each other rule."""
    line = FairQueue()
    for rule in ("many", "many", "many", "few"):
        line.join(rule)
    assert [line.ahead(rule) for rule in ("many", "few", "new")] == [4, 3, 2]


def test_a_listener_is_held_back_until_there_is_room() -> None:
    """While all slots are in use a listener waits, and continues when one is free."""
    kept = slow(20)
    waiting = held(kept.limiter)
    assert waiting.is_alive()
    kept.serve(5.0)
    waiting.join(LONG)
    assert not waiting.is_alive()
    kept.limiter.hold_back(longest=LONG)  # a free slot: no wait


def test_a_listener_is_not_held_back_for_ever() -> None:
    """Without capacity in the given time, the listener continues and is removed."""
    kept = slow(20)
    held(kept.limiter, longest=0.01).join(LONG)
    assert kept.limiter._held_back == []


def test_a_listener_that_is_held_back_waits_for_a_permit() -> None:
    """An instance without a permit stays in the wait queue, and its listener continues when it has one."""
    store = InMemoryPermits(1)
    one, two = Kept(1, store, "one"), Kept(1, store, "two")
    assert one.enter()
    assert not two.enter()
    waiting = held(two.limiter)
    one.serve()
    one.keep(10)
    assert waiting.is_alive()
    while waiting.is_alive():
        two.keep(0.5)
        waiting.join(0.01)
    two.keep(0.5)
    assert store.holders() == 1, "the permit is kept for what the listener fetches now"
    two.keep(10)
    assert store.holders() == 0, "and given back where that is nothing"


def test_only_want_of_a_place_holds_back() -> None:
    """An outcome with another reason does not hold a listener back."""
    with AirflowStub((DAG,)) as stub:
        delivering = Delivering(stub.url, places=1)
        started = delivering.deliver(event(), decision())
        delivering.relay.hold_back(
            [started, Outcome(OutcomeKind.PARKED, connection="analytics", code="AirflowUnavailable")]
        )
        assert delivering.limiter.held_back == []
        assert delivering.limiter.enter("other", wait=0)
        parked = delivering.deliver(event(), decision(), deadline=delivering.clock() + 0.6)
        assert (parked.kind, parked.code) == (OutcomeKind.PARKED, "NoCapacity")
        delivering.relay.hold_back([parked, parked])
        assert delivering.limiter.held_back == [60.0]
