"""Many instances on one Airflow, in virtual time, with the real limiter and the real permits.

Each instance is one process with more events than it can send, the hardest case for sharing. Only the clock,
Storage and Airflow are models: Storage keeps leases as Azure does, 20 ms a call, and Airflow is as fast as it
was measured (`bench/airflow_model.py`). `python -m bench.scaling` prints the figures, `--write` puts them
into docs/scaling.md.
"""

import argparse
import heapq
import itertools
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final

from bench.airflow_model import ONE_WORKER, TWO_WORKERS, Capacity, ModelAirflow
from bench.results import ROOT, Figure
from shared.errors import StorageUnavailable
from shared.limiter import SharedLimiter
from shared.permit_store import LEASE_SECONDS, Step, View
from shared.permits import Permits

PLACES: Final = 8
WARM_UP: Final = 60.0
CALL_SECONDS: Final = 0.02
TICK: Final = 1.5


class ModelStorage:
    """Leases as Azure Storage keeps them, in virtual time.

    Attributes:
        calls: How many calls were made.
        down: Whether no call is answered.
        most_held: The most leases that were held at once.
    """

    def __init__(self, places: int, clock: Callable[[], float]) -> None:
        self._leases: list[tuple[str, float] | None] = [None] * places
        self._clock = clock
        self._names = itertools.count()
        self._line: list[int] = []
        self.calls = 0
        self.down = False
        self.most_held = 0

    def acquire(self, index: int) -> str | None:
        """Take a permit; see `PermitStore`."""
        self._called()
        if self._holder(index) is not None:
            return None
        lease = f"lease-{next(self._names)}"
        self._leases[index] = (lease, self._clock() + LEASE_SECONDS)
        self.most_held = max(self.most_held, len(self._leases) - len(self._free()))
        return lease

    def renew(self, index: int, lease: str) -> bool:
        """Begin a lease's time anew; see `PermitStore`."""
        self._called()
        if self._holder(index) != lease:
            return False
        self._leases[index] = (lease, self._clock() + LEASE_SECONDS)
        return True

    def release(self, index: int, lease: str) -> None:
        """Give a permit back; see `PermitStore`."""
        self._called()
        if self._holder(index) == lease:
            self._leases[index] = None

    def look(self, who: int) -> View:
        """Return which permits are free, and who waits; see `PermitStore`."""
        self._called()
        ahead = self._line.index(who) if who in self._line else len(self._line)
        waiting = len(self._line) - (who in self._line)
        return View(self._free(), ahead, waiting, in_line=who in self._line)

    def join(self, who: int) -> None:
        """Stand at the end of the line; see `PermitStore`."""
        self._called()
        self._line.append(who)

    def leave(self, who: int) -> None:
        """Step out of the line; see `PermitStore`."""
        self._called()
        if who in self._line:
            self._line.remove(who)

    def drop_first(self) -> None:
        """Take the first out of the line; see `PermitStore`."""
        self._called()
        del self._line[:1]

    def _free(self) -> frozenset[int]:
        return frozenset(index for index in range(len(self._leases)) if self._holder(index) is None)

    def _holder(self, index: int) -> str | None:
        kept = self._leases[index]
        return kept[0] if kept is not None and kept[1] > self._clock() else None

    def _called(self) -> None:
        self.calls += 1
        if self.down:
            raise StorageUnavailable("it is down")


