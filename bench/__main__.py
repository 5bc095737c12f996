"""`make bench`: measure, print, and write bench/out/results.json."""

import argparse
import sys

from bench import callers, cold_start, deciding, identity
from bench.permits import scaling
from bench.results import OUT, keep, show
from local.processes import default_signals


def main() -> int:
    """Run the measurements and return 1 if a figure misses its bar."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="fresh processes of each kind (default 5)")
    arguments = parser.parse_args()
    figures = [
        *deciding.measure(),
        *identity.measure(),
        *callers.measure(),
        *scaling.measure(),
        *cold_start.measure(arguments.rounds),
    ]
    show(figures)
    print(cold_start.yardstick())
    keep(figures)
    print(f"written to {(OUT / 'results.json').relative_to(OUT.parent.parent)}")
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    default_signals.restore()
    sys.exit(main())
