from datetime import UTC, datetime

import pytest

from shared.admission.breaker import SILENT_SECONDS, Breaker
from shared.admission.outage import Outage
from tests.support.clocks import SEEN, MonotonicClock

SINCE = datetime(2026, 11, 25, 10, 6, 40, tzinfo=UTC)
NEXT = datetime(2026, 11, 25, 10, 7, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("outage", "document", "reason"),
    [
        (
            Outage(SINCE, NEXT),
            {
                "condition": "not answering",
                "since": "2026-11-25T10:06:40Z",
                "next_try": "2026-11-25T10:07:10Z",
            },
            "Airflow `a` has not answered since 10:06:40 UTC; next try 10:07:10 UTC",
        ),
        (
            Outage(SINCE, is_tried=True),
            {"condition": "trying again", "since": "2026-11-25T10:06:40Z"},
            "Airflow `a` has not answered since 10:06:40 UTC",
        ),
        (
            Outage(SINCE, status=503),
            {"condition": "answering with errors (HTTP 503)", "since": "2026-11-25T10:06:40Z"},
            "Airflow `a` has answered only with errors (the last one HTTP 503) since 10:06:40 UTC",
        ),
    ],
)
def test_it_says_the_condition_and_not_the_mechanism(
    outage: Outage, document: dict[str, str], reason: str
) -> None:
    """The status and the reason of an event have since when, and when the next request goes."""
    assert outage.to_document() == document
    assert outage.reason("a") == reason


def breaker_at(clock: MonotonicClock, failures: int = 5) -> Breaker:
    """Return a breaker that lives on a test's clock."""
    return Breaker(failures=failures, clock=clock, now=clock.now)


def outage_of(breaker: Breaker) -> Outage | None:
    """Return the outage as it is now (a property narrows for the type checker as if it could not change)."""
    return breaker.outage


def answer(breaker: Breaker, clock: MonotonicClock, seconds: float, *, healthy: bool | None) -> None:
    """Send one request that ends after some seconds."""
    permission = breaker.enter()
    assert permission is not None
    permission.sent()
    clock.sleep(seconds)
    permission.end(healthy=healthy, status=None if healthy else 500)


def test_it_counts_from_the_first_request_without_an_answer() -> None:
    """Since when is the moment at which the first failed request was sent, and stays while more fail."""
    clock = MonotonicClock()
    breaker = breaker_at(clock)
    answer(breaker, clock, 1, healthy=True)
    answer(breaker, clock, 10, healthy=False)
    answer(breaker, clock, 10, healthy=False)
    outage = breaker.outage
    assert outage is not None
    assert ((outage.since - SEEN).total_seconds(), outage.status, outage.next_try) == (1, 500, None)
    answer(breaker, clock, 1, healthy=True)
    assert breaker.outage is None


def test_a_single_short_failure_is_not_an_outage() -> None:
    """A failure that is followed by an answer within seconds is never reported."""
    clock = MonotonicClock()
    breaker = breaker_at(clock)
    answer(breaker, clock, 0.1, healthy=False)
    assert breaker.outage is None
    clock.sleep(SILENT_SECONDS)
    assert breaker.outage is not None, "the last known condition stays until an answer comes"


def test_a_request_that_hangs_counts_before_it_times_out() -> None:
    """An Airflow that hangs is known by the requests in flight; an answer to any of them ends it."""
    clock = MonotonicClock()
    breaker = breaker_at(clock)
    hanging, quick = breaker.enter(), breaker.enter()
    assert hanging is not None
    assert quick is not None
    hanging.sent()
    quick.sent()
    clock.sleep(SILENT_SECONDS)
    outage = outage_of(breaker)
    assert outage is not None
    assert (outage.since, outage.status, breaker.oldest_seconds) == (SEEN, None, SILENT_SECONDS)
    quick.end(healthy=True)
    assert outage_of(breaker) is None
    assert breaker.oldest_seconds == SILENT_SECONDS
    clock.sleep(SILENT_SECONDS)
    since_the_answer = outage_of(breaker)
    assert since_the_answer is not None
    assert (since_the_answer.since - SEEN).total_seconds() == SILENT_SECONDS
    hanging.end(healthy=None)
    assert outage_of(breaker) is None
    assert breaker.oldest_seconds is None


def test_an_open_circuit_is_an_outage_at_once_with_its_next_try() -> None:
    """However quickly the failures came, an Airflow that is left alone is reported, with the next try."""
    clock = MonotonicClock()
    breaker = breaker_at(clock, failures=1)
    answer(breaker, clock, 0.0, healthy=False)
    outage = outage_of(breaker)
    assert outage is not None
    assert outage.next_try is not None
    assert (outage.next_try - SEEN).total_seconds() == 30
    clock.sleep(30)
    probing = outage_of(breaker)
    assert probing is not None
    assert (probing.condition, probing.next_try) == ("trying again", None)


def test_a_status_is_that_of_this_outage() -> None:
    """After an answer the status of an earlier failure says nothing of an Airflow that now hangs."""
    clock = MonotonicClock()
    breaker = breaker_at(clock)
    answer(breaker, clock, 1, healthy=False)
    answer(breaker, clock, 1, healthy=True)
    hanging = breaker.enter()
    assert hanging is not None
    hanging.sent()
    clock.sleep(SILENT_SECONDS)
    outage = outage_of(breaker)
    assert outage is not None
    assert outage.status is None


def test_a_later_request_does_not_begin_the_outage_anew() -> None:
    """While a request waits for its answer the outage has lasted since the first that failed."""
    clock = MonotonicClock()
    breaker = breaker_at(clock)
    answer(breaker, clock, 1, healthy=False)
    clock.sleep(1)
    waits = breaker.enter()
    assert waits is not None
    waits.sent()
    clock.sleep(0.9)
    assert outage_of(breaker) is None
    clock.sleep(0.1)
    outage = outage_of(breaker)
    assert outage is not None
    assert outage.since == SEEN
    assert breaker.oldest_seconds == pytest.approx(1)
    assert SILENT_SECONDS == 3