class _Counter:
    """`ModelStorage` as one instance sees it."""

    def __init__(self, storage: ModelStorage, who: int) -> None:
        self.acquire = storage.acquire
        self.renew = storage.renew
        self.release = storage.release
        self.drop_first = storage.drop_first
        self._storage = storage
        self._who = who

    def look(self) -> View:
        return self._storage.look(self._who)

    def join(self) -> None:
        self._storage.join(self._who)

    def leave(self) -> None:
        self._storage.leave(self._who)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated.

    Attributes:
        instances: How many instances.
        seconds: For how long.
        capacity: Which Airflow.
        places: How many permits.
        dies_every: Seconds between deaths of a random instance in the midst of its requests; another
            takes its place.
        outage: From when to when Storage is down.
        seed: Of all chance.
    """

    instances: int
    seconds: float
    capacity: Capacity = ONE_WORKER
    places: int = PLACES
    dies_every: float = math.inf
    outage: tuple[float, float] = (math.inf, math.inf)
    seed: int = 1


@dataclass(slots=True)
class Measured:
    """What came of it, after the first minute.

    Attributes:
        peak: The most requests that Airflow had at once.
        most_held: The most leases held at once.
        per_second: Runs a second.
        of_best: That as a share of the best fixed number of requests in flight.
        least_share: The share of the instance with the fewest runs, as a multiple of the fair one.
        most_share: The same for the one with the most.
        calls_per_event: Calls to Storage for each run.
    """

    peak: int
    most_held: int
    per_second: float
    of_best: float
    least_share: float
    most_share: float
    calls_per_event: float


@dataclass(slots=True)
class _Instance:
    number: int
    limiter: SharedLimiter
    store: _Counter
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
    _random: Random = field(default_factory=Random)
    _storage: ModelStorage = field(init=False)
    _airflow: ModelAirflow = field(init=False)

    def run(self) -> Measured:
        """Simulate, and return what came of it."""
        scenario = self.scenario
        self._random.seed(scenario.seed)
        self._storage = ModelStorage(scenario.places, lambda: self.now)
        self._airflow = ModelAirflow(scenario.capacity, self._random)
        self._instances = [self._born(number) for number in range(scenario.instances)]
        if scenario.dies_every < math.inf:
            self._at(scenario.dies_every, self._kill_one)
        for moment, down in zip(scenario.outage, (True, False), strict=True):
            if moment < math.inf:
                self._at(moment, partial(setattr, self._storage, "down", down))
        self._until(WARM_UP)
        self._ended.clear()
        calls = self._storage.calls
        self._until(WARM_UP + scenario.seconds)
        return self._measured(self._storage.calls - calls)

    def _measured(self, calls: int) -> Measured:
        scenario = self.scenario
        runs = sum(self._ended.values())
        shares = [self._ended[number] * scenario.instances / runs for number in range(scenario.instances)]
        per_second = runs / scenario.seconds
        return Measured(
            peak=self._airflow.peak,
            most_held=self._storage.most_held,
            per_second=per_second,
            of_best=per_second / scenario.capacity.best(scenario.places),
            least_share=min(shares),
            most_share=max(shares),
            calls_per_event=calls / runs,
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
        store = _Counter(self._storage, next(self._order))
        permits = Permits(self.scenario.places, draw=self._random.random)
        limiter = SharedLimiter(
            f"instance-{number}",
            permits,
            store,
            most=self.scenario.places,
            clock=lambda: self.now,
            draw=self._random.random,
            keeps=False,
        )
        instance = _Instance(number, limiter, store)
        self._at(self.now + self._random.random(), lambda: self._tick(instance))
        return instance

    def _tick(self, instance: _Instance) -> None:
        if instance.alive:
            self._send(instance)
            self._at(self.now + TICK, lambda: self._tick(instance))

    def _send(self, instance: _Instance) -> None:
        """Send as many of the instance's events as there are places."""
        limiter = instance.limiter
        while instance.alive and limiter.enter("rule", wait=0):
            self._airflow.start(self.now, partial(self._answered, instance, self.now))
        if not instance.keeping:
            instance.keeping = True
            self._keep(instance)

    def _answered(self, instance: _Instance, began: float, now: float) -> None:
        if instance.alive:
            self._ended[instance.number] += 1
            instance.limiter.leave("rule", seconds=now - began, healthy=True)
            self._send(instance)

    def _keep(self, instance: _Instance) -> None:
        """What the keeper thread does, with a call to Storage that takes its time."""
        if not instance.alive:
            return
        planned = instance.limiter.plan()
        if isinstance(planned, Step):
            sent = self.now
            self._at(self.now + CALL_SECONDS / 2, lambda: self._call(instance, planned, sent))
        elif math.isinf(planned):
            instance.keeping = False
        else:
            self._at(self.now + planned, lambda: self._keep(instance))

    def _call(self, instance: _Instance, step: Step, sent: float) -> None:
        try:
            settle = partial(instance.limiter.settle, step, step.on(instance.store), sent=sent)
        except StorageUnavailable:
            settle = partial(instance.limiter.give_up, step)

        def ended() -> None:
            if instance.alive:
                settle()
                self._send(instance)
                self._keep(instance)

        self._at(self.now + CALL_SECONDS / 2, ended)

    def _kill_one(self) -> None:
        """End an instance in the midst of what it does; Airflow goes on with what it was asked."""
        victim = self._random.choice(self._instances)
        victim.alive = False
        self._instances[victim.number] = self._born(victim.number)
        self._at(self.now + self.scenario.dies_every, self._kill_one)


