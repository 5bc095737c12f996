"""The rules of holding, sharing and releasing, in virtual time; `bench/permits` simulates many instances."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.admission.permit_store import LEASE_SECONDS, PermitStore, Step, StepKind, View
from shared.admission.permits import SHORTEST_USE, Permits, longest_request
from tests.support.in_memory_permits import InMemoryPermits

LONGEST = 29.0
USABLE = LEASE_SECONDS - 1 - LONGEST
TURN = 5 * USABLE
"""Seconds after which a holder releases a permit for a waiting instance."""


def permits(places: int = 8, seed: int = 1) -> Permits:
    """Return the permits of an instance."""
    return Permits(places, longest_request=LONGEST, draw=random.Random(seed).random)  # noqa: S311 - chance, not a secret


class Instance:
    """Permits whose steps run at once, on a shared store."""

    def __init__(self, store: InMemoryPermits, name: str, places: int = 8, seed: int = 1) -> None:
        self.permits = permits(places, seed)
        self.view: PermitStore = store.seen_by(name)
        self.store = store
        self.steps: list[StepKind] = []

    def settle(self, *, wanted: int, in_flight: int = 0) -> float:
        """Run all steps that are due, and return the pause after them."""
        for _ in range(50):
            planned = self.permits.next(self.store.now, wanted=wanted, in_flight=in_flight)
            if not isinstance(planned, Step):
                return planned
            self.steps.append(planned.kind)
            try:
                result = planned.on(self.view)
            except OSError:
                self.permits.failed(planned, self.store.now)
            else:
                self.permits.done(planned, result, sent=self.store.now, now=self.store.now)
        raise AssertionError(f"it never rests: {self.steps[-8:]}")

    @property
    def usable(self) -> int:
        """How many requests may be in flight."""
        return self.permits.usable(self.store.now)


def pass_by(store: InMemoryPermits, seconds: float, *instances: tuple[Instance, int]) -> None:
    """Advance the time in small steps, with so many requests wanted by each instance."""
    for _ in range(round(seconds * 4)):
        store.now += 0.25
        for instance, wanted in instances:
            instance.settle(wanted=wanted)


def test_the_first_permit_costs_one_call() -> None:
    """Without other instances, the first request waits for a single call to Storage."""
    one = Instance(InMemoryPermits(), "one")
    one.settle(wanted=1)
    assert (one.usable, one.steps) == (1, [StepKind.ACQUIRE])


def test_nothing_wanted_nothing_done() -> None:
    """An idle instance makes no call and holds no permit."""
    one = Instance(InMemoryPermits(), "one")
    assert one.settle(wanted=0) == math.inf
    assert not one.steps


def test_an_eighth_is_left_for_others() -> None:
    """One instance takes at most seven eighths, so that another finds its first permit at once."""
    store = InMemoryPermits()
    one, two = Instance(store, "one"), Instance(store, "two", seed=2)
    one.settle(wanted=8)
    assert one.permits.held == 7
    two.settle(wanted=1)
    assert two.permits.held == 1


@pytest.mark.parametrize("seed", range(8))
def test_two_that_look_at_one_moment_leave_it_as_well(seed: int) -> None:
    """The last eighth is fixed permits, so that two instances cannot take it together."""
    store = InMemoryPermits()
    one, two, three = (Instance(store, f"{number}", seed=3 * seed + number) for number in range(3))
    for each in (one, two):
        each.settle(wanted=3)
    store.now += 1.5
    for _ in range(2):  # both look, then both acquire
        for each, step in [
            (each, each.permits.next(store.now, wanted=8, in_flight=0)) for each in (one, two)
        ]:
            assert isinstance(step, Step)
            each.permits.done(step, step.on(each.view), sent=store.now, now=store.now)
    assert one.permits.held + two.permits.held == 7
    three.settle(wanted=1)
    assert three.permits.held == 1


def test_an_unused_permit_is_given_back() -> None:
    """A permit that is not wanted any more is released at once."""
    store = InMemoryPermits()
    one = Instance(store, "one")
    one.settle(wanted=4)
    one.settle(wanted=0)
    assert (one.permits.held, store.holders()) == (0, 0)


def test_a_permit_is_not_given_back_under_a_request() -> None:
    """Draining permits are held while their requests are in flight, and no request begins under them."""
    store = InMemoryPermits()
    one = Instance(store, "one")
    one.settle(wanted=3)
    one.settle(wanted=1, in_flight=3)
    assert (one.permits.held, one.usable) == (3, 1)
    one.settle(wanted=1, in_flight=1)
    assert one.permits.held == 1


def test_idle_permits_are_found_soon_after_a_burst() -> None:
    """When the holders are idle, the waiting instances hold most permits within seconds."""
    store = InMemoryPermits()
    busy = [Instance(store, f"busy-{number}", seed=number) for number in range(8)]
    line = [Instance(store, f"line-{number}", seed=100 + number) for number in range(30)]
    everybody = [*busy, *line]
    pass_by(store, 10, *((each, 1) for each in everybody))
    holders = [each for each in everybody if each.permits.held]
    others = [each for each in everybody if not each.permits.held]
    assert len(holders) == 8
    pass_by(store, 3, *((each, 0) for each in holders), *((each, 1) for each in others))
    assert sum(each.permits.held for each in others) >= 6


def test_who_left_the_line_tries_again_at_once() -> None:
    """An instance that was idle for a while looks at once."""
    store = InMemoryPermits(1)
    first, second, third = (Instance(store, f"{number}", places=1, seed=number) for number in range(3))
    for each in (first, second, third):
        each.settle(wanted=1)
        store.now += 1
    pass_by(store, 20, (first, 1), (second, 1), (third, 1))
    assert first.permits.held == 1
    for each in (third, second, first):
        each.settle(wanted=0)
    store.now += 1.5
    assert third.permits.held == 0
    third.settle(wanted=1)
    assert third.permits.held == 1


def test_no_request_begins_under_a_lease_that_it_could_outlast() -> None:
    """A permit is used until the longest request and a margin before the lease's end."""
    store = InMemoryPermits()
    one = Instance(store, "one")
    one.settle(wanted=1)
    assert one.permits.usable(USABLE - 0.01) == 1
    assert one.permits.usable(USABLE) == 0


