"""Names the work of a command on standard error, once it takes longer than a second."""

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from cli.output import printable

PATIENCE: Final = 1.0
"""Seconds of work on the network after which it is named."""
EVERY: Final = 10.0
"""Seconds after which work with a known number of parts reports again how far it is."""


class Work:
    """Work that takes some time.

    Args:
        doing: What is being done, as in "asking analytics".
    """

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._total = 0
        self._done = 0

    def counted[T](self, items: Iterable[T], total: int) -> Iterator[T]:
        """Yield the parts of the work, and count them.

        Args:
            items: The parts.
            total: Their number.
        """
        self._total = total
        for item in items:
            yield item
            self._done += 1

    def report(self, over: threading.Event) -> None:
        """Name the work when `PATIENCE` is over, and report how far it is, until `over` is set."""
        named = False
        while not over.wait(EVERY if named else PATIENCE):
            far = f" {self._done} of {self._total}" if self._total > 1 else ""
            if far or not named:
                print(printable(f"{self._doing} …{far}"), file=sys.stderr, flush=True)
            named = True


@contextmanager
def waiting(doing: str) -> Iterator[Work]:
    """Name the work in this block on standard error if it takes longer than `PATIENCE`.

    The line is printed with and without a terminal, so that the log of a pipeline shows a wait as well.
    Standard output never has it, so a `--json` document stays whole.

    Args:
        doing: What is being done.
    """
    work, over = Work(doing), threading.Event()
    thread = threading.Thread(target=work.report, args=(over,), daemon=True)
    thread.start()
    try:
        yield work
    finally:
        over.set()
        thread.join()
