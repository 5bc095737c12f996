import statistics
import threading
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.admission import adaptive_limit
from shared.admission.adaptive_limit import AdaptiveLimit
from shared.admission.backlog import LONGEST, Backlog
from shared.admission.fair_queue import FairQueue
from shared.admission.limiter import ABANDONED_FOR, IDLE_SECONDS, LEAST_COOL_DOWN, SharedLimiter, Slots
from shared.admission.permit_store import LEASE_SECONDS, View
from shared.admission.permits import Permits
from tests.support.in_memory_permits import InMemoryPermits
from tests.support.limiter import Kept


def test_the_first_request_waits_for_a_permit() -> None:
    """Without a permit no request is sent, and with the first one exactly one is."""
    kept = Kept()
    assert not kept.limiter.enter("a", wait=0)
    kept.keep()
    assert kept.limiter.enter("a", wait=0)
    assert not kept.limiter.enter("a", wait=0)


def test_more_are_tried_while_latency_stays_low() -> None:
    """If Airflow answers as fast with more in flight, all permits are used."""
    kept = Kept()
    for _ in range(200):
        places = kept.fill()
        for _ in range(places):
            kept.serve(0.03 / places)
            kept.keep()
    assert kept.fill() == 7


def serve(limit: AdaptiveLimit, *, latency: list[float], requests: int, from_: float = 0.0) -> float:
    """End requests one after another, each after `latency` of the limit; returns the time."""
    now = from_
    for _ in range(requests):
        seconds = latency[min(limit.value, len(latency) - 1)]
        now += seconds / limit.value
        limit.ended(now, seconds=seconds, healthy=True, in_flight=limit.value)
    return now


ONE_SERVER = [0.0, *(0.03 * count for count in range(1, 40))]
"""Seconds by requests in flight, of a server that does one thing at a time."""
FOUR_SERVERS = [0.0, *(0.03 * max(1, count / 4) for count in range(1, 40))]


def test_queueing_stops_the_growth() -> None:
    """The limit is low if more requests in flight only wait longer, and higher otherwise."""
    one, four = AdaptiveLimit(32), AdaptiveLimit(32)
    serve(one, latency=ONE_SERVER, requests=3000)
    serve(four, latency=FOUR_SERVERS, requests=3000)
    assert 2 <= one.value <= 5
    assert one.value < four.value <= 10


def test_a_slower_airflow_is_not_asked_for_more() -> None:
    """When Airflow becomes slower, the limit falls at once, and then settles."""
    limit = AdaptiveLimit(32)
    now = serve(limit, latency=FOUR_SERVERS, requests=1000)
    before = limit.value
    slower = [20 * seconds for seconds in FOUR_SERVERS]
    now = serve(limit, latency=slower, requests=60, from_=now)
    assert limit.value < before
    serve(limit, latency=slower, requests=3000, from_=now)
    assert 4 <= limit.value <= 10


def test_errors_halve_the_limit_once_for_those_in_flight_together() -> None:
    """Eight requests that fail together cut the limit once; and it does not grow again at once."""
    limit = AdaptiveLimit(8)
    now = serve(limit, latency=[0.01] * 40, requests=400)
    assert limit.value == 8
    for _ in range(8):
        limit.ended(now + 0.01, seconds=0.01, healthy=False, in_flight=8)
    assert limit.value == 4
    now = serve(limit, latency=[0.01] * 40, requests=400, from_=now + 0.02)
    assert limit.value == 7, "what it failed at is remembered"
    serve(limit, latency=[0.01] * 40, requests=20_000, from_=now + 120)
    assert limit.value == 8, "but not for ever"


def test_the_limit_never_falls_below_one() -> None:
    """After any failures, one request at a time is allowed."""
    limit = AdaptiveLimit(8)
    for now in range(20):
        limit.ended(float(now), seconds=0.5, healthy=False, in_flight=1)
    assert limit.value == 1


def floor_of(limit: AdaptiveLimit, *, grown: float) -> float:
    """Let a limit learn a latency of 1 s, and grow; returns the time."""
    now = 1.0
    limit.ended(now, seconds=1.0, healthy=True, in_flight=1)
    while limit._limit < grown:
        now += 0.001
        limit.ended(now, seconds=1.0, healthy=True, in_flight=limit.value)
    return now


@given(
    st.lists(
        st.tuples(st.floats(0, 90), st.floats(0, 20), st.booleans(), st.integers(1, 9)),
        min_size=1,
        max_size=60,
    ),
    st.integers(1, 9),
)
def test_the_limit_is_from_one_to_the_budget(ends: list[tuple[float, float, bool, int]], most: int) -> None:
    """Whatever requests end however, at least one may be in flight, and never more than the budget."""
    limit, now = AdaptiveLimit(most), 1.0
    for passed, seconds, healthy, in_flight in ends:
        now += passed
        limit.ended(now, seconds=seconds, healthy=healthy, in_flight=in_flight)
        assert 1 <= limit.value <= most


