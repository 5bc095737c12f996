"""Runs all cases of the scenarios in parallel, and returns the table to print."""

import random
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from local.processes.processes import Processes
from local.servers.azurite import Azurite
from local.stand_ins.certificates import Certificates, make_certificates
from tests.crashpoints.case import Case, Verdict
from tests.crashpoints.scenarios import Scenario
from tests.crashpoints.wire import Fault, Point

ACCOUNTS: Final = 4_000
"""The number of accounts in one Azurite: one for each case."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One case to run.

    Attributes:
        scenario: The scenario.
        plan: The faults, by request.
        instances: The number of instances of the app.
    """

    scenario: Scenario
    plan: dict[Point, Fault]
    instances: int = 1


class Bench:
    """Runs cases, each on an account of its own.

    Args:
        azurite: With `ACCOUNTS` accounts.
        certificates: For the servers of each case.
        folder: The folder for rules files.
    """

    def __init__(self, azurite: Azurite, certificates: Certificates, folder: Path) -> None:
        self._azurite = azurite
        self._certificates = certificates
        self._folder = folder
        self._numbers = count()

    def run(self, wanted: Wanted) -> Verdict:
        """Run one case."""
        return Case(
            wanted.scenario,
            wanted.plan,
            azurite=self._azurite,
            account=account(next(self._numbers)),
            certificates=self._certificates,
            folder=self._folder,
            instances=wanted.instances,
        ).run()

    def run_all(self, wanted: Sequence[Wanted], workers: int) -> Iterator[Verdict]:
        """Run cases in parallel, and yield each verdict in the order of `wanted`."""
        with ThreadPoolExecutor(workers) as pool:
            yield from pool.map(self.run, wanted)


def account(number: int) -> str:
    """Return the name of an account."""
    return f"case{number}"


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """Start an Azurite, and stop it at the end.

    Args:
        folder: The folder for logs, certificates and rules files.
    """
    certificates = make_certificates(folder / "certificates")
    with Processes(folder / "logs") as processes:
        azurite = Azurite(processes, certificates, accounts=[account(each) for each in range(ACCOUNTS)])
        azurite.start()
        with tempfile.TemporaryDirectory(dir=folder) as rules:
            yield Bench(azurite, certificates, Path(rules))
        azurite.stop()


def single_faults(scenario: Scenario, points: Iterable[Point]) -> list[Wanted]:
    """Return every single fault of a scenario."""
    return [Wanted(scenario, {point: fault}) for point in sorted(set(points)) for fault in Fault]


def pairs(scenario: Scenario, points: Sequence[Point], draw: random.Random, number: int) -> list[Wanted]:
    """Return some pairs of faults, half of them two kills, alternately on one and on two instances."""
    wanted = []
    for each in range(number):
        first, second = sorted(draw.sample(range(len(points)), 2))
        kills = each % 2 == 0
        faults = (Fault.KILLED, Fault.KILLED) if kills else draw.choices(list(Fault), k=2)
        plan = dict(zip((points[first], points[second]), faults, strict=True))
        wanted.append(Wanted(scenario, plan, instances=1 + each // 2 % 2))
    return wanted


def line(scenario: Scenario, verdicts: Sequence[Verdict], began: float) -> str:
    """Return the report's line of a scenario."""
    failed = sum(bool(verdict.wrong) for verdict in verdicts)
    missed = sum(not verdict.reached for verdict in verdicts)
    orphans = sum(verdict.orphans for verdict in verdicts)
    return (
        f"{scenario.name:<32} {len(verdicts):>5} cases  {failed:>3} failed  {missed:>3} not reached  "
        f"{orphans:>3} orphans  {time.monotonic() - began:>5.0f} s"
    )
