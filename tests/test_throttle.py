from shared.throttle import ONCE_A_MINUTE, Throttle
from tests.support.clocks import MonotonicClock


def test_one_is_let_through_in_each_pause() -> None:
    """The first call passes; the next one passes only after the pause."""
    clock = MonotonicClock()
    throttle = Throttle(10, clock)
    assert [throttle.enter(), throttle.enter()] == [True, False]
    clock.sleep(9.5)
    assert not throttle.enter()
    clock.sleep(0.5)
    assert [throttle.enter(), throttle.enter()] == [True, False]


def test_the_time_until_it_opens_is_never_negative() -> None:
    """The wait is zero before the first call and after the pause, and counts down in between."""
    clock = MonotonicClock()
    throttle = Throttle(10, clock)
    assert throttle.opens_in() == 0
    throttle.enter()
    assert throttle.opens_in() == 10
    clock.sleep(9.5)
    assert throttle.opens_in() == 0.5
    clock.sleep(90)
    assert throttle.opens_in() == 0


def test_the_pause_is_a_minute() -> None:
    """The default pause is a minute."""
    clock = MonotonicClock()
    throttle = Throttle(clock=clock)
    throttle.enter()
    assert throttle.opens_in() == ONCE_A_MINUTE == 60