def test_the_constants_of_the_limit_are_those_of_the_figures() -> None:
    """The figures of docs/scaling.md are of these values; after a change `python -m bench` makes new ones."""
    named = {name: value for name, value in vars(adaptive_limit).items() if isinstance(value, float)}
    assert named == {
        "_QUEUE_LITTLE": 2.0,
        "_QUEUE_MUCH": 3.5,
        "_SMOOTHING": 0.2,
        "_CUT": 0.5,
        "_WINDOW": 60.0,
        "_CEILING_GROWS": 1 / 60,
    }


def test_a_quiet_airflow_is_asked_for_one_again_each_minute() -> None:
    """At the start of each minute's window the limit is halved, and never less than one."""
    limit = AdaptiveLimit(8)
    for now in range(1, 1_000, 61):
        limit.ended(float(now), seconds=1.0, healthy=True, in_flight=0)
        assert limit.value == 1
    assert limit._limit == 1.0


@pytest.mark.parametrize(
    ("latency", "in_flight", "step"),
    [
        # The latency is smoothed by a fifth, and 10 * (1 - 1 / latency) requests are queued.
        (1.0, 10, 0.1),
        (1.0, 9, 0.0),
        (2.0, 10, 0.1),
        (2.25, 10, 0.1),
        (2.3, 10, 0.0),
        (3.6, 10, 0.0),
        (3.7, 10, -0.1),
        (3.7, 1, -0.1),
    ],
)
def test_the_limit_follows_the_queue_in_airflow(latency: float, in_flight: int, step: float) -> None:
    """It grows while it is full and fewer than 2 are queued, and shrinks while more than 3.5 are."""
    limit = AdaptiveLimit(32)
    now = floor_of(limit, grown=10)
    limit._limit = 10.0
    limit.ended(now + 0.1, seconds=latency, healthy=True, in_flight=in_flight)
    assert limit._limit - 10 == pytest.approx(step)


def test_what_was_not_asked_teaches_nothing() -> None:
    """A request that did not reach Airflow does not change the limit."""
    limit = AdaptiveLimit(8)
    for now in range(50):
        limit.ended(float(now), seconds=0.0, healthy=True, in_flight=1)
    assert limit.value == 1


def test_a_request_that_was_given_up_keeps_its_place() -> None:
    """Airflow continues a request that timed out, so its slot stays in use for a while."""
    kept = Kept(places=1)
    assert kept.enter()
    kept.serve(10.0, healthy=False)
    assert not kept.enter()
    kept.keep(ABANDONED_FOR * 10 - 0.5)
    assert not kept.enter()
    kept.keep(1)
    assert kept.enter()


def test_a_quick_error_frees_its_place() -> None:
    """The slot of a fast error is free at once."""
    kept = Kept(places=1)
    assert kept.enter()
    kept.serve(0.1, healthy=False)
    assert kept.enter()


def test_idle_permits_are_given_back() -> None:
    """Two seconds after the last request nothing is held."""
    kept = Kept()
    assert kept.enter()
    kept.serve()
    kept.keep(IDLE_SECONDS - 0.5)
    assert kept.store.holders() == 1
    kept.keep(2)
    assert kept.store.holders() == 0


def test_a_burst_costs_few_calls() -> None:
    """A burst makes at most one call to Storage for twenty events."""
    kept = Kept()
    events = 0
    while kept.store.now < 120:
        for _ in range(kept.fill()):
            kept.serve(0.03)
            events += 1
        kept.keep()
    assert kept.store.calls <= events / 20


def test_without_storage_one_at_a_time_is_sent_and_rests() -> None:
    """A process without Storage sends one request, and then pauses nine times as long, and for seconds."""
    kept = Kept()
    kept.store.down = True
    assert not kept.enter()
    kept.keep(LEAST_COOL_DOWN + 1)
    assert kept.fill() == 1
    kept.serve(2.0)
    kept.keep(9 * 2.0 - 1)
    assert not kept.enter()
    kept.keep(2)
    assert kept.fill() == 1


def test_an_outage_is_survived_on_the_permits_that_are_held() -> None:
    """Held permits are used while it is safe, and then one request at a time is sent."""
    kept = Kept()
    kept.fill()
    kept.store.down = True
    for _ in range(20):
        kept.serve(0.5)
        kept.keep(0.5)
        assert kept.enter()
    kept.serve(0.5)
    kept.keep(LEASE_SECONDS)
    assert kept.fill() == 1


def test_rules_are_served_in_turn() -> None:
    """A rule with one event waits for one slot, not for all events of another rule."""
    line = FairQueue()
    many = [line.join("many") for _ in range(5)]
    few = line.join("few")
    line.serve()
    line.serve()
    assert (many[0].is_set(), few.is_set(), many[1].is_set()) == (True, True, False)
    line.leave("many", many[4])
    for _ in range(3):
        line.serve()
    assert (len(line), [turn.is_set() for turn in many]) == (0, [True, True, True, True, False])


