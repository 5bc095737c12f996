"""Fault 14 with many processes: they share one Airflow's budget, and the storage account with its permits."""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE
from tests.faults.broken_wire import BrokenWire
from tests.faults.ground import PASSWORD, Ground
from tests.faults.instance_child import warm_up
from tests.faults.of_host import empty, send, wait
from tests.faults.real import OfThisTrial, RealAirflow
from tests.faults.stream import REFUND, Run, Stream, stream
from tests.faults.trial import StubbedAirflow, TrialAirflow, write_rules
from tests.faults.verdict import FAST_ENOUGH, Verdict, compare
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from local.processes.processes import Process

EVENTS_EACH = 25
"""The number of events per process: forty processes for a thousand."""
PLACES = 8
LEAST_RATIO = 0.8
"""The least part of one process's throughput."""
_LONG = 1_000
"""The number of events from which on it is the long form."""
_LATENCY = 0.03
_SECONDS = 300.0
_STARTING = 4
"""The number of processes that start at one time."""
_SENDING = 0.01
"""The most seconds to send one message."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """The Airflow that gets the bursts.

    Attributes:
        url: The address of Airflow, or of the proxy in front of it.
        started: Returns the number of runs that were started.
        peak: Returns the most requests in flight at once.
        seen_by: Returns the Airflow with only the runs of the trial of a name.
        real: Whether it is a real Airflow.
        password: The password of the app's login.
    """

    url: str
    started: Callable[[], int]
    peak: Callable[[], int]
    seen_by: Callable[[str], TrialAirflow]
    real: bool
    password: str = PASSWORD


@dataclass(frozen=True, slots=True)
class _Burst:
    peak: int
    rate: float
    balances: bool
    found: Counter[Run]


def many_processes(ground: Ground, events: int) -> Verdict:
    """A burst through one process and one through many, on the stub."""

    @contextmanager
    def scene() -> Iterator[_Scene]:
        with StubbedAirflow() as stub:
            stub.latency = _LATENCY
            yield _Scene(stub.url, lambda: len(stub.runs), lambda: stub.peak, lambda _: stub, real=False)

    return _compared(ground, events, scene)


def many_processes_on_airflow(ground: Ground, airflow: RealAirflow, events: int) -> Verdict:
    """A burst through one process and one through many, on a real Airflow behind a counting proxy."""

    @contextmanager
    def scene() -> Iterator[_Scene]:
        airflow.wait_until_idle()
        with BrokenWire(airflow.port) as wire:
            seen_by = partial(OfThisTrial, airflow)
            yield _Scene(
                wire.url,
                lambda: wire.started,
                lambda: wire.peak,
                seen_by,
                real=True,
                password=airflow.password,
            )

    return _compared(ground, events, scene)


def _compared(ground: Ground, events: int, scene: Callable[[], AbstractContextManager[_Scene]]) -> Verdict:
    """Compare many processes with one, before and after them; the budget holds all the time.

    The second comparison is only in the long form, which also judges the speed.
    """
    began = time.monotonic()
    processes = events // EVENTS_EACH

    def one(name: str) -> _Burst:
        with scene() as at:
            return _burst(ground, stream(events, name=name, types=(REFUND,)), 1, at, name=name)

    before = one("before")
    given = stream(events, name="many", types=(REFUND,))
    with scene() as at:
        many = _burst(ground, given, processes, at, name="many")
        alive = at.seen_by("many").alive()
    after = one("after") if events >= _LONG else before
    alone = (before.rate + after.rate) / 2
    warm = (warm_up(_warm("many", number)).expected for number in range(processes))
    expected = given.expected.union(*warm)
    lost, twice = compare(expected, many.found)
    return Verdict(
        events=events + processes,
        expected_runs=len(expected),
        runs=many.found.total(),
        lost=lost,
        twice=twice,
        counts_balance=many.balances,
        airflow_alive=alive,
        seconds=round(time.monotonic() - began, 2),
        more={
            "peak": many.peak,
            "budget_held": max(many.peak, before.peak, after.peak) <= PLACES,
            "runs/s": round(many.rate, 1),
            "runs/s of one process": round(alone, 1),
            "ratio": round(many.rate / alone, 2),
            FAST_ENOUGH: many.rate >= LEAST_RATIO * alone,
        },
    )


def _burst(ground: Ground, given: Stream, count: int, at: _Scene, *, name: str) -> _Burst:
    """Put the stream into the queue, and let some processes, started before, handle it."""
    ground.clear(at.password)
    rules = write_rules(
        ground.folder,
        at.url,
        in_flight=PLACES,
        identity_works=not at.real,
        read_timeout=25 if at.real else 1.5,
    )
    settings = ground.settings | {"UPDRAFT_RULES": str(rules)}
    counts_files = [ground.folder / f"counts-{number}.json" for number in range(count)]
    running: list[Process] = []
    for queue in (EVENT_QUEUE, PARKED_QUEUE):
        send(ground, queue, None)
    try:
        for number, outcome_counts in enumerate(counts_files):
            outcome_counts.unlink(missing_ok=True)
            child = "tests.faults.instance_child"
            command: list[str | Path] = [sys.executable, "-m", child, outcome_counts, _warm(name, number)]
            running.append(ground.processes.start(f"instance {number}", command, env=settings, cwd=ROOT))
            _wait_for_runs(at, number - _STARTING)
        _wait_for_runs(at, count)
        rate = _worked_off(ground, given, at)
    finally:
        ground.processes.stop(*running, grace=20.0)
    told = [
        json.loads(outcome_counts.read_text()) for outcome_counts in counts_files if outcome_counts.exists()
    ]
    balances = len(told) == count and all(each["balances"] for each in told)
    return _Burst(at.peak(), rate, balances, at.seen_by(name).found())


def _wait_for_runs(at: _Scene, count: int) -> None:
    wait(lambda: at.started() >= count, pause=0.02, seconds=_SECONDS)


def _warm(name: str, number: int) -> str:
    return f"{name}-warm-{number}"


def _worked_off(ground: Ground, given: Stream, at: _Scene) -> float:
    """Make all messages visible at one moment, and return the runs per second from the first to the last."""
    before = at.started()
    appears = time.monotonic() + _SENDING * len(given.deliveries)
    for delivery in given.deliveries:
        send(ground, EVENT_QUEUE, delivery.body, hidden=max(round(appears - time.monotonic()), 0))
    _wait_for_runs(at, before + 1)
    first = time.monotonic()
    _wait_for_runs(at, before + len(given.expected))
    seconds = time.monotonic() - first
    wait(lambda: empty(ground), seconds=_SECONDS)
    return len(given.expected) / seconds
