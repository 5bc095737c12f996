import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.log_throttle import MOST_KINDS, LogThrottle
from tests.support.log_lines import said

WARNING = logging.WARNING


class Timers:
    """Stores calls and their times."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def clock(self) -> float:
        """Return the test's time."""
        return self.now

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Store a call."""
        self.waiting.append((self.now + seconds, call))

    def go_on(self, seconds: float) -> None:
        """Advance the time, and make the calls that are due."""
        until = self.now + seconds
        while due := [each for each in self.waiting if each[0] <= until]:
            first = min(due, key=lambda each: each[0])
            self.waiting.remove(first)
            self.now = first[0]
            first[1]()
        self.now = until


@pytest.fixture
def timers() -> Timers:
    """The timers of a test."""
    return Timers()


@pytest.fixture
def throttle(timers: Timers, caplog: pytest.LogCaptureFixture) -> LogThrottle:
    """A throttle with a window of a minute."""
    caplog.set_level(logging.INFO)
    return LogThrottle(60.0, timers.clock, timers.later)


def test_one_line_and_then_its_count(
    throttle: LogThrottle, timers: Timers, caplog: pytest.LogCaptureFixture
) -> None:
    """The first line may be logged; the timer logs the count of the others at the window's end."""
    assert [throttle.may_log(WARNING, "runs", 403, "not_allowed") for _ in range(5)] == [True] + [False] * 4
    timers.go_on(59.0)
    assert caplog.records == []
    timers.go_on(2.0)
    (record,) = caplog.records
    assert record.levelno == WARNING
    assert said(record) == ("4 more log lines like one before were left out in 60 s: runs 403 not_allowed")
    assert timers.waiting == []
    assert throttle.may_log(WARNING, "runs", 403, "not_allowed")


def test_kinds_have_windows_of_their_own(
    throttle: LogThrottle, timers: Timers, caplog: pytest.LogCaptureFixture
) -> None:
    """Each kind has its line and its count, and one timer for all."""
    for number in range(3):
        assert throttle.may_log(WARNING, "f", 400 + number, "c")
        timers.go_on(1.0)
        assert not throttle.may_log(WARNING, "f", 400 + number, "c")
    assert len(timers.waiting) == 1
    timers.go_on(70.0)
    assert [said(record).partition(": ")[2] for record in caplog.records] == [
        f"f {400 + number} c" for number in range(3)
    ]


def test_without_a_flood_there_is_no_timer(throttle: LogThrottle, timers: Timers) -> None:
    """Rare lines start no thread, and nothing is stored for them."""
    for number in range(50):
        assert throttle.may_log(WARNING, "f", number)
        timers.go_on(61.0)
    assert timers.waiting == []
    assert len(throttle._windows) == 1


def test_what_is_remembered_is_bounded(throttle: LogThrottle) -> None:
    """Kinds beyond the limit share one window."""
    assert MOST_KINDS == 500
    logged = [throttle.may_log(WARNING, "f", number) for number in range(10 * MOST_KINDS)]
    assert sum(logged) == MOST_KINDS + 1
    assert len(throttle._windows) == MOST_KINDS + 1


def test_no_line_is_lost_or_doubled_by_threads(
    throttle: LogThrottle, timers: Timers, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the lines of many threads one is logged, and the count has all others."""
    barrier = threading.Barrier(16)

    def many() -> int:
        barrier.wait()
        return sum(throttle.may_log(WARNING, "f", 1) for _ in range(500))

    with ThreadPoolExecutor(16) as pool:
        logged = sum(future.result() for future in [pool.submit(many) for _ in range(16)])
    timers.go_on(61.0)
    assert logged == 1
    assert said(caplog.records[0]).startswith("7999 more")


def test_without_threads_the_next_line_logs_the_count(
    timers: Timers, caplog: pytest.LogCaptureFixture
) -> None:
    """In a process that cannot start a thread, the next line logs the count."""

    def no_thread(_seconds: float, _call: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    throttle = LogThrottle(60.0, timers.clock, no_thread)
    assert [throttle.may_log(WARNING, "f") for _ in range(3)] == [True, False, False]
    timers.now = 61.0
    assert throttle.may_log(WARNING, "f")
    assert said(caplog.records[0]).startswith("2 more")


def test_a_real_timer_logs_the_count(caplog: pytest.LogCaptureFixture) -> None:
    """The count is logged without any further line."""
    arrived = threading.Event()

    class Arrives(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            arrived.set()

    handler, throttle = Arrives(), LogThrottle(0.05)
    logging.getLogger("updraft").addHandler(handler)
    try:
        assert throttle.may_log(WARNING, "f")
        throttle.may_log(WARNING, "f")
        throttle.may_log(WARNING, "f")
        assert arrived.wait(60)
    finally:
        logging.getLogger("updraft").removeHandler(handler)
