"""`python -m tests.mutants [TARGET ...]`: draw mutants, run the nearest tests of each, report the survivors.

The tests run in a copy of the tree, in a temporary folder. A mutant counts as caught if a test fails or the
tests take far too long.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, Self

from local.processes import default_signals, programs
from local.processes.processes import Interrupted, interruptible
from tests.mutants.mutations import Mutant, mutants
from tests.mutants.targets import TARGETS, Target
from tests.support.paths import ROOT

ACCEPTED: Final = Path(__file__).with_name("accepted.txt")
"""Lines `<key> <where, before → after> # <reason>`; only the key counts."""
LEAST_RATE: Final = 0.95
_NOT_COPIED: Final = shutil.ignore_patterns(".git", ".venv*", ".updraft", "node_modules", "out", ".*_cache")


class Copy:
    """A copy of the tree, in which a worker runs tests."""

    def __init__(self, folder: Path) -> None:
        self._tree = folder / "tree"
        shutil.copytree(ROOT, self._tree, ignore=_NOT_COPIED)
        self._worker = programs.start(
            [sys.executable, "-m", "tests.mutants.worker"],
            text=True,
            cwd=self._tree,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, **request: object) -> dict[str, Any]:
        """Send a request to the worker, and return its answer."""
        assert self._worker.stdin is not None
        assert self._worker.stdout is not None
        self._worker.stdin.write(json.dumps(request) + "\n")
        self._worker.stdin.flush()
        answer: dict[str, Any] = json.loads(self._worker.stdout.readline())
        return answer

    def write(self, path: str, text: str) -> None:
        """Replace a module and its bytecode, which Python would use after a change in the same second."""
        file = self._tree / path
        file.write_text(text, encoding="utf-8")
        for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
            compiled.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let the worker end; it kills the tests that still run."""
        self._worker.terminate()
        self._worker.wait(timeout=60)


def main() -> int:
    """Run the mutants, and return 0 if enough of them are caught, else 1."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="by default all, see targets.py")
    parser.add_argument("--count", type=int, default=300, help="the number of mutants of all targets")
    parser.add_argument("--seed", default="", help="the seed of the draw; by default the commit")
    args = parser.parse_args()
    seed = args.seed or programs.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True).stdout.strip()
    chosen = [target for target in TARGETS if not args.targets or target.name in args.targets]
    every = [(target, mutant) for target in chosen for mutant in of_target(target)]
    draw = random.Random(seed)  # noqa: S311 - the same at every call with the seed is what is wanted
    drawn = draw.sample(every, min(args.count, len(every)))
    accepted = accepted_keys()
    wanted = [each for each in drawn if each[1].key not in accepted]
    say(f"seed {seed}: {len(wanted)} of {len(every)} mutants, {len(drawn) - len(wanted)} more are accepted")
    if not args.targets and (gone := accepted - {mutant.key for _, mutant in every}):
        say(f"accepted.txt has keys of mutants that do not exist any more: {', '.join(sorted(gone))}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="updraft-mutants-") as folder:
        counts = {"caught": 0, "survived": 0, "timed out": 0}
        with Copy(Path(folder)) as copy:
            for target in chosen:
                mine = sorted((mutant for of, mutant in wanted if of is target), key=lambda each: each.line)
                for verdict in run(copy, target, mine):
                    counts[verdict] += 1
    rate = 1 - counts["survived"] / max(len(wanted), 1)
    say(f"{counts}: {rate:.1%} noticed, {(time.monotonic() - began) / max(len(wanted), 1):.2f} s per mutant")
    return 0 if rate >= LEAST_RATE else 1


def accepted_keys() -> set[str]:
    """Return the keys of the mutants that no test has to catch."""
    return {line.split()[0] for line in ACCEPTED.read_text("utf-8").splitlines()}


def of_target(target: Target) -> list[Mutant]:
    """Return every mutant of a target."""
    return [each for path in target.paths() for each in mutants(path, (ROOT / path).read_text("utf-8"))]


def run(copy: Copy, target: Target, mine: list[Mutant]) -> list[str]:
    """Run some mutants of one target, and print those that survive or take too long.

    Raises:
        RuntimeError: The tests fail without a mutant.
    """
    if not mine:
        return []
    first = copy.ask(tests=target.tests, limit=600)
    if first["status"] != 0:
        raise RuntimeError(f"the tests of {target.name} fail without a mutant:\n{first['output']}")
    copy.ask(imports=first["imported"])
    clean = copy.ask(tests=target.tests, limit=600)["seconds"]
    limit = 10 + 5 * clean
    verdicts = []
    for mutant in mine:
        source = (ROOT / mutant.path).read_text("utf-8")
        copy.write(mutant.path, mutant.applied(source))
        status = copy.ask(tests=target.tests, limit=limit)["status"]
        copy.write(mutant.path, source)
        verdicts.append("timed out" if status is None else "survived" if status == 0 else "caught")
        if verdicts[-1] != "caught":
            say(f"{verdicts[-1]}: {mutant.path}:{mutant.line}\n    {mutant.context}")
            say(f"    {mutant.key} {mutant.where}: {mutant.before} → {mutant.after} # ")
    say(f"{target.name}: {verdicts.count('survived')} of {len(mine)} survived; its tests take {clean:.1f} s")
    return verdicts


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
