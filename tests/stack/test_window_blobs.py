"""Windows in blobs, on a real Azurite: after crashes and repetitions, each event is in one run, once."""

import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

import shared.stores.window_blobs
from shared.azure.storage_account import Storage
from shared.errors import StorageUnavailable
from shared.event import Event
from shared.event.bursts import BurstKey
from shared.stores.parked import Parked
from shared.stores.window_blobs import OVERDUE, WindowBlobs
from shared.stores.windows import Joined
from shared.stores.work_items import WindowClose
from tests.support.clocks import MonotonicClock
from tests.support.delivery import event
from tests.support.in_memory import InMemoryParking

RULE = "burst"
SHOP = BurstKey("shop", 300)


class CrashedError(Exception):
    """The process ends at this step."""


@dataclass
class Steps:
    """Counts the calls to Storage, and crashes at one of them, before or after its effect."""

    crash_at: int = -1
    afterwards: bool = False
    taken: list[str] = field(default_factory=list)

    def take(self, name: str, act: Callable[[], Any]) -> Any:
        """Make a call, or crash."""
        self.taken.append(name)
        crash = len(self.taken) - 1 == self.crash_at
        if crash and not self.afterwards:
            raise CrashedError(name)
        try:
            return act()
        finally:
            if crash:
                raise CrashedError(name)


class Stepped:
    """A client, and the clients that it returns, whose calls are steps."""

    def __init__(self, inner: Any, steps: Steps) -> None:
        self._inner = inner
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        known = getattr(self._inner, name)
        if name == "get_blob_client":
            return lambda blob: Stepped(known(blob), self._steps)
        if not callable(known):
            return known
        return lambda *args, **kwargs: self._steps.take(name, lambda: known(*args, **kwargs))


class SteppedStorage(Storage):
    """A Storage whose calls are steps."""

    def __init__(self, storage: Storage, steps: Steps) -> None:
        self._real = storage
        self._steps = steps

    def container(self, name: str) -> Any:
        """Return a container whose calls are steps."""
        return Stepped(self._real.container(name), self._steps)

    def address(self, service: str) -> str:
        """Return the real address."""
        return self._real.address(service)


class SteppedParking(InMemoryParking):
    """Parking whose calls are steps."""

    def __init__(self, kept: list[tuple[Parked, float]], steps: Steps) -> None:
        super().__init__()
        self.kept = kept
        self._steps = steps

    def park(self, parked: Parked, delay_seconds: float) -> None:
        """Park a delivery, as a step."""
        self._steps.take("park", lambda: super(SteppedParking, self).park(parked, delay_seconds))


@dataclass
class Cloud:
    """One Storage account, and the instances of the app that share it."""

    storage: Storage
    container: str
    queue: list[tuple[Parked, float]] = field(default_factory=list)

    def instance(
        self,
        *,
        steps: Steps | None = None,
        clock: MonotonicClock | None = None,
    ) -> WindowBlobs:
        """Start an instance."""
        steps = steps or Steps()
        return WindowBlobs(
            SteppedStorage(self.storage, steps),
            SteppedParking(self.queue, steps),
            container=self.container,
            clock=clock or MonotonicClock(),
        )

    def runs(self, instance: WindowBlobs | None = None) -> dict[str, list[str]]:
        """Deliver all close messages of the queue; return the ids of the events by window."""
        closer = instance or self.instance()
        closings = [closing_of(parked) for parked, _ in self.queue]
        self.queue.clear()
        closed = {each.id: closer.close(RULE, each.id) for each in closings}
        return {window: [one.id for one in events] for window, events in closed.items() if events}


def closing_of(parked: Parked) -> WindowClose:
    """Return the close of a message."""
    assert isinstance(parked.work, WindowClose)
    return parked.work


@pytest.fixture
def cloud(storage: Storage, prefix: str) -> Cloud:
    """An empty account."""
    return Cloud(storage, f"{prefix}-windows")


def numbered(number: int) -> Event:
    """Return an event of a series with one event per second."""
    return event(id=f"e-{number}", time=f"2026-11-01T12:00:{number % 60:02}Z")


def test_a_burst_is_one_window_with_all_its_events_in_order(cloud: Cloud) -> None:
    """All instances collect the events of one key together; they are read in order of time, once."""
    instances = [cloud.instance() for _ in range(3)]
    for number in (4, 2, 9, 2, 0, 4):
        assert not instances[number % 3].collect(RULE, SHOP, numbered(number)).was_collected
    assert [delay for _, delay in cloud.queue] == [300]
    assert list(cloud.runs().values()) == [["e-0", "e-2", "e-4", "e-9"]]


