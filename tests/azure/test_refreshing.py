"""The cached value: single flight, use of the old one while it is renewed, shared and cached errors."""

import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.azure.refreshing import LONG_PAUSE, PAUSE, Fetched, RefreshingValue, TooManyWaiting
from shared.errors import CredentialError, TokenUnavailable


class Source:
    """A source of values: counts its calls, can fail, and can block."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.asked: list[str | None] = []
        self.error: Exception | None = None
        self.same: str | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def fetch(self, refused: str | None) -> Fetched[str]:
        """Return `v1`, `v2`, … valid for 100 s, to be renewed after 80 s."""
        self.asked.append(refused)
        self.entered.set()
        self.gate.wait(10)
        if self.error is not None:
            raise self.error
        return Fetched(self.same or f"v{len(self.asked)}", self.now + 80, self.now + 100)

    def cached(self, *, drop_when_denied: bool = False) -> RefreshingValue[str]:
        """Return a cache on this source and its clock."""
        return RefreshingValue(
            self.fetch, what="the thing", drop_when_denied=drop_when_denied, clock=lambda: self.now
        )


@pytest.fixture
def source() -> Source:
    """A source that answers."""
    return Source()


def _thread(call: Callable[[], object], results: list[object]) -> threading.Thread:
    def run() -> None:
        try:
            results.append(call())
        except (CredentialError, RuntimeError) as exc:
            results.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_value_is_fetched_once(source: Source) -> None:
    """Until its renewal is due, the cached value is returned."""
    cached = source.cached()
    source.now += 79
    assert {cached.get() for _ in range(5)} == {"v1"}
    assert source.asked == [None]


def test_waiting_threads_share_the_flights_error(source: Source) -> None:
    """A failed fetch raises a separate error in each waiting thread, and is made once."""
    cached = source.cached()
    source.error = TokenUnavailable("the endpoint is away")
    source.gate.clear()
    results: list[object] = []
    threads = [_thread(cached.get, results) for _ in range(8)]
    source.entered.wait(10)
    source.gate.set()
    for thread in threads:
        thread.join()
    assert [str(result) for result in results] == ["the endpoint is away"] * 8
    assert len(set(map(id, results))) == 8
    assert len(source.asked) == 1


def test_an_unforeseen_error_does_not_strand_the_waiting(source: Source) -> None:
    """An unexpected error ends the fetch, and the next caller tries again."""
    cached = source.cached()
    source.error = RuntimeError("unforeseen")
    source.gate.clear()
    results: list[object] = []
    threads = [_thread(cached.get, results) for _ in range(3)]
    source.entered.wait(10)
    source.gate.set()
    for thread in threads:
        thread.join()
    assert [type(result) for result in results] == [RuntimeError] * 3
    source.error = None
    assert cached.get().startswith("v")


def test_others_go_on_with_the_old_value_while_one_renews(source: Source) -> None:
    """Near expiry one thread fetches, and the others do not wait."""
    cached = source.cached()
    cached.get()
    source.now += 90
    source.gate.clear()
    source.entered.clear()
    results: list[object] = []
    renewing = _thread(cached.get, results)
    source.entered.wait(10)
    assert [cached.get() for _ in range(5)] == ["v1"] * 5
    source.gate.set()
    renewing.join()
    assert results == ["v2"]
    assert cached.get() == "v2"
    assert len(source.asked) == 2


def test_a_failed_renewal_leaves_the_old_value_until_it_expires(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    """After a failed renewal the old value is used until it expires, with a warning and few tries."""
    cached = source.cached()
    cached.get()
    source.error = TokenUnavailable("the endpoint is away", permanent=True)
    source.now += 90
    assert [cached.get() for _ in range(5)] == ["v1"] * 5
    assert len(source.asked) == 2
    assert "the thing could not be renewed" in caplog.text
    assert "v1" not in caplog.text
    source.now += 10
    with pytest.raises(TokenUnavailable, match="is away"):
        cached.get()


def test_what_is_denied_ends_at_once_where_that_is_asked_for(source: Source) -> None:
    """With `drop_when_denied` a permanent failure ends the old value, a transient one does not."""
    cached = source.cached(drop_when_denied=True)
    cached.get()
    source.now += 85
    source.error = TokenUnavailable("away")
    assert cached.get() == "v1"
    source.now += PAUSE
    source.error = TokenUnavailable("disabled", permanent=True)
    for _ in range(2):
        with pytest.raises(TokenUnavailable, match="disabled") as caught:
            cached.get()
        assert caught.value.permanent
    assert len(source.asked) == 3


@pytest.mark.parametrize(("permanent", "pause"), [(False, PAUSE), (True, LONG_PAUSE)])
def test_a_failure_is_remembered_for_a_moment(source: Source, pause: float, *, permanent: bool) -> None:
    """Callers just after a failure get it without a fetch; later ones fetch."""
    cached = source.cached()
    source.error = TokenUnavailable("away", permanent=permanent)
    for _ in range(5):
        with pytest.raises(TokenUnavailable):
            cached.get()
    assert len(source.asked) == 1
    source.error = None
    source.now += pause
    assert cached.get() == "v2"


def test_a_refused_value_is_fetched_anew_once(source: Source) -> None:
    """The first refusal of a value fetches; a later one of the same value gets the fetched value."""
    cached = source.cached()
    refused = cached.get()
    assert [cached.renew(refused) for _ in range(5)] == ["v2"] * 5
    assert source.asked == [None, "v1"]
    assert cached.get() == "v2"


def test_complaining_about_what_does_not_change_costs_one_fetch(source: Source) -> None:
    """If the source has no newer value, the same one is returned, without repeated fetches."""
    cached = source.cached()
    source.same = "constant"
    refused = cached.get()
    assert [cached.renew(refused) for _ in range(9)] == ["constant"] * 9
    assert len(source.asked) == 2
    source.now += LONG_PAUSE
    cached.renew(refused)
    assert len(source.asked) == 3


def test_a_refused_value_is_not_given_out_again_when_none_can_be_fetched(source: Source) -> None:
    """If the renewal fails the refused value is dropped."""
    cached = source.cached()
    refused = cached.get()
    source.error = TokenUnavailable("away")
    with pytest.raises(TokenUnavailable, match="away"):
        cached.renew(refused)
    with pytest.raises(TokenUnavailable, match="away"):
        cached.get()
    assert len(source.asked) == 2


def test_renewing_joins_the_flight_under_way(source: Source) -> None:
    """Sixteen threads with the same refused value make one fetch."""
    cached = source.cached()
    refused = cached.get()
    source.gate.clear()
    source.entered.clear()
    results: list[object] = []
    threads = [_thread(lambda: cached.renew(refused), results) for _ in range(16)]
    source.entered.wait(10)
    source.gate.set()
    for thread in threads:
        thread.join()
    assert results == ["v2"] * 16
    assert len(source.asked) == 2


def test_renewing_without_a_complaint_fetches(source: Source) -> None:
    """`renew()` fetches with and without a cached value."""
    cached = source.cached()
    assert [cached.renew(), cached.renew()] == ["v1", "v2"]


def test_an_expired_value_is_no_answer_to_a_complaint(source: Source) -> None:
    """A value fetched since the refusal counts only while it is valid."""
    cached = source.cached()
    cached.get()
    source.now += 100
    assert cached.renew("an older one") == "v2"


@given(st.lists(st.tuples(st.sampled_from(["get", "renew", "fail", "heal"]), st.floats(0, 60)), max_size=40))
def test_no_value_is_given_out_after_it_expired(steps: list[tuple[str, float]]) -> None:
    """After any sequence of events, a returned value has not expired."""
    source = Source()
    expires: dict[str, float] = {}

    def fetch(refused: str | None) -> Fetched[str]:
        lease = source.fetch(refused)
        expires[lease.value] = lease.expires_at
        return lease

    cached = RefreshingValue(fetch, what="the thing", clock=lambda: source.now)
    last = ""
    for step, seconds in steps:
        source.now += seconds
        if step in {"fail", "heal"}:
            source.error = TokenUnavailable("away") if step == "fail" else None
            continue
        try:
            last = cached.get() if step == "get" else cached.renew(last)
        except TokenUnavailable:
            continue
        assert source.now < expires[last]


def test_a_lease_does_not_show_its_value() -> None:
    """Neither the text nor the repr has the value."""
    assert "hush" not in f"{Fetched('hush', 1, 2)!r} {Fetched('hush', 1, 2)}"


def test_few_threads_wait_where_that_is_asked_for(source: Source) -> None:
    """A thread beyond the limit gets the error at once; threads without a limit wait."""
    cached = source.cached()
    source.gate.clear()
    results: list[object] = []
    threads = [_thread(lambda: cached.get(waiters=2), results)]
    source.entered.wait(10)
    threads += [_thread(lambda: cached.get(waiters=2), results) for _ in range(4)]
    while len(results) < 2:
        time.sleep(0.01)
    assert [type(result) for result in results] == [TooManyWaiting] * 2
    threads.append(_thread(cached.get, results))
    source.gate.set()
    for thread in threads:
        thread.join()
    assert results[2:] == ["v1"] * 4


def test_reading_again_keeps_the_old_value_while_none_can_be_had(source: Source) -> None:
    """The old value was not refused, so only a permanent refusal of the source drops it."""
    cached = source.cached(drop_when_denied=True)
    cached.get()
    assert cached.reread() == "v2"
    source.error = TokenUnavailable("away")
    with pytest.raises(TokenUnavailable):
        cached.reread()
    assert cached.get() == "v2"
    source.now += PAUSE
    source.error = TokenUnavailable("disabled", permanent=True)
    with pytest.raises(TokenUnavailable):
        cached.reread()
    with pytest.raises(TokenUnavailable):
        cached.get()


def test_reading_again_does_not_take_the_value_of_an_older_fetch(source: Source) -> None:
    """A fetch that began before the call may return an old value, so another one follows."""
    cached = source.cached()
    source.gate.clear()
    results: list[object] = []
    first = _thread(cached.get, results)
    source.entered.wait(10)
    second = _thread(cached.reread, results)
    source.gate.set()
    first.join()
    second.join()
    assert sorted(map(str, results)) == ["v1", "v2"]
    assert len(source.asked) == 2
