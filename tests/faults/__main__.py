"""`python -m tests.faults [NUMBER ...]`: the long form of the suite, its figures and its table."""

import argparse
import sys
import tempfile
from pathlib import Path

from local.processes import Interrupted, interruptible
from tests.faults.faults import ON_THE_STUB
from tests.faults.ground import Ground
from tests.faults.verdict import FIGURES, keep, write_table


def main() -> int:
    """Run the faults; returns 0 where all promises held, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument(
        "numbers", nargs="*", metavar="NUMBER", help="only these, as in 3 or 8b (default: all)"
    )
    parser.add_argument(
        "--short", action="store_true", help="as few events as in `make test`; keeps no figures"
    )
    options = parser.parse_args()
    faults = [f for f in ON_THE_STUB if not options.numbers or f.name.split()[0] in options.numbers]
    broken = 0
    with tempfile.TemporaryDirectory(prefix="updraft-faults-") as folder, Ground(Path(folder)) as ground:
        for fault in faults:
            verdict = fault.run(ground, fault.short if options.short else fault.long)
            broken += not verdict.holds
            _say(f"{'holds ' if verdict.holds else 'BROKEN'}  {fault.name}: {verdict.to_json()}")
            if not options.short:
                keep(fault.name, verdict)
                write_table()
    _say(f"{len(faults) - broken} of {len(faults)} hold; the figures are in {FIGURES.name}")
    return 1 if broken else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        with interruptible():
            sys.exit(main())
    except Interrupted:
        sys.exit(130)