def test_the_lease_counts_from_before_the_call() -> None:
    """A slow call to Storage does not extend the use of the lease."""
    held = permits()
    step = held.next(100.0, wanted=1, in_flight=0)
    assert isinstance(step, Step)
    held.done(step, "lease", sent=100.0, now=105.0)
    assert held.usable(100.0 + USABLE - 0.01) == 1
    assert held.usable(100.0 + USABLE) == 0


def test_a_permit_in_use_is_renewed() -> None:
    """If no instance waits, a permit is held while it is needed, with two calls in each tenure."""
    store = InMemoryPermits()
    one = Instance(store, "one")
    one.settle(wanted=1)
    for _ in range(1200):
        store.now += 0.25
        one.settle(wanted=1)
        assert one.usable == 1
    assert set(one.steps) == {StepKind.ACQUIRE, StepKind.LOOK, StepKind.RENEW}
    assert len(one.steps) <= 1 + 2 * 300 / 20


def test_who_waits_gets_a_permit_within_a_turn() -> None:
    """With all permits held, a waiting instance has one after a tenure, and releases it after its tenure."""
    store = InMemoryPermits(places=1)
    one, two = Instance(store, "one", 1), Instance(store, "two", 1, seed=2)
    one.settle(wanted=1)
    two.settle(wanted=1)
    assert store.line == ["two"]
    pass_by(store, TURN, (one, 1), (two, 1))
    assert two.permits.held == 1
    pass_by(store, 2 * TURN, (one, 1), (two, 1))
    assert StepKind.RELEASE in two.steps


