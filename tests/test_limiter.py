import threading
import time

from shared.limiter import LocalLimiter


def test_places_are_counted() -> None:
    """There are as many places as were given, and a place that is left can be taken again."""
    limiter = LocalLimiter(2)
    assert limiter.enter("a", wait=0)
    assert limiter.enter("b", wait=0)
    assert not limiter.enter("c", wait=0)
    limiter.leave("a", seconds=0.1, healthy=True)
    assert limiter.enter("c", wait=0)


def test_the_wait_is_bounded() -> None:
    """Whoever finds no place is told so once the wait is over, also where the wait is already negative."""
    limiter = LocalLimiter(1)
    assert limiter.enter("a", wait=0)
    started = time.monotonic()
    assert not limiter.enter("b", wait=0.05)
    assert time.monotonic() - started >= 0.04
    assert not limiter.enter("b", wait=-1)


def test_a_place_that_becomes_free_in_time_is_taken() -> None:
    """A waiting caller gets the place that another leaves."""
    limiter = LocalLimiter(1)
    assert limiter.enter("a", wait=0)
    threading.Timer(0.02, limiter.leave, ("a",), {"seconds": 0.0, "healthy": False}).start()
    assert limiter.enter("b", wait=10)
