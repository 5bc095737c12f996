"""Fault 14 with forty processes: they share one Airflow's budget, and one account where its permits lie."""

import json
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.queues import EVENT_QUEUE, PARKED_QUEUE
from tests.faults.ground import Ground
from tests.faults.of_host import empty, send, wait
from tests.faults.stream import REFUND, Stream, stream
from tests.faults.trial import StubbedAirflow, write_rules
from tests.faults.verdict import ROOT, Verdict, compare

if TYPE_CHECKING:
    from pathlib import Path

    from local.processes import Process

PROCESSES = 40
PLACES = 8
_LATENCY = 0.03
_SECONDS = 300.0


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
    lost, twice = compare(given.expected, found)
    return Verdict(
        events=events,
        expected_runs=len(given.expected),
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
        },
    )


def _burst(ground: Ground, given: Stream, count: int) -> _Burst:
    """Put the stream into the queue, and let so many processes work it off."""
    ground.clear()
    with StubbedAirflow() as stub:
        stub.latency = _LATENCY
        rules = write_rules(ground.folder, stub.url, in_flight=PLACES)
        settings = ground.settings | {"UPDRAFT_RULES": str(rules)}
        ledgers = [ground.folder / f"ledger-{number}.json" for number in range(count)]
        running: list[Process] = []
        try:
            for number, ledger in enumerate(ledgers):
                ledger.unlink(missing_ok=True)
                command: list[str | Path] = [sys.executable, "-m", "tests.faults.instance_child", ledger]
                running.append(ground.processes.start(f"instance {number}", command, env=settings, cwd=ROOT))
            for queue in (EVENT_QUEUE, PARKED_QUEUE):
                send(ground, queue, None)
            time.sleep(1 + count / 4)  # until all of them poll
            rate = _worked_off(ground, given, stub)
        finally:
            ground.processes.stop(*running, grace=20.0)
        told = [json.loads(ledger.read_text()) for ledger in ledgers if ledger.exists()]
        return _Burst(stub, rate, len(told) == count and all(each["balances"] for each in told))


def _worked_off(ground: Ground, given: Stream, stub: StubbedAirflow) -> float:
    """Send everything, and return the runs a second from the first run to the last."""
    times: list[float] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            if stub.runs and not times:
                times.append(time.monotonic())
            if len(stub.runs) >= len(given.expected) and len(times) == 1:
                times.append(time.monotonic())

    watching = threading.Thread(target=watch)
    watching.start()
    for delivery in given.deliveries:
        send(ground, EVENT_QUEUE, delivery.body)
    wait(lambda: len(stub.runs) >= len(given.expected), seconds=_SECONDS)
    wait(lambda: empty(ground), seconds=_SECONDS)
    ended.set()
    watching.join()
    return len(given.expected) / (times[-1] - times[0]) if len(times) > 1 else 0.0
