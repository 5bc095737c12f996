"""One budget over 1 to 200 instances: the results of the simulation (`simulation.py`), with their bars.

`python -m bench.permits.scaling` prints the figures, `--write` puts them into docs/scaling.md.
"""

import argparse
import sys
from typing import Final

from bench.permits.airflow_model import ONE_WORKER, TWO_WORKERS
from bench.permits.simulation import PLACES, Measured, Scenario, Simulation
from bench.results import Figure
from local.paths import ROOT
from local.processes import default_signals

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
_BEGIN: Final = "<!-- figures: python -m bench.permits.scaling --write -->"
_END: Final = "<!-- end of figures -->"
_BAR: Final = 40


def measure() -> list[Figure]:
    """Simulate every scenario, and compare the worst of each kind with its bar."""
    rows = simulate()
    steady = [measured for name, measured in rows.items() if name in STEADY]
    return [
        Figure("scaling_peak_in_flight", max(row.peak for row in steady), "requests", PLACES),
        Figure("scaling_peak_with_deaths", rows[DEATHS].peak, "requests", PLACES),
        Figure("scaling_peak_in_an_outage_of_40", rows[OUTAGE].peak, "requests", ONE_WORKER.hangs_at - 1),
        Figure("scaling_throughput_of_best", min(row.of_best for row in steady), "ratio", 0.9, at_least=True),
        Figure("scaling_least_share", min(row.least_share for row in steady), "of fair", 0.5, at_least=True),
        Figure("scaling_most_share", max(row.most_share for row in steady), "of fair", 2.0),
        Figure(
            "scaling_storage_calls_per_event", max(row.calls_per_event for row in steady), "calls", 1 / 20
        ),
    ]


def simulate() -> dict[str, Measured]:
    """Return the result of each scenario."""
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
    parser = argparse.ArgumentParser(prog="python -m bench.permits.scaling", description=__doc__)
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
    default_signals.restore()
    sys.exit(main())