def measure() -> list[Figure]:
    """Simulate every scenario, and hold the worst of each kind against its bar."""
    rows = simulate()
    steady = [measured for name, measured in rows.items() if name in STEADY]
    return [
        Figure("scaling_peak_in_flight", max(row.peak for row in steady), "requests", PLACES),
        Figure("scaling_peak_with_deaths", rows[DEATHS].peak, "requests", PLACES),
        Figure("scaling_peak_in_an_outage_of_40", rows[OUTAGE].peak, "requests", ONE_WORKER.cliff - 1),
        Figure("scaling_throughput_of_best", min(row.of_best for row in steady), "ratio", 0.9, at_least=True),
        Figure("scaling_least_share", min(row.least_share for row in steady), "of fair", 0.5, at_least=True),
        Figure("scaling_most_share", max(row.most_share for row in steady), "of fair", 2.0),
        Figure(
            "scaling_storage_calls_per_event", max(row.calls_per_event for row in steady), "calls", 1 / 20
        ),
    ]


STEADY: Final = {
    "1 instance": Scenario(1, 600),
    "2 instances": Scenario(2, 900),
    "5 instances": Scenario(5, 900),
    "10 instances": Scenario(10, 1200),
    "40 instances": Scenario(40, 2400),
    "200 instances": Scenario(200, 9000),
    "1 instance, two workers": Scenario(1, 300, capacity=TWO_WORKERS),
    "10 instances, two workers": Scenario(10, 900, capacity=TWO_WORKERS),
}
DEATHS: Final = "10 instances, one dies every 30 s"
OUTAGE: Final = "40 instances, Storage down for 5 min"
SCENARIOS: Final = STEADY | {
    DEATHS: Scenario(10, 1200, dies_every=30),
    OUTAGE: Scenario(40, 900, outage=(200, 500)),
}
PAGE: Final = ROOT / "docs" / "scaling.md"
_BEGIN: Final = "<!-- figures: python -m bench.scaling --write -->"
_END: Final = "<!-- end of figures -->"
_BAR: Final = 40


def simulate() -> dict[str, Measured]:
    """Return what came of each scenario."""
    return {name: Simulation(scenario).run() for name, scenario in SCENARIOS.items()}


def table(rows: dict[str, Measured]) -> str:
    """Return the figures as a table and a chart, in Markdown."""
    lines = [
        "| scenario | most in flight | runs a second | of the best | of the fair share | calls a run |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {row.peak} | {row.per_second:.1f} | {row.of_best:.0%} | "
        f"{row.least_share:.2f} to {row.most_share:.2f} | {row.calls_per_event:.3f} |"
        for name, row in rows.items()
    ]
    width = max(map(len, rows))
    chart = [
        f"{name:<{width}}  {'#' * round(row.of_best * _BAR):<{_BAR}}|  {row.peak:>2} in flight"
        for name, row in rows.items()
    ]
    head = f"{'throughput, of the best fixed number in flight':<{width + 2 + _BAR}}100 %"
    return "\n".join([*lines, "", "```", head, *chart, "```"])


def main() -> int:
    """Simulate, print, and with `--write` put the figures into docs/scaling.md."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write the figures into {PAGE.name}")
    arguments = parser.parse_args()
    text = table(simulate())
    print(text)
    if arguments.write:
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(_BEGIN)
        _, _, after = rest.partition(_END)
        PAGE.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