def test_keys_and_rules_have_windows_of_their_own(cloud: Cloud) -> None:
    """Events with another key or rule are collected separately."""
    instance = cloud.instance()
    windows = {
        instance.collect(rule, BurstKey(key, 60), numbered(number)).window
        for rule, key, number in ((RULE, "shop", 1), (RULE, "till", 2), ("other", "shop", 1))
    }
    assert len(windows) == 3


def test_a_closed_window_takes_nothing_more(cloud: Cloud) -> None:
    """An event after the close opens the next window, on each instance, and no event is lost."""
    early, late = cloud.instance(), cloud.instance()
    early.collect(RULE, SHOP, numbered(1))
    late.collect(RULE, SHOP, numbered(2))
    assert list(cloud.runs().values()) == [["e-1", "e-2"]]
    for instance, number in ((early, 3), (late, 4), (cloud.instance(), 5)):
        assert not instance.collect(RULE, SHOP, numbered(number)).was_collected
    assert list(cloud.runs().values()) == [["e-3", "e-4", "e-5"]]


def test_a_window_that_is_closed_twice_has_the_same_events(cloud: Cloud) -> None:
    """A repeated close has no effect: its run has the same id and the same events."""
    instance = cloud.instance()
    window = instance.collect(RULE, SHOP, numbered(1)).window
    first = instance.close(RULE, window)
    instance.collect(RULE, SHOP, numbered(2))
    assert cloud.instance().close(RULE, window) == first == (numbered(1),)


def test_a_redelivery_after_the_close_is_told(cloud: Cloud) -> None:
    """A redelivered event whose window has closed is not put into a second window."""
    window = cloud.instance().collect(RULE, SHOP, numbered(1)).window
    cloud.runs()
    cloud.instance().collect(RULE, SHOP, numbered(2))
    assert cloud.instance().collect(RULE, SHOP, numbered(1)) == Joined(window, was_collected=True)
    assert list(cloud.runs().values()) == [["e-2"]]


def test_an_empty_window_closes(cloud: Cloud) -> None:
    """An empty window, and a deleted one, are closed without events."""
    assert cloud.instance().close(RULE, uuid.uuid4().hex) == ()


STEPS_OF_THE_FIRST = [
    *("download_blob", "create_append_blob", "create_container", "create_append_blob"),
    *("park", "upload_blob", "upload_blob", "append_block"),
]


def test_these_are_the_steps(cloud: Cloud) -> None:
    """The number of steps of the first and of a second event, for the next tests."""
    steps = Steps()
    instance = cloud.instance(steps=steps)
    instance.collect(RULE, SHOP, numbered(1))
    assert steps.taken == STEPS_OF_THE_FIRST
    steps.taken.clear()
    instance.collect(RULE, SHOP, numbered(2))
    assert steps.taken == ["upload_blob", "append_block"]


@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(len(STEPS_OF_THE_FIRST)))
@pytest.mark.parametrize("close_between", [False, True], ids=["redelivered", "closed first"])
def test_a_crash_between_any_two_steps_loses_nothing(
    cloud: Cloud, step: int, *, afterwards: bool, close_between: bool
) -> None:
    """After a crash at each step of the first event, the redelivered event is in one run, once."""
    dying = cloud.instance(steps=Steps(crash_at=step, afterwards=afterwards))
    with pytest.raises(CrashedError):
        dying.collect(RULE, SHOP, numbered(1))
    runs = list(cloud.runs().values()) if close_between else []
    cloud.instance().collect(RULE, SHOP, numbered(1))
    cloud.instance().collect(RULE, SHOP, numbered(2))
    runs += cloud.runs().values()
    assert sorted(each for run in runs for each in run) == ["e-1", "e-2"]


@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(9))
def test_a_crash_after_a_close_loses_nothing(cloud: Cloud, step: int, *, afterwards: bool) -> None:
    """After a crash at each step with a closed window, the event is in one run, once."""
    dying = cloud.instance(steps=(steps := Steps(afterwards=afterwards)))
    dying.collect(RULE, SHOP, numbered(1))
    runs = list(cloud.runs().values())
    steps.crash_at = len(steps.taken) + step
    with pytest.raises(CrashedError):
        dying.collect(RULE, SHOP, numbered(2))
    for _ in range(2):
        cloud.instance().collect(RULE, SHOP, numbered(2))
    runs += cloud.runs().values()
    cloud.instance().collect(RULE, SHOP, numbered(2))
    runs += cloud.runs().values()
    assert runs == [["e-1"], ["e-2"]]


@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(2))
def test_a_crash_while_closing_loses_nothing(cloud: Cloud, step: int, *, afterwards: bool) -> None:
    """After a crash at each step of a close, later events are in the next window."""
    window = cloud.instance().collect(RULE, SHOP, numbered(1)).window
    with pytest.raises(CrashedError):
        cloud.instance(steps=Steps(crash_at=step, afterwards=afterwards)).close(RULE, window)
    cloud.instance().collect(RULE, SHOP, numbered(2))
    runs = [run for run in cloud.runs().values() if run]
    runs.append([one.id for one in cloud.instance().close(RULE, window)])
    assert sorted({each for run in runs for each in run}) == ["e-1", "e-2"]
    assert sum("e-2" in run for run in {tuple(run) for run in runs}) == 1


