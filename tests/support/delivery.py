"""What the tests of delivery are made of: a connection, tokens, a clock, and places that keep in memory."""

import itertools
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from local.stand_ins.airflow_stub import AirflowStub
from shared.admission.breaker import Breaker
from shared.airflow.client import AirflowClient
from shared.deciding.decide import Decision
from shared.delivery.closing import Closing
from shared.delivery.intake import Intake
from shared.delivery.outcomes import Ledger
from shared.delivery.relay import Relay
from shared.delivery.target import Target
from shared.errors import StorageUnavailable
from shared.event import Event
from shared.event.bursts import BurstKey, in_order
from shared.rules import Rules
from shared.runs.request import RunRequest
from shared.stores.dead_letters import DeadLetter
from shared.stores.parking import Parked
from shared.stores.windows import Joined, WindowClose
from shared.values.json_text import JsonObject

DAG = "smoke_tests"
RUN_ID = "smoke__2026__0123456789abcdef"
SEEN = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Airflow:
    """A connection as rules.yaml would give it."""

    url: str
    name: str = "analytics"
    connect_timeout: float = 2.0
    read_timeout: float = 2.0
    in_flight: int = 4
    api: Literal["auto", "v1", "v2"] = "v2"


class Tokens:
    """Hands out `first`, and after each refusal a new one."""

    def __init__(self, first: str = "Bearer first") -> None:
        self.current = first
        self.renewals: list[str] = []
        self._numbers = itertools.count(1)
        self.error: Exception | None = None

    def headers(self) -> Mapping[str, str]:
        """Return the current value in its header."""
        if self.error is not None:
            raise self.error
        return {"Authorization": self.current}

    def renew(self, refused: Mapping[str, str]) -> Mapping[str, str]:
        """Return a new value in its header."""
        self.renewals.append(refused["Authorization"])
        self.current = f"Bearer renewed-{next(self._numbers)}"
        return {"Authorization": self.current}


@dataclass
class Clock:
    """Time that passes only when somebody sleeps."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        """Return the monotonic seconds."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.seconds += seconds

    def now(self) -> datetime:
        """Return the time of day."""
        return SEEN + timedelta(seconds=self.seconds)


class KeptParking:
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
        return Parked.from_message(body)

    def forget(self, parked: Parked) -> None:
        """Nothing is kept beside."""


class KeptLetters:
    """Keeps dead letters in memory, by name."""

    def __init__(self) -> None:
        self.kept: dict[str, DeadLetter] = {}
        self.broken = False

    def write(self, letter: DeadLetter) -> None:
        """Keep one."""
        if self.broken:
            raise StorageUnavailable("the container is out of order")
        self.kept[letter.name] = letter


class KeptWindows:
    """Keeps windows in memory: one for each rule and key, until it is closed."""

    def __init__(self, parking: KeptParking) -> None:
        self.kept: dict[str, list[Event]] = {}
        self.confs: dict[str, JsonObject] = {}
        self.closed: set[str] = set()
        self._parking = parking

    def collect(self, rule: str, burst_key: BurstKey, event: Event) -> Joined:
        """Put an event into the first window of its key that has it or is open."""
        for number in itertools.count():
            window = uuid.uuid5(uuid.NAMESPACE_OID, f"{rule} {burst_key.key} {number}").hex
            if window not in self.kept:
                closing = WindowClose(window, burst_key.key).to_event()
                self._parking.park(Parked(closing, rule, 0, SEEN), burst_key.seconds)
            events = self.kept.setdefault(window, [])
            if window not in self.closed:
                events.append(event)
                return Joined(window, was_collected=False)
            if event in events:
                return Joined(window, was_collected=True)
        raise AssertionError

    def close(self, rule: str, window: str) -> tuple[Event, ...]:
        """Return what was collected."""
        self.closed.add(window)
        return in_order(self.kept.get(window, []))

    def keep_conf(self, rule: str, window: str, conf: JsonObject) -> None:
        """Keep a conf."""
        self.confs[self.conf_url(rule, window)] = conf

    def conf_url(self, rule: str, window: str) -> str:
        """Return where it is kept."""
        return f"https://account.example/{rule}/{window}"


