"""`python -m tests.mutants.worker`, in a copy of the tree: runs tests, each time in a fresh fork.

It reads requests as lines of JSON and writes a line for each. A request with `imports` loads libraries for
all later forks, because their import takes longer than the tests. No module of Updraft is loaded before a
fork, so that each fork reads the changed source.
"""

import contextlib
import importlib
import json
import os
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any, Final

OURS: Final = ("shared", "tests", "cli", "local", "functions", "function_app", "bench")
_OUTPUT: Final = Path("mutants-output.txt")
_IMPORTED: Final = Path("mutants-imported.json")
_ARGUMENTS: Final = (
    *("-x", "-q", "-m", "not stack and not slow"),
    "--hypothesis-profile=ci",  # the same examples each time, without a deadline
    *("-p", "no:cacheprovider", "--assert=plain"),  # libraries are loaded before pytest could rewrite them
)


def main() -> None:
    """Answer requests until the input ends, or until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    for line in sys.stdin:
        request = json.loads(line)
        if "imports" in request:
            answer: dict[str, Any] = {"loaded": _load(request["imports"])}
        else:
            answer = _run(request["tests"], request["limit"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _load(names: list[str]) -> int:
    loaded = 0
    for name in names:
        with contextlib.suppress(Exception), warnings.catch_warnings(action="ignore"):
            importlib.import_module(name)
            loaded += 1
    return loaded


def _run(tests: list[str], limit: float) -> dict[str, Any]:
    """Run tests in a fork; `status` is pytest's exit code, or None after a time-out."""
    began = time.monotonic()
    child = os.fork()  # noqa: TID251 - this program began with default signals, and has one thread
    if child == 0:
        _become_tests(tests)
    ended = 0
    try:
        while not ended and time.monotonic() < began + limit:
            time.sleep(0.02)
            ended, status = os.waitpid(child, os.WNOHANG)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # also processes that the tests left running
    if not ended:
        os.waitpid(child, 0)
    return {
        "status": os.waitstatus_to_exitcode(status) if ended else None,
        "seconds": time.monotonic() - began,
        "output": _OUTPUT.read_text(errors="replace")[-4000:] if _OUTPUT.exists() else "",
        "imported": json.loads(_IMPORTED.read_text()) if ended and _IMPORTED.exists() else [],
    }


def _become_tests(tests: list[str]) -> None:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    output = os.open(_OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in ((0, nothing), (1, output), (2, output)):
        os.dup2(descriptor, number)
    code = 70  # not one of pytest's
    try:
        import pytest

        code = int(pytest.main([*_ARGUMENTS, *tests]))
        names = [name for name in sys.modules if name.partition(".")[0] not in OURS]
        _IMPORTED.write_text(json.dumps(names))
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
