"""`python -m tests.crashpoints [SCENARIO ...]`: every single fault of each scenario, and some pairs."""

import argparse
import random
import sys
import time
from pathlib import Path

from local.processes import default_signals
from local.stack import STATE
from tests.crashpoints.report import Wanted, bench, line, pairs, single_faults
from tests.crashpoints.scenarios import SCENARIOS


def main() -> int:
    """Run the cases, print a line for each scenario and one for each broken promise.

    Returns:
        0, or 1 if a promise is broken.
    """
    parser = argparse.ArgumentParser(prog="make crashpoints", description=__doc__)
    parser.add_argument("scenarios", nargs="*", help="words of the scenarios' names; by default all")
    parser.add_argument("--pairs", type=int, default=20, help="pairs of faults for each scenario")
    parser.add_argument("--seed", default=str(time.time_ns()), help="the seed of the random pairs")
    parser.add_argument("--workers", type=int, default=6, help="cases at one time")
    args = parser.parse_args()
    chosen = [
        scenario
        for scenario in SCENARIOS
        if not args.scenarios or any(word in scenario.name for word in args.scenarios)
    ]
    print(f"seed {args.seed}")
    draw = random.Random(args.seed)  # noqa: S311 - the same at every call with the seed is what is wanted
    failed = 0
    folder = Path(STATE) / "crashpoints"
    folder.mkdir(parents=True, exist_ok=True)
    with bench(folder) as cases:
        for scenario in chosen:
            began = time.monotonic()
            clean = cases.run(Wanted(scenario, {}))
            if clean.wrong:
                print(clean)
                failed += 1
                continue
            wanted = single_faults(scenario, clean.points)
            wanted += pairs(scenario, clean.points, draw, args.pairs)
            verdicts = list(cases.run_all(wanted, args.workers))
            print(line(scenario, verdicts, began), flush=True)
            for verdict in verdicts:
                if verdict.wrong:
                    failed += 1
                    print(f"  {verdict}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    default_signals.restore()
    sys.exit(main())