def event(**changes: object) -> Event:
    """Return an event."""
    known: dict[str, object] = {
        "id": "e-1",
        "source": "/sites/shop",
        "type": "Microsoft.Web.SlotSwapCompleted",
        "time": "2026-11-01T11:59:58Z",
        "data": {"slot": "production"},
    }
    return Event(**(known | changes))  # type: ignore[arg-type] # the tests name the event's own fields


def conf(key: str | None = None, event_id: str = "e-1") -> JsonObject:
    """Return a conf with the identity of `event()`."""
    kept: JsonObject = {"id": event_id, "source": "/sites/shop", "type": "Microsoft.Web.SlotSwapCompleted"}
    return {"site": "shop", "_updraft": {"rule": "smoke", "event": kept, "key": key}}


def run_request(**changes: object) -> RunRequest:
    """Return what the rule `smoke` asks for about `event()`."""
    known: dict[str, object] = {
        "rule": "smoke",
        "connection": "analytics",
        "dag_id": DAG,
        "dag_run_id": RUN_ID,
        "conf": conf(),
        "note": "because a slot was swapped",
    }
    return RunRequest(**(known | changes))  # type: ignore[arg-type] # the tests name the request's own fields


def decision(**changes: object) -> Decision:
    """Return the decision to ask for `run_request(**changes)`."""
    return Decision(rule="smoke", matched=True, reason=None, request=run_request(**changes))


class Places:
    """A budget of requests in flight that nobody else shares; a `Limiter`.

    Args:
        places: The budget, from 1 up.

    Attributes:
        held_back: How long it was asked to hold a listener back, each time.
    """

    def __init__(self, places: int) -> None:
        self._places = threading.BoundedSemaphore(places)
        self.held_back: list[float] = []

    def enter(self, rule: str, *, wait: float) -> bool:
        """Take a place; a second is enough to wait for one that nobody will leave."""
        return self._places.acquire(timeout=min(max(wait, 0.0), 1.0))

    def leave(self, rule: str, *, seconds: float, healthy: bool) -> None:
        """Give the place back."""
        self._places.release()

    def delay_for_rejected(self) -> float:
        """Nothing is known about the backlog."""
        return 0.0

    def hold_back(self, *, longest: float) -> None:
        """Note it, and return at once."""
        self.held_back.append(longest)


class Delivering:
    """A relay to one Airflow, with everything round it in reach of a test."""

    def __init__(
        self, url: str, *, tokens: Tokens | None = None, read_timeout: float = 1.0, places: int = 4
    ) -> None:
        self.clock = Clock()
        self.tokens = tokens or Tokens()
        self.parking = KeptParking()
        self.letters = KeptLetters()
        self.windows = KeptWindows(self.parking)
        self.ledger = Ledger()
        self.breaker = Breaker(clock=self.clock)
        self.limiter = Places(places)
        client = AirflowClient(Airflow(url, read_timeout=read_timeout), self.tokens)
        target = Target(client, self.breaker, self.limiter)
        self.relay = Relay(
            {"analytics": target}.__getitem__,
            parking=self.parking,
            closing=Closing(self.letters, self.ledger),
            windows=self.windows,
            clock=self.clock,
            sleep=self.clock.sleep,
            now=self.clock.now,
        )

    def intake(self, rules: Rules) -> Intake:
        """Return an intake for these rules that leads here."""
        return Intake(
            rules=lambda: rules,
            relay=self.relay,
            parking=self.parking,
            closing=Closing(self.letters, self.ledger),
        )


def started_by_somebody_else(stub: AirflowStub, *, key: str | None = None, event_id: str = "e-1") -> None:
    """Put a run into Airflow under our run id."""
    stub.runs[DAG, RUN_ID] = {
        "dag_run_id": RUN_ID,
        "dag_id": DAG,
        "logical_date": None,
        "conf": conf(key, event_id),
    }