def test_many_instances_and_threads_at_once_lose_nothing(cloud: Cloud) -> None:
    """While windows close under twelve writers, each event, delivered twice, is in one run, once."""
    instances = [cloud.instance() for _ in range(4)]
    runs: dict[str, list[str]] = {}
    again = threading.Barrier(13, timeout=60)

    def write(writer: int) -> None:
        again.wait()
        for number in range(10):
            for delivery in range(2):
                instances[(writer + delivery) % 4].collect(RULE, SHOP, numbered(writer * 10 + number))

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(12)]
    for each in writers:
        each.start()
    again.wait()
    while any(each.is_alive() for each in writers):
        for parked, _ in list(cloud.queue):
            closing = closing_of(parked)
            runs[closing.id] = [one.id for one in instances[0].close(RULE, closing.id)]
    for each in writers:
        each.join()
    runs |= cloud.runs()
    collected = sorted(one for run in runs.values() for one in run)
    assert collected == sorted(f"e-{number}" for number in range(120))


def test_no_clock_is_in_a_close(cloud: Cloud) -> None:
    """Instances with different clocks collect into the same window."""
    for number in (1, 2, 3):
        cloud.instance().collect(RULE, SHOP, numbered(number))
    assert [(parked.first_seen, delay) for parked, delay in cloud.queue] == [(None, 300)]
    assert list(cloud.runs().values()) == [["e-1", "e-2", "e-3"]]


def test_a_full_window_opens_the_next(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that does not fit into a window's blob opens the next window, and the full one is sealed."""
    monkeypatch.setattr(shared.stores.window_blobs, "LARGEST", 400)
    instance = cloud.instance()
    for number in range(5):
        instance.collect(RULE, SHOP, numbered(number))
    runs = list(cloud.runs().values())
    assert len(runs) > 1
    assert [each for run in runs for each in run] == [f"e-{number}" for number in range(5)]


def test_a_lost_close_is_queued_again(cloud: Cloud) -> None:
    """An overdue window gets a second close message."""
    clock = MonotonicClock()
    instance = cloud.instance(clock=clock)
    instance.collect(RULE, SHOP, numbered(1))
    cloud.queue.clear()
    clock.sleep(SHOP.seconds + OVERDUE + 1)
    instance.collect(RULE, SHOP, numbered(2))
    assert [delay for _, delay in cloud.queue] == [0]
    assert list(cloud.runs().values()) == [["e-1", "e-2"]]


def test_what_no_json_holds_is_kept_all_the_same(cloud: Cloud) -> None:
    """All text is read unchanged, also half of a surrogate pair and line ends."""
    odd = event(id="\ud800 \u2028", data={"text": "\ud83d\u2029\r\n\x0b\x85", "n": None})
    window = cloud.instance().collect(RULE, SHOP, odd).window
    (back,) = cloud.instance().close(RULE, window)
    assert (back.id, back.data) == (odd.id, odd.data)


def test_a_conf_is_kept_where_its_address_says(cloud: Cloud) -> None:
    """The blob at `conf_url` has the conf."""
    instance = cloud.instance()
    window = instance.collect(RULE, SHOP, numbered(1)).window
    instance.keep_conf(RULE, window, {"n": 1})
    path = instance.conf_url(RULE, window).split(f"{cloud.container}/")[1]
    assert json.loads(cloud.storage.container(cloud.container).download_blob(path).readall()) == {"n": 1}


def test_an_event_that_is_in_no_window_is_not_acknowledged(storage: Storage, prefix: str) -> None:
    """If Storage refuses, `collect` and `close` raise."""
    instance = WindowBlobs(storage, InMemoryParking(), container=f"{prefix}-Not-A-Name")
    with pytest.raises(StorageUnavailable):
        instance.collect(RULE, SHOP, numbered(1))
    with pytest.raises(StorageUnavailable):
        instance.close(RULE, uuid.uuid4().hex)


def test_a_window_that_is_made_again_keeps_its_events_and_its_seal(cloud: Cloud) -> None:
    """A request that creates a window and takes effect late has no effect on an open or closed window."""
    instance = cloud.instance()
    window = instance.collect(RULE, SHOP, numbered(1)).window
    instance._create(RULE, window)
    assert [each.id for each in instance.close(RULE, window)] == ["e-1"]
    instance._create(RULE, window)
    assert [each.id for each in instance.close(RULE, window)] == ["e-1"]
    assert instance.collect(RULE, SHOP, numbered(2)).window != window