def test_one_of_several_is_handed_over_after_one_use() -> None:
    """An instance waits at most for the use of a lease, while another has more than one permit."""
    store = InMemoryPermits()
    many, one, none = (Instance(store, name, seed=seed) for seed, name in enumerate(("many", "one", "none")))
    many.settle(wanted=8)
    one.settle(wanted=1)
    none.settle(wanted=1)
    assert (many.permits.held, one.permits.held, none.permits.held) == (7, 1, 0)
    pass_by(store, USABLE + 8, (many, 8), (one, 1), (none, 1))
    assert none.permits.held == 1
    assert StepKind.RELEASE not in one.steps, "an only permit is not"


def test_nobody_jumps_the_line() -> None:
    """A free permit is left to instances that waited longer."""
    store = InMemoryPermits(places=1)
    first, second = Instance(store, "first", 1), Instance(store, "second", 1, seed=2)
    store.acquire(0)
    first.settle(wanted=1)
    second.settle(wanted=1)
    store.leases.clear()
    store.now += 1000
    second.settle(wanted=1)
    assert second.permits.held == 0
    first.settle(wanted=1)
    assert first.permits.held == 1


def test_the_dead_do_not_hold_up_the_line() -> None:
    """An instance that ended in the wait queue is removed by the next one."""
    store = InMemoryPermits(places=2)
    dead, living = Instance(store, "dead", 2), Instance(store, "living", 2, seed=2)
    for index in (0, 1):
        store.acquire(index)
    dead.settle(wanted=1)
    living.settle(wanted=1)
    store.leases.clear()
    store.acquire(0)  # one stays held, so that only one is free
    pass_by(store, 50, (living, 1))
    store.leases.clear()
    pass_by(store, 300, (living, 1))
    assert living.permits.held == 1


def test_whoever_wants_no_more_leaves_the_line() -> None:
    """Only instances that want a permit are in the wait queue."""
    store = InMemoryPermits(places=1)
    store.acquire(0)
    one = Instance(store, "one", 1)
    one.settle(wanted=1)
    assert store.line == ["one"]
    assert one.settle(wanted=0) == math.inf
    assert store.line == []


def test_one_of_many_goes_to_the_few() -> None:
    """An instance that holds far more than all others together releases some."""
    store = InMemoryPermits()
    one, two = Instance(store, "one"), Instance(store, "two", seed=2)
    one.settle(wanted=8)
    two.settle(wanted=8)
    pass_by(store, 400, (one, 8), (two, 8))
    assert max(one.permits.held, two.permits.held) <= 4
    assert one.permits.held + two.permits.held >= 5


def test_the_dead_free_their_permits() -> None:
    """The permits of an ended instance are free when its leases have expired."""
    store = InMemoryPermits()
    dead, living = Instance(store, "dead"), Instance(store, "living", seed=2)
    dead.settle(wanted=8)
    pass_by(store, LEASE_SECONDS + 90, (living, 8))
    assert living.permits.held == 7


def test_a_lost_lease_is_dropped_at_once() -> None:
    """No request begins under a lease that Storage reports as lost."""
    store = InMemoryPermits()
    one = Instance(store, "one")
    one.settle(wanted=1)
    store.leases = dict.fromkeys(store.leases, ("somebody else's", math.inf))
    pass_by(store, 27, (one, 1))
    assert one.permits.held <= 1
    assert StepKind.RENEW in one.steps
    assert store.holders() == 2, "the other's, and another one of its own"


def test_an_outage_is_met_with_growing_pauses() -> None:
    """While Storage is down the calls become rarer, and the first answer resets that."""
    store = InMemoryPermits()
    store.down = True
    one = Instance(store, "one")
    pass_by(store, 120, (one, 1))
    during = one.permits.unreachable
    assert len(one.steps) < 12
    store.down = False
    pass_by(store, 31, (one, 1))
    assert (during, one.permits.unreachable, one.usable) == (True, False, 1)


