"""Fault 14 with forty processes: they share one Airflow's budget, and one account where its permits lie."""

import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.queues import EVENT_QUEUE, PARKED_QUEUE
from tests.faults.ground import Ground
from tests.faults.instance_child import warm_up
from tests.faults.of_host import empty, send, wait
from tests.faults.stream import REFUND, Stream, stream
from tests.faults.trial import StubbedAirflow, write_rules
from tests.faults.verdict import ROOT, Verdict, compare

if TYPE_CHECKING:
    from pathlib import Path

    from local.processes import Process

PROCESSES = 40
PLACES = 8
LEAST_RATIO = 0.8
"""Of one process's throughput."""
_LATENCY = 0.03
_SECONDS = 300.0
_STARTING = 4
"""So many processes start at one time."""
_SENDING = 0.01
"""Seconds that it takes to send one message, at most."""


@dataclass(frozen=True, slots=True)
class _Burst:
    stub: StubbedAirflow
    rate: float
    balances: bool


def forty_processes(ground: Ground, events: int) -> Verdict:
    """A burst through one process, then one through forty; never more in flight than the budget."""
    began = time.monotonic()
    alone = _burst(ground, stream(events, name="alone", types=(REFUND,)), 1)
    given = stream(events, name="forty", types=(REFUND,))
    many = _burst(ground, given, PROCESSES)
    found = many.stub.found()
    expected = given.expected.union(*(warm_up(_warm(number)).expected for number in range(PROCESSES)))
    lost, twice = compare(expected, found)
    return Verdict(
        events=events + PROCESSES,
        expected_runs=len(expected),
        runs=found.total(),
        lost=lost,
        twice=twice,
        ledger_balances=many.balances,
        airflow_alive=True,
        seconds=round(time.monotonic() - began, 2),
        more={
            "peak": many.stub.peak,
            "budget_held": max(many.stub.peak, alone.stub.peak) <= PLACES,
            "runs/s": round(many.rate, 1),
            "runs/s of one process": round(alone.rate, 1),
            "ratio": round(many.rate / alone.rate, 2),
            "fast_enough": many.rate >= LEAST_RATIO * alone.rate,
        },
    )


def _burst(ground: Ground, given: Stream, count: int) -> _Burst:
    """Put the stream into the queue, and let so many processes work it off that have begun before."""
    ground.clear()
    with StubbedAirflow() as stub:
        stub.latency = _LATENCY
        rules = write_rules(ground.folder, stub.url, in_flight=PLACES)
        settings = ground.settings | {"UPDRAFT_RULES": str(rules)}
        ledgers = [ground.folder / f"ledger-{number}.json" for number in range(count)]
        running: list[Process] = []
        for queue in (EVENT_QUEUE, PARKED_QUEUE):
            send(ground, queue, None)
        try:
            for number, ledger in enumerate(ledgers):
                ledger.unlink(missing_ok=True)
                child = "tests.faults.instance_child"
                command: list[str | Path] = [sys.executable, "-m", child, ledger, _warm(number)]
                running.append(ground.processes.start(f"instance {number}", command, env=settings, cwd=ROOT))
                _wait_for_runs(stub, number - _STARTING)
            _wait_for_runs(stub, count)
            rate = _worked_off(ground, given, stub)
        finally:
            ground.processes.stop(*running, grace=20.0)
        told = [json.loads(ledger.read_text()) for ledger in ledgers if ledger.exists()]
        return _Burst(stub, rate, len(told) == count and all(each["balances"] for each in told))


def _wait_for_runs(stub: StubbedAirflow, count: int) -> None:
    wait(lambda: len(stub.runs) >= count, pause=0.02, seconds=_SECONDS)


def _warm(number: int) -> str:
    return f"warm-{number}"


def _worked_off(ground: Ground, given: Stream, stub: StubbedAirflow) -> float:
    """Let everything appear at one moment, and return the runs a second from the first run to the last."""
    before = len(stub.runs)
    appears = time.monotonic() + _SENDING * len(given.deliveries)
    for delivery in given.deliveries:
        send(ground, EVENT_QUEUE, delivery.body, hidden=max(round(appears - time.monotonic()), 0))
    _wait_for_runs(stub, before + 1)
    first = time.monotonic()
    _wait_for_runs(stub, before + len(given.expected))
    seconds = time.monotonic() - first
    wait(lambda: empty(ground), seconds=_SECONDS)
    return len(given.expected) / seconds
