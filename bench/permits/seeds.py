"""The sharing of permits over ten seeds, also with event loads: the figures of docs/decisions/0005.

`python -m bench.permits.seeds` prints them; with arguments, only scenarios whose name contains one of them.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from statistics import mean
from typing import Final

from bench.permits.event_model import Load
from bench.permits.simulation import Measured, Scenario, Simulation
from local.processes import default_signals

SEEDS: Final = range(1, 11)
PARKED_FOR: Final = (5.0, 20.0)
_SECONDS: Final = 300.0
_DEATHS: Final = 30.0
_OUTAGE: Final = (200.0, 500.0)
_HEADS: Final = (
    "instances, load",
    "in flight",
    "held",
    "runs/s",
    "least share",
    "calls a run",
    "p50 wait",
    "p99 wait",
    "longest wait",
    "parked",
)
LOADS: Final = {
    "bursts of 1,000": Load(1000, 90),
    "28 events a second": Load(1, 1 / 28),
    "28 events a second, all pushed": Load(1, 1 / 28, pushed=1.0),
    "5 events a second": Load(1, 1 / 5),
}


def scenarios() -> dict[str, Scenario]:
    """Return every scenario by its name; those with a load once for each way to park."""
    found = {f"{count}, always busy": Scenario(count, 600) for count in (1, 10, 40, 200)}
    found["10, always busy, one dies every 30 s"] = Scenario(10, 600, dies_every=_DEATHS)
    found["40, always busy, Storage down for 5 min"] = Scenario(40, 900, outage=_OUTAGE)
    loaded: dict[str, Scenario] = {}
    for name, load in LOADS.items():
        for count in (1, 10, 40, 200):
            loaded[f"{count}, {name}"] = Scenario(count, _SECONDS, load=load)
    steady = LOADS["28 events a second"]
    loaded["10, 28 events a second, one dies every 30 s"] = Scenario(
        10, _SECONDS, load=steady, dies_every=_DEATHS
    )
    loaded["40, 28 events a second, Storage down for 5 min"] = Scenario(
        40, 2 * _SECONDS, load=steady, outage=_OUTAGE
    )
    for name, scenario in loaded.items():
        for label, parked_for in (("at once", None), ("5 to 20 s", PARKED_FOR)):
            if scenario.load is not None and (scenario.instances > 1 or parked_for is None):
                load = replace(scenario.load, parked_for=parked_for)
                found[f"{name}, parked: {label}"] = replace(scenario, load=load)
    return found


def row(name: str, scenario: Scenario) -> str:
    """Simulate a scenario with every seed, and return its row: maxima of the counts, means of the rest."""
    measured = [Simulation(replace(scenario, seed=seed)).run() for seed in SEEDS]

    def average(value: Callable[[Measured], float]) -> float:
        return mean(value(one) for one in measured)

    cells = [
        name,
        str(max(one.peak for one in measured)),
        str(max(one.most_held for one in measured)),
        f"{average(lambda one: one.per_second):.2f}",
        f"{average(lambda one: one.least_share):.2f}",
        f"{average(lambda one: one.calls_per_event):.3f}",
        f"{average(lambda one: one.median_wait):.2f}",
        f"{average(lambda one: one.p99_wait):.1f}",
        f"{average(lambda one: one.longest_wait):.1f}",
        f"{average(lambda one: one.parked_per_event):.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def main(words: list[str]) -> None:
    """Print a row for every requested scenario."""
    print(f"| {' | '.join(_HEADS)} |\n|{'---|' * len(_HEADS)}")
    for name, scenario in scenarios().items():
        if not words or any(word in name for word in words):
            print(row(name, scenario), flush=True)


if __name__ == "__main__":
    default_signals.restore()
    main(sys.argv[1:])
