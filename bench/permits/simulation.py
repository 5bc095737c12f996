"""Many instances on one Airflow, in virtual time, with the real limiter and the real permits.

Without a load, each instance always has more events than it can send, the hardest case for sharing.
With a load, events arrive and wait (`event_model.py`). Only the clock, Storage, the queues and Airflow are
models: Storage keeps leases as Azure does, 20 ms a call (`storage_model.py`), and Airflow is as fast as it
was measured (`airflow_model.py`).
"""

import heapq
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final

from bench.permits.airflow_model import ONE_WORKER, Capacity, ModelAirflow
from bench.permits.event_model import Deliveries, Load, SimulatedEvent, World
from bench.permits.storage_model import ModelStorage, SeenStorage
from shared.admission.limiter import SharedLimiter
from shared.admission.permit_store import Step
from shared.admission.permits import Permits
from shared.errors import StorageUnavailable

PLACES: Final = 8
_WARM_UP: Final = 60.0
_CALL_SECONDS: Final = 0.02
_TICK: Final = 1.5
_LAST_EVENTS: Final = 180.0
"""Seconds for the last events of a load; an event that was not sent has waited until the end."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A simulated scenario.

    Attributes:
        instances: The number of instances.
        seconds: The duration.
        capacity: The Airflow.
        places: The number of permits.
        dies_every: Seconds between the deaths of a random instance with requests in flight; a new one
            replaces it.
        outage: The times between which Storage is down.
        seed: The seed of all random numbers.
        load: The events that arrive; without it, each instance always has events to send.
    """

    instances: int
    seconds: float
    capacity: Capacity = ONE_WORKER
    places: int = PLACES
    dies_every: float = math.inf
    outage: tuple[float, float] = (math.inf, math.inf)
    seed: int = 1
    load: Load | None = None


@dataclass(slots=True)
class Measured:
    """The result, after the first minute.

    Attributes:
        peak: The most requests in Airflow.
        most_held: The most leases held.
        per_second: Runs a second.
        of_best: The same, as a share of the throughput with the best fixed number of requests in flight.
        least_share: The share of the instance with the fewest runs, as a multiple of the fair share.
        most_share: The same for the instance with the most runs.
        calls_per_event: Calls to Storage for each run.
        median_wait: Seconds from an event's arrival to its request, with a load.
        p99_wait: The 99th percentile of these.
        longest_wait: The longest of these.
        parked_per_event: How often an event was parked, on average.
    """

    peak: int
    most_held: int
    per_second: float
    of_best: float
    least_share: float
    most_share: float
    calls_per_event: float
    median_wait: float = 0.0
    p99_wait: float = 0.0
    longest_wait: float = 0.0
    parked_per_event: float = 0.0


@dataclass(slots=True)
class _Instance:
    number: int
    limiter: SharedLimiter
    store: SeenStorage
    deliveries: Deliveries | None = None
    alive: bool = True
    keeping: bool = False