def test_those_turned_away_come_back_one_by_one() -> None:
    """Each of a thousand events is parked for the service time of the earlier ones."""
    backlog = Backlog()
    for number in range(400):
        backlog.served(number / 20, seconds=0.05)
    times = [backlog.delay_for_rejected(20.0, slots=1) for _ in range(1000)]
    assert times == sorted(times)
    assert 0.9 * 1000 / 20 < times[-1] < 1.3 * 1000 / 20
    assert backlog.delay_for_rejected(80.0, slots=1) < 2, "the backlog has drained by then"


def test_a_burst_does_not_begin_slowly() -> None:
    """Before any request has ended, the number of slots decides the delay."""
    holding, empty = Backlog(), Backlog()
    assert max(holding.delay_for_rejected(0.0, slots=6) for _ in range(100)) < 1
    assert max(empty.delay_for_rejected(0.0, slots=0) for _ in range(100)) == 100


def test_slow_answers_slow_the_return() -> None:
    """If requests are slow, many slots do not shorten the delay."""
    slow = Backlog()
    for number in range(50):
        slow.served(number * 5.0, seconds=10.0)
    assert max(slow.delay_for_rejected(250.0, slots=6) for _ in range(30)) == 30


def test_nobody_is_sent_away_for_too_long() -> None:
    """The delay is limited, also with a huge backlog."""
    backlog = Backlog()
    assert max(backlog.delay_for_rejected(0.0, slots=0) for _ in range(5000)) == LONGEST


class Wire:
    """A store that grants every permit, after a while, and counts holders."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.held: set[int] = set()
        self._seconds = seconds

    def acquire(self, index: int) -> str | None:
        """Acquire a permit."""
        time.sleep(self._seconds)
        if index in self.held:
            return None
        self.held.add(index)
        return str(index)

    def renew(self, index: int, lease: str) -> bool:
        """Renew a permit."""
        return True

    def release(self, index: int, lease: str) -> None:
        """Release a permit."""
        self.held.discard(index)

    def look(self) -> View:
        """Return the free permits."""
        return View(frozenset(range(8)) - self.held)

    def join(self) -> None:
        """Join the queue."""

    def leave(self) -> None:
        """Leave the queue."""

    def drop_first(self) -> None:
        """Remove the first."""


def test_threads_wait_for_the_keeper() -> None:
    """Threads of several rules get slots, never more than permits, and none starves."""
    wire = Wire(0.01)
    limiter = SharedLimiter("analytics", Permits(8), wire, most=8)
    served: Counter[str] = Counter()
    lock, flying, peaks = threading.Lock(), [0], [0]

    def work(rule: str) -> None:
        for _ in range(20):
            if not limiter.enter(rule, wait=20):
                continue
            with lock:
                flying[0] += 1
                peaks[0] = max(peaks[0], flying[0])
                assert flying[0] <= len(wire.held)
            time.sleep(0.002)
            with lock:
                flying[0] -= 1
                served[rule] += 1
            limiter.leave(rule, seconds=0.002, healthy=True)

    threads = [threading.Thread(target=work, args=(rule,)) for rule in ("a", "a", "a", "a", "a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert served == {"a": 100, "b": 20}
    until = time.monotonic() + 20
    while (wire.held or limiter._keeper) and time.monotonic() < until:
        time.sleep(0.05)
    assert not wire.held
    assert limiter._keeper is None


def test_the_wait_is_bounded() -> None:
    """A thread without a slot gets False after its wait, also if the wait is negative."""
    limiter = SharedLimiter("analytics", Permits(1), Wire(30), most=1)
    started = time.monotonic()
    assert not limiter.enter("a", wait=0.2)
    assert time.monotonic() - started >= 0.19
    assert not limiter.enter("a", wait=-1)


def test_an_error_of_storage_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """The keeper survives every error of the store, and logs it once a minute."""

    class Broken(Wire):
        def acquire(self, index: int) -> str | None:
            raise RuntimeError("a mistake")

        def look(self) -> View:
            raise RuntimeError("a mistake")

    limiter = SharedLimiter("analytics", Permits(8), Broken(), most=8)
    assert not limiter.enter("a", wait=0.2)
    assert limiter.plan() != 0
    assert [record.getMessage().count("analytics") for record in caplog.records] == [1]


def test_a_place_costs_little() -> None:
    """Taking and returning a free slot costs microseconds, and no call."""
    kept = Kept()
    for _ in range(20):
        kept.fill()
        kept.serve()
    rounds = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(200):
            assert kept.limiter.enter("a", wait=0)
            kept.limiter.leave("a", seconds=0.0, healthy=True)
        rounds.append((time.perf_counter() - started) / 200)
    assert statistics.median(rounds) < 0.001


def test_the_slots_can_be_counted() -> None:
    """A process knows how many slots are taken here, how many it may use, and how many there are."""
    store = InMemoryPermits(1)
    one, two = Kept(1, store, "one"), Kept(1, store, "two")
    assert one.fill() == 1
    assert not two.enter()
    assert (one.limiter.slots(), two.limiter.slots()) == (Slots(1, 1, 1), Slots(0, 0, 1))
    one.serve()
    assert one.limiter.slots() == Slots(0, 1, 1)
