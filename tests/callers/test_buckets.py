"""What takes from which bucket, how much, and when it is full again."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

import pytest

from shared.callers import Rates
from shared.callers.errors import RateExceeded
from shared.callers.permissions import MOST_BUCKETS, WITHOUT_ENTRY
from shared.callers.verifier import Identity as Caller
from shared.rules.model.callers import CallerSpec
from shared.runs.ref import RunRef
from tests.support.callers import GUID, OTHER
from tests.support.clocks import UnixClock

ROLE: Final = "Runs.Start"
APP: Final = Caller(GUID, OTHER, is_app=True, roles=frozenset({ROLE}))


def entry(name: str = "one", /, **members: Any) -> CallerSpec:
    """Return an entry of `callers` that may read the status."""
    return CallerSpec.model_validate({"name": name, "status": True, **members})


def refused(call: Callable[[], object]) -> int:
    """Return the seconds after which a call that is refused for its rate may come again."""
    with pytest.raises(RateExceeded) as caught:
        call()
    return caught.value.retry_after


@pytest.mark.parametrize(
    ("take", "holds"),
    [
        (lambda rates: rates.spend(entry(object_id=GUID, rate="3/m"), APP), 3),
        (lambda rates: rates.spend_hook("github", "3/m"), 3),
        (lambda rates: rates.spend_run(RunRef("analytics", "d", "r")), 60),
        (lambda rates: rates.check_any_left([], APP), 60),
    ],
)
def test_each_call_takes_one(take: Callable[[Rates], None], holds: int, clock: UnixClock) -> None:
    """A bucket holds a unit of time of its rate, is never fuller, and fills at that rate."""
    rates = Rates(clock)
    for waited in (0, 3_600):
        clock.now += waited
        for _ in range(holds):
            take(rates)
        with pytest.raises(RateExceeded) as caught:
            take(rates)
        assert caught.value.retry_after == 60 // holds + 1
        clock.now += 60 / holds
        take(rates)
        refused(lambda: take(rates))


def test_the_rate_without_an_entry_is_one_a_second() -> None:
    """So is the default of an entry (docs/rules.md); and only so many callers have a bucket."""
    assert entry(object_id=GUID).rate == WITHOUT_ENTRY
    assert (WITHOUT_ENTRY, MOST_BUCKETS) == ("60/m", 10_000)


def test_each_kind_of_hook_and_each_run_has_its_own(clock: UnixClock) -> None:
    """A flood of one kind of hook, or of one run, takes nothing from another."""
    rates = Rates(clock)
    for kind in ("github", "other"):
        rates.spend_hook(kind, "1/m")
        refused(partial(rates.spend_hook, kind, "1/m"))
    for run in ("a", "b"):
        for _ in range(60):
            rates.spend_run(RunRef("analytics", "d", run))


def test_a_caller_with_an_entry_is_asked_for_one_bucket_that_is_not_empty(clock: UnixClock) -> None:
    """Several entries add up; the wait is the shortest, and asking takes nothing."""
    rates = Rates(clock)
    slow = entry("slow", object_id=GUID, rate="1/h")
    fast = entry("fast", app_id=OTHER, rate="2/m")
    of_other = entry("other", object_id=OTHER, rate="9/s")
    for _ in range(5):
        rates.check_any_left([of_other, slow, fast], APP)
    rates.spend(slow, APP)
    rates.check_any_left([of_other, slow, fast], APP)
    rates.spend(fast, APP, 2)
    with pytest.raises(RateExceeded, match="more than 2/m calls") as caught:
        rates.check_any_left([of_other, slow, fast], APP)
    assert caught.value.retry_after == 31
    clock.now += 15
    with pytest.raises(RateExceeded) as caught:
        rates.check_any_left([slow, fast], APP)
    assert caught.value.retry_after == 16
    clock.now += 15
    rates.check_any_left([slow, fast], APP)


def test_a_refused_call_takes_one_from_each_of_its_entries(clock: UnixClock) -> None:
    """It never makes a bucket less than empty."""
    rates = Rates(clock)
    mine, others = (
        entry("mine", object_id=GUID, rate="2/m"),
        entry("others", app_id=GUID, rate="2/m"),
    )
    rates.spend_refusal([mine, others], APP)
    rates.spend(mine, APP)
    rates.spend(others, APP, 2)
    for _ in range(9):
        rates.spend_refusal([mine], APP)
    clock.now += 30
    rates.spend(mine, APP)


def test_what_is_refused_takes_nothing(clock: UnixClock) -> None:
    """A call for more than there is leaves what there is; the wait is for all of it."""
    rates, it = Rates(clock), entry(object_id=GUID, rate="4/m")
    rates.spend(it, APP, 3)
    with pytest.raises(RateExceeded) as caught:
        rates.spend(it, APP, 3)
    assert caught.value.retry_after == 31
    rates.spend(it, APP, 1)
    clock.now += 60
    rates.spend(it, APP, 4)


def test_the_least_recently_used_bucket_goes_first(clock: UnixClock) -> None:
    """Unknown identities never remove a caller's bucket, and a caller that calls keeps its bucket."""
    rates, it = Rates(clock), entry(role=ROLE, rate="1/h")
    rates.spend(it, APP)
    for number in range(MOST_BUCKETS):
        rates.check_any_left([], replace(APP, object_id=f"stranger-{number}"))
    refused(lambda: rates.spend(it, APP))
    member = [replace(APP, object_id=f"member-{number}") for number in range(MOST_BUCKETS)]
    for each in member[1:]:
        rates.spend_refusal([it], each)
    refused(lambda: rates.spend(it, APP))
    rates.spend(it, member[0])
    refused(lambda: rates.spend(it, APP))
    refused(lambda: rates.spend(it, member[2]))
    rates.spend_refusal([it], member[1])
    refused(lambda: rates.spend(it, member[1]))
    refused(lambda: rates.spend(it, member[-1]))
    rates.spend(it, member[3])