@dataclass(slots=True)
class Simulation:
    """One run of a scenario."""

    scenario: Scenario
    now: float = 0.0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=itertools.count)
    _instances: list[_Instance] = field(default_factory=list)
    _ended: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    _world: World | None = None
    _arrived: list[SimulatedEvent] = field(default_factory=list)
    _random: Random = field(default_factory=Random)
    _storage: ModelStorage = field(init=False)
    _airflow: ModelAirflow = field(init=False)

    def run(self) -> Measured:
        """Simulate, and return the result."""
        scenario = self.scenario
        self._random.seed(scenario.seed)
        self._storage = ModelStorage(scenario.places, lambda: self.now)
        self._airflow = ModelAirflow(scenario.capacity, self._random)
        if scenario.load is not None:
            self._world = World(lambda: self.now, self._at, scenario.load, self._random)
        self._instances = [self._born(number) for number in range(scenario.instances)]
        if scenario.dies_every < math.inf:
            self._at(scenario.dies_every, self._kill_one)
        for moment, down in zip(scenario.outage, (True, False), strict=True):
            if moment < math.inf:
                self._at(moment, partial(setattr, self._storage, "down", down))
        if self._world is not None:
            self._at(_WARM_UP, partial(self._arrive, self._world))
        self._until(_WARM_UP)
        self._ended.clear()
        calls = self._storage.calls
        self._until(_WARM_UP + scenario.seconds)
        if scenario.load is not None:
            self._until(self.now + _LAST_EVENTS)
        return self._measured(self._storage.calls - calls)

    def _measured(self, calls: int) -> Measured:
        scenario = self.scenario
        runs = sum(self._ended.values())
        shares = [self._ended[number] * scenario.instances / runs for number in range(scenario.instances)]
        per_second = runs / scenario.seconds
        waits = sorted(min(event.started, self.now) - event.arrived for event in self._arrived) or [0.0]
        return Measured(
            peak=self._airflow.peak,
            most_held=self._storage.most_held,
            per_second=per_second,
            of_best=per_second / scenario.capacity.best(scenario.places),
            least_share=min(shares),
            most_share=max(shares),
            calls_per_event=calls / runs,
            median_wait=waits[len(waits) // 2],
            p99_wait=waits[len(waits) * 99 // 100],
            longest_wait=waits[-1],
            parked_per_event=self._world.parkings / len(waits) if self._world is not None else 0.0,
        )

    def _until(self, end: float) -> None:
        while True:
            next_event = self._events[0][0] if self._events else math.inf
            next_end = self._airflow.next_end()
            if min(next_event, next_end) > end:
                self.now = end
                return
            if next_end <= next_event:
                self.now = next_end
                self._airflow.end_one(next_end)
            else:
                self.now, _, act = heapq.heappop(self._events)
                act()

    def _at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), act))

    def _born(self, number: int) -> _Instance:
        store = SeenStorage(self._storage, next(self._order))
        permits = Permits(self.scenario.places, draw=self._random.random)
        limiter = SharedLimiter(
            f"instance-{number}",
            permits,
            store,
            most=self.scenario.places,
            clock=lambda: self.now,
            draw=self._random.random,
            runs_keeper=False,
        )
        instance = _Instance(number, limiter, store)
        if self._world is not None:
            instance.deliveries = Deliveries(
                self._world,
                limiter,
                send=partial(self._request, instance),
                wake=partial(self._start_keeper, instance),
            )
        self._at(self.now + self._random.random(), lambda: self._tick(instance))
        return instance

    def _arrive(self, world: World) -> None:
        """Add arriving events, and schedule the next ones."""
        for _ in range(world.load.size):
            event = SimulatedEvent(self.now)
            self._arrived.append(event)
            deliveries = self._random.choice(self._instances).deliveries
            if deliveries is not None and self._random.random() < world.load.pushed:
                deliveries.push(event)
            else:
                world.events.put(event, visible_at=self.now)
        following = self.now + world.load.every * (0.5 + self._random.random())
        if following < _WARM_UP + self.scenario.seconds:
            self._at(following, partial(self._arrive, world))

    def _request(self, instance: _Instance, answered: Callable[[], None]) -> None:
        """Send the request of an event."""

        def ended(_now: float) -> None:
            self._ended[instance.number] += 1
            answered()

        self._airflow.start(self.now, ended)

    def _tick(self, instance: _Instance) -> None:
        if instance.alive:
            self._send(instance)
            self._at(self.now + _TICK, lambda: self._tick(instance))

    def _send(self, instance: _Instance) -> None:
        """Send as many of the instance's events as it has slots."""
        limiter = instance.limiter
        if instance.deliveries is not None:
            instance.deliveries.go_on()
        else:
            while instance.alive and limiter.enter("rule", wait=0):
                self._airflow.start(self.now, partial(self._answered, instance, self.now))
        self._start_keeper(instance)

    def _start_keeper(self, instance: _Instance) -> None:
        if instance.alive and not instance.keeping:
            instance.keeping = True
            self._keep(instance)

    def _answered(self, instance: _Instance, began: float, now: float) -> None:
        if instance.alive:
            self._ended[instance.number] += 1
            instance.limiter.leave("rule", seconds=now - began, healthy=True)
            self._send(instance)

    def _keep(self, instance: _Instance) -> None:
        """The work of the keeper thread, with a call to Storage that takes time."""
        if not instance.alive:
            return
        planned = instance.limiter.plan()
        if instance.deliveries is not None:
            instance.deliveries.go_on()  # threads that the plan served or rejected
        if isinstance(planned, Step):
            sent = self.now
            self._at(self.now + _CALL_SECONDS / 2, lambda: self._call(instance, planned, sent))
        elif math.isinf(planned):
            instance.keeping = False
        else:
            self._at(self.now + planned, lambda: self._keep(instance))

    def _call(self, instance: _Instance, step: Step, sent: float) -> None:
        try:
            settle = partial(instance.limiter.record_result, step, step.on(instance.store), sent=sent)
        except StorageUnavailable:
            settle = partial(instance.limiter.record_failure, step)

        def ended() -> None:
            if instance.alive:
                settle()
                self._send(instance)
                self._keep(instance)

        self._at(self.now + _CALL_SECONDS / 2, ended)

    def _kill_one(self) -> None:
        """End an instance at any moment; Airflow continues its requests."""
        victim = self._random.choice(self._instances)
        victim.alive = False
        if victim.deliveries is not None:
            victim.deliveries.die()
        self._instances[victim.number] = self._born(victim.number)
        self._at(self.now + self.scenario.dies_every, self._kill_one)
