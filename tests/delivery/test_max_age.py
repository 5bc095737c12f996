"""`max_age`: a delivery waits at most so long, and has a last try at the end."""

import math
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.stand_ins.airflow_stub import AirflowStub
from shared.deciding.decide import Decision
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.errors import TokenUnavailable
from shared.runs.request import Terms
from shared.stores.parking import LONGEST_DELAY
from tests.support.clocks import SEEN
from tests.support.delivery import DAG, Delivering, decision, event
from tests.support.parked import of_message, parked_event

WEEK = 168 * 3600


def _busy(delivering: Delivering, stub: AirflowStub, retry_after: float) -> None:
    stub.inject(503, retry_after=retry_after, times=99)


def _throttled(delivering: Delivering, stub: AirflowStub, retry_after: float) -> None:
    stub.inject(429, retry_after=retry_after, times=99)


def _forbidden(delivering: Delivering, stub: AirflowStub, retry_after: float) -> None:
    stub.forbidden.add(DAG)


def _paused(delivering: Delivering, stub: AirflowStub, retry_after: float) -> None:
    stub.paused.add(DAG)


def _no_token(delivering: Delivering, stub: AirflowStub, retry_after: float) -> None:
    delivering.tokens.error = TokenUnavailable("no such identity", permanent=True)


def _no_place(delivering: Delivering, stub: AirflowStub, retry_after: float) -> None:
    delivering.limiter.delay_for_rejected = lambda: retry_after  # type: ignore[method-assign] # a full backlog
    delivering.limiter.enter = lambda *_, **__: False  # type: ignore[method-assign] # as above


Obstacle = Callable[[Delivering, AirflowStub, float], None]
OBSTACLES: dict[str, Obstacle] = {
    "503 with Retry-After": _busy,
    "429 with Retry-After": _throttled,
    "forbidden": _forbidden,
    "a paused DAG": _paused,
    "no token": _no_token,
    "no place": _no_place,
}


def held(max_age: float) -> Decision:
    """Return the decision of a rule with `when_paused: hold` and a `max_age`."""
    return decision(terms=Terms(max_age=max_age, when_paused="hold"))


@given(
    max_age=st.integers(1, WEEK),
    part=st.floats(-1, 3),
    retry_after=st.sampled_from([0, 1, 60, 3_600, 86_400, 10**9]),
    obstacle=st.sampled_from(sorted(OBSTACLES)),
)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_waits_for_what_is_left_and_no_longer(
    stub: AirflowStub, max_age: int, part: float, retry_after: int, obstacle: str
) -> None:
    """An event is parked at most until its `max_age`, and dead-lettered after it."""
    stub.heal()
    stub.forbidden.clear()
    stub.paused.clear()
    delivering = Delivering(stub.url)
    OBSTACLES[obstacle](delivering, stub, float(retry_after))
    first_seen = SEEN - timedelta(seconds=part * max_age)

    outcome = delivering.deliver(event(), held(max_age), parked=parked_event(event(), first_seen=first_seen))

    age = (delivering.clock.now() - first_seen).total_seconds()
    if age >= max_age:
        assert outcome.kind is OutcomeKind.REJECTED
        (letter,) = delivering.letters.kept.values()
        assert letter.code == "TimeToLiveExceeded"
    else:
        assert outcome.kind is OutcomeKind.PARKED
        ((_, delay),) = delivering.parking.kept
        assert delay == outcome.retry_in
        assert 0 <= delay <= min(max_age, LONGEST_DELAY)
        assert age < 0 or delay <= max_age - age


def live(delivering: Delivering, wanted: Decision) -> Outcome:
    """Deliver an event again after each wait until it is no longer parked."""
    outcome = delivering.deliver(event(), wanted)
    while outcome.kind is OutcomeKind.PARKED:
        ((parked, delay),) = delivering.parking.kept
        delivering.parking.kept.clear()
        parked = of_message(parked.to_message())
        delivering.clock.sleep(math.ceil(delay))  # a queue counts in whole seconds
        outcome = delivering.deliver(event(), wanted, parked=parked)
    return outcome


@pytest.mark.parametrize("obstacle", sorted(OBSTACLES))
@pytest.mark.parametrize("max_age", [1, 90, 600, 1_800, 86_400])
def test_a_last_try_comes_at_the_greatest_age(stub: AirflowStub, obstacle: str, max_age: int) -> None:
    """With each obstacle, an event is tried until its `max_age`, and dead-lettered then."""
    delivering = Delivering(stub.url)
    OBSTACLES[obstacle](delivering, stub, 86_400)
    outcome = live(delivering, held(max_age))
    assert outcome.kind is OutcomeKind.REJECTED
    assert max_age <= delivering.clock.seconds <= max_age + 20
    (letter,) = delivering.letters.kept.values()
    assert letter.code == "TimeToLiveExceeded"
    assert letter.reason.startswith("given up after ")
    assert delivering.outcome_counts.balances()


@pytest.mark.parametrize("obstacle", sorted(OBSTACLES))
def test_the_last_try_is_a_real_one(stub: AirflowStub, obstacle: str) -> None:
    """If the obstacle is gone at the last try, the event starts its run."""
    delivering = Delivering(stub.url)
    OBSTACLES[obstacle](delivering, stub, 86_400)
    first = delivering.deliver(event(), held(600))
    assert first.retry_in is not None
    assert first.retry_in <= 600
    fresh = Delivering(stub.url)
    stub.heal()
    stub.forbidden.clear()
    stub.paused.clear()
    ((parked, _),) = delivering.parking.kept
    last = fresh.deliver(event(), held(600), parked=parked)
    assert last.kind is OutcomeKind.STARTED


@pytest.mark.parametrize(
    ("max_age", "age", "says"),
    [
        (90, 90, "given up after 90 s: "),
        (600, 600, "given up after 10 min: "),
        (86_400, 86_410, "given up after 24 h: "),
        (86_400, 3 * 86_400, "given up after 72 h (its `max_age` is 24 h): "),
        (WEEK, WEEK, "given up after 168 h: "),
    ],
)
def test_the_letter_says_how_old_the_event_became(
    stub: AirflowStub, delivering: Delivering, max_age: int, age: int, says: str
) -> None:
    """The reason has the age of the event, and the last obstacle."""
    stub.forbidden.add(DAG)
    first_seen = SEEN - timedelta(seconds=age)
    outcome = delivering.deliver(event(), held(max_age), parked=parked_event(event(), first_seen=first_seen))
    assert outcome.reason.startswith(says)
    assert "HTTP 403" in outcome.reason
