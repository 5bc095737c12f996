"""Says what a command is waiting for, once that takes longer than a second."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cli.output import printable

PATIENCE: Final = 1.0
"""Seconds of network work after which a person is told what is going on."""


@contextmanager
def waiting(doing: str) -> Iterator[None]:
    """Print one line to standard error if the work in this block takes longer than `PATIENCE`.

    The line is printed with and without a terminal: the log of a pipeline shows a wait as well. Standard
    output never has it, so a `--json` document stays whole.

    Args:
        doing: What is being done, as in "asking analytics".
    """
    timer = threading.Timer(PATIENCE, _say, (doing,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _say(doing: str) -> None:
    print(printable(f"{doing} …"), file=sys.stderr, flush=True)
