"""`python -m tests.faults [NUMBER ...]`: the long form of the suite, its figures and its table."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from local.processes import default_signals
from local.processes.processes import Interrupted, interruptible
from tests.faults.faults import ON_A_REAL_AIRFLOW, ON_THE_STUB
from tests.faults.ground import Ground
from tests.faults.real import RealAirflows
from tests.faults.verdict import FIGURES, Verdict, keep, write_table


class Report:
    """The results of the faults."""

    def __init__(self) -> None:
        self.held = 0
        self.broken = 0

    def take(self, name: str, run: Callable[[], Verdict]) -> None:
        """Run one fault, and write and print its figures."""
        verdict = run()
        self.held += verdict.holds
        self.broken += not verdict.holds
        keep(name, verdict)
        write_table()
        say(f"{'holds ' if verdict.holds else 'BROKEN'}  {name}: {verdict.to_json()}")


def main() -> int:
    """Run the faults, and return 0 if all promises hold, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument(
        "numbers", nargs="*", metavar="NUMBER", help="only these, as in 3 or 8b (default: all)"
    )
    wanted = parser.parse_args().numbers

    def chosen(name: str) -> bool:
        return not wanted or name.split(maxsplit=1)[0] in wanted

    report = Report()
    with tempfile.TemporaryDirectory(prefix="updraft-faults-") as folder, Ground(Path(folder)) as ground:
        for fault in ON_THE_STUB:
            if chosen(fault.name):
                report.take(fault.name, partial(fault.run, ground, fault.long))
        with RealAirflows(ground) as airflows:
            for real in ON_A_REAL_AIRFLOW:
                if chosen(real.name):
                    airflow = airflows.on(real.database)
                    report.take(real.name, partial(real.run, ground, airflow, real.long))
    say(f"{report.held} of {report.held + report.broken} hold; the figures are in {FIGURES.name}")
    return 1 if report.broken else 0


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    default_signals.restore()
    try:
        with interruptible():
            sys.exit(main())
    except Interrupted:
        sys.exit(130)
