"""In-memory twins of the app's stores and of its limiter."""

import itertools
import threading
import uuid

from shared.admission.limiter import Slots
from shared.errors import StorageUnavailable
from shared.event import Event
from shared.event.bursts import BurstKey, in_order
from shared.stores.dead_letters import DeadLetter
from shared.stores.parked import Parked, opened, read_parked
from shared.stores.windows import Joined
from shared.stores.work_items import WindowClose
from shared.values.json_text import JsonObject


class InMemoryParking:
    """Keeps parked deliveries in memory."""

    def __init__(self) -> None:
        self.kept: list[tuple[Parked, float]] = []
        self.broken = False

    def park(self, parked: Parked, delay_seconds: float) -> None:
        """Keep one."""
        if self.broken:
            raise StorageUnavailable("the queue is out of order")
        self.kept.append((parked, delay_seconds))

    def unpark(self, body: str | bytes) -> Parked:
        """Read one back."""
        return read_parked(opened(body))

    def forget(self, parked: Parked) -> None:
        """Nothing is kept beside."""


class InMemoryDeadLetters:
    """Keeps dead letters in memory, by name: the first one of each."""

    def __init__(self) -> None:
        self.kept: dict[str, DeadLetter] = {}
        self.broken = False

    def write(self, letter: DeadLetter) -> None:
        """Keep one."""
        if self.broken:
            raise StorageUnavailable("the container is out of order")
        self.kept.setdefault(letter.name, letter)


class InMemoryPoison:
    """Stores in memory the messages that were returned to the poison queues."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, str | bytes]] = []
        self.broken = False

    def put_back(self, queue: str, body: str | bytes) -> None:
        """Put one back."""
        if self.broken:
            raise StorageUnavailable("the poison queue is out of order")
        self.kept.append((queue, body))


class InMemoryWindows:
    """Keeps windows in memory: one for each rule and key, until it is closed."""

    def __init__(self, parking: InMemoryParking) -> None:
        self.kept: dict[str, list[Event]] = {}
        self.confs: dict[str, JsonObject] = {}
        self.closed: set[str] = set()
        self._parking = parking

    def collect(self, rule: str, burst_key: BurstKey, event: Event) -> Joined:
        """Put an event into the first window of its key that has it or is open."""
        for number in itertools.count():
            window = uuid.uuid5(uuid.NAMESPACE_OID, f"{rule} {burst_key.key} {number}").hex
            if window not in self.kept:
                closing = WindowClose(rule, window, burst_key.key)
                self._parking.park(Parked(closing, 0, None), burst_key.seconds)
            events = self.kept.setdefault(window, [])
            if window not in self.closed:
                events.append(event)
                return Joined(window, was_collected=False)
            if event in events:
                return Joined(window, was_collected=True)
        raise AssertionError

    def close(self, rule: str, window: str) -> tuple[Event, ...]:
        """Return the collected events."""
        self.closed.add(window)
        return in_order(self.kept.get(window, []))

    def keep_conf(self, rule: str, window: str, conf: JsonObject) -> None:
        """Keep a conf."""
        self.confs[self.conf_url(rule, window)] = conf

    def conf_url(self, rule: str, window: str) -> str:
        """Return its address."""
        return f"https://account.example/{rule}/{window}"


class FixedLimiter:
    """A limit of requests in flight for one process; a `Limiter`.

    Args:
        places: The budget, from 1 up.

    Attributes:
        held_back: How long it was asked to hold a listener back, each time.
    """

    def __init__(self, places: int) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._most = places
        self.taken = 0
        self.held_back: list[float] = []

    def enter(self, rule: str, *, wait: float) -> bool:
        """Take a slot; a second is enough to wait for a slot that never becomes free."""
        has_slot = self._places.acquire(timeout=min(max(wait, 0.0), 1.0))
        self.taken += has_slot
        return has_slot

    def leave(self, rule: str, *, seconds: float, healthy: bool) -> None:
        """Give the place back."""
        self.taken -= 1
        self._places.release()

    def slots(self) -> Slots:
        """Every slot is this process's."""
        return Slots(self.taken, self._most, self._most)

    def delay_for_rejected(self) -> float:
        """Nothing is known about the backlog."""
        return 0.0

    def hold_back(self, *, longest: float) -> None:
        """Note it, and return at once."""
        self.held_back.append(longest)