def test_a_renewal_is_tried_again_before_its_lease_is_unusable() -> None:
    """A short outage during a renewal costs no permit."""
    store = InMemoryPermits()
    one = Instance(store, "one")
    one.settle(wanted=1)
    pass_by(store, 24, (one, 1))
    store.down = True
    pass_by(store, 2, (one, 1))
    store.down = False
    for _ in range(20):
        pass_by(store, 1, (one, 1))
        assert one.usable == 1


@pytest.mark.parametrize(("connect", "read", "longest"), [(3.0, 10.0, 29.0), (25.0, 25.0, 60.0)])
def test_how_long_a_request_can_last(connect: float, read: float, longest: float) -> None:
    """Time-outs count up to the delivery's budget, and the longest still allow a use of the lease."""
    assert longest_request(connect, read, budget=18.0) == longest
    held = Permits(1, longest_request=longest, draw=lambda: 0.0)
    held.done(Step(StepKind.ACQUIRE, 0), "lease", sent=0.0, now=0.0)
    assert held.usable(SHORTEST_USE - 0.01) == 1


ACTIONS = st.lists(
    st.tuples(
        st.integers(0, 3),  # which instance
        st.sampled_from(["want", "rest", "step", "slow step", "die", "outage"]),
        st.floats(0.0, 20.0),  # seconds that pass before it
    ),
    max_size=120,
)


@settings(max_examples=150, deadline=None)
@given(actions=ACTIONS, places=st.integers(1, 5), seed=st.integers(0, 9))
def test_never_more_in_use_than_permits(
    actions: list[tuple[int, str, float]], places: int, seed: int
) -> None:
    """With any schedule, with calls that are slow, fail or never end, at most N requests are in flight.

    Each instance always has as many in flight as allowed, and each request lasts as long as it can.
    """
    store = InMemoryPermits(places=places)
    world = [Instance(store, str(number), places, seed + number) for number in range(4)]
    wanted = [0] * len(world)
    ends: list[list[float]] = [[] for _ in world]
    for who, action, seconds in actions:
        for _ in range(math.ceil(seconds) + 1):
            store.now += seconds / (math.ceil(seconds) + 1)
            _begin(store, world, wanted, ends)
        if action in {"want", "rest"}:
            wanted[who] = places if action == "want" else 0
        elif action == "die":
            # Airflow continues its requests as long as possible, without renewals.
            ends.append(ends[who])
            ends[who], wanted[who] = [], 0
            world[who] = Instance(store, f"{who}-{store.now}", places, seed)
        elif action == "outage":
            store.down = not store.down
        else:
            _step(store, world[who], wanted[who], len(ends[who]), 7.0 if action == "slow step" else 0.0)
        _begin(store, world, wanted, ends)
    store.down = False
    for instance in world:
        for _ in range(4):
            store.now += LEASE_SECONDS
            instance.settle(wanted=0)
    assert store.holders() == 0, "every permit is freed in the end"


def _begin(store: InMemoryPermits, world: list[Instance], wanted: list[int], ends: list[list[float]]) -> None:
    for flights in ends:
        flights[:] = [end for end in flights if end > store.now]
    for instance, want, flights in zip(world, wanted, ends, strict=False):
        while len(flights) < min(instance.usable, want):
            flights.append(store.now + LONGEST)
    assert sum(map(len, ends)) <= len(store.leases_ever(store.now)) <= store.places


def _step(store: InMemoryPermits, instance: Instance, wanted: int, in_flight: int, takes: float) -> None:
    planned = instance.permits.next(store.now, wanted=wanted, in_flight=in_flight)
    if not isinstance(planned, Step):
        return
    sent = store.now
    try:
        result = planned.on(instance.view)
    except OSError:
        store.now += takes
        instance.permits.failed(planned, store.now)
    else:
        store.now += takes
        instance.permits.done(planned, result, sent=sent, now=store.now)


def test_a_view_of_nothing_is_empty() -> None:
    """Before the first look no permit counts as free."""
    assert View().free == frozenset()
