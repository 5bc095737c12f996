import threading

from shared.admission.breaker import Breaker, Permission
from tests.support.clocks import MonotonicClock


def state(breaker: Breaker) -> str:
    """Return what the next request meets; where the state is `half-open` it alone goes."""
    outage = breaker.outage
    if outage is not None and outage.is_tried:
        return "half-open"
    return "open" if outage is not None and outage.next_try is not None else "closed"


def fail(breaker: Breaker, times: int) -> None:
    """Make requests fail one after the other."""
    for _ in range(times):
        passage = breaker.enter()
        assert passage is not None
        passage.end(healthy=False)


def test_consecutive_failures_open_it() -> None:
    """Consecutive failures open it; a definite answer in between resets the count."""
    breaker = Breaker(failures=3, clock=MonotonicClock())
    fail(breaker, 2)
    passage = breaker.enter()
    assert passage is not None
    passage.end(healthy=True)
    fail(breaker, 2)
    assert (state(breaker), breaker.retry_in) == ("closed", 0)
    fail(breaker, 1)
    assert (state(breaker), breaker.retry_in) == ("open", 30)
    assert breaker.enter() is None


def test_half_open_lets_exactly_one_of_many_through() -> None:
    """One of twenty callers at the end of the pause is allowed."""
    clock = MonotonicClock()
    breaker = Breaker(failures=1, rest=30, clock=clock)
    fail(breaker, 1)
    clock.sleep(30)
    assert state(breaker) == "half-open"
    gate = threading.Barrier(20)
    passages: list[Permission | None] = []

    def come() -> None:
        gate.wait()
        passages.append(breaker.enter())

    threads = [threading.Thread(target=come) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passage is not None for passage in passages) == 1


def test_a_good_probe_closes_it_and_a_bad_one_does_not() -> None:
    """One definite answer to a probe closes it; one failure starts a full pause."""
    clock = MonotonicClock()
    breaker = Breaker(failures=2, rest=30, clock=clock)
    fail(breaker, 2)
    clock.sleep(30)
    fail(breaker, 1)
    assert (state(breaker), breaker.retry_in) == ("open", 30)
    clock.sleep(30)
    probe = breaker.enter()
    assert probe is not None
    probe.end(healthy=True)
    assert state(breaker) == "closed"
    fail(breaker, 1)
    assert state(breaker) == "closed"


def test_a_probe_that_learnt_nothing_makes_room_for_another() -> None:
    """A probe without a slot or a token does not count; the next one is allowed at once."""
    clock = MonotonicClock()
    breaker = Breaker(failures=1, rest=30, clock=clock)
    fail(breaker, 1)
    clock.sleep(30)
    probe = breaker.enter()
    assert probe is not None
    probe.end(healthy=None)
    assert breaker.enter() is not None


def test_a_probe_that_never_comes_back_is_given_up() -> None:
    """A probe whose thread was killed does not keep the breaker open."""
    clock = MonotonicClock()
    breaker = Breaker(failures=1, rest=30, probe_lasts=60, clock=clock)
    fail(breaker, 1)
    clock.sleep(30)
    lost = breaker.enter()
    assert lost is not None
    clock.sleep(59)
    assert breaker.enter() is None
    clock.sleep(1)
    probe = breaker.enter()
    assert probe is not None
    lost.end(healthy=True)
    assert state(breaker) == "half-open"
    probe.end(healthy=True)
    assert state(breaker) == "closed"


def test_late_answers_change_nothing() -> None:
    """A request that began before the breaker opened neither closes it nor extends the pause."""
    clock = MonotonicClock()
    breaker = Breaker(failures=1, rest=30, clock=clock)
    slow, slower = breaker.enter(), breaker.enter()
    assert slow is not None
    assert slower is not None
    fail(breaker, 1)
    clock.sleep(10)
    slow.end(healthy=True)
    slower.end(healthy=False)
    assert (state(breaker), breaker.retry_in) == ("open", 20)


def test_nothing_learnt_while_closed_does_not_count() -> None:
    """Without an answer from Airflow the count of failures does not change."""
    breaker = Breaker(failures=2, clock=MonotonicClock())
    fail(breaker, 1)
    passage = breaker.enter()
    assert passage is not None
    passage.end(healthy=None)
    assert state(breaker) == "closed"
    fail(breaker, 1)
    assert state(breaker) == "open"


def test_a_breaker_without_settings_opens_at_five_and_rests_half_a_minute() -> None:
    """Five failures open it for 30 s, and a probe has 60 s, as in docs/delivery.md."""
    clock = MonotonicClock()
    breaker = Breaker(clock=clock)
    fail(breaker, 4)
    assert (state(breaker), breaker.retry_in) == ("closed", 0)
    fail(breaker, 1)
    assert (state(breaker), breaker.retry_in) == ("open", 30)
    clock.sleep(29)
    assert (state(breaker), breaker.retry_in) == ("open", 1)
    clock.sleep(1)
    assert breaker.enter() is not None
    clock.sleep(59.5)
    assert breaker.enter() is None
    clock.sleep(0.5)
    assert breaker.enter() is not None


def test_after_the_rest_there_is_nothing_to_wait_for() -> None:
    """A wait is never negative, also long after the pause."""
    clock = MonotonicClock()
    breaker = Breaker(failures=1, rest=30, clock=clock)
    fail(breaker, 1)
    clock.sleep(45)
    assert (state(breaker), breaker.retry_in) == ("half-open", 0)
