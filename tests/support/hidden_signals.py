"""Signals that a parent hides from its children: ignored, as by a shell's `&` and by `nohup`, or blocked."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIG_BLOCK, SIG_DFL, SIG_IGN, SIG_SETMASK, Signals, pthread_sigmask, signal
from typing import Final, Literal

How = Literal["ignored", "blocked"]
HOWS: Final[tuple[How, ...]] = ("ignored", "blocked")
_HIDE: Final = """
import os, signal, sys
how, numbers, *command = sys.argv[1:]
for number in map(int, numbers.split(",")):
    if how == "ignored":
        signal.signal(number, signal.SIG_IGN)
    else:
        signal.pthread_sigmask(signal.SIG_BLOCK, {number})
os.execvp(command[0], command)
"""


@contextmanager
def hidden(how: How, number: Signals) -> Iterator[None]:
    """Ignore or block a signal in this process, and so in programs that it starts meanwhile."""
    handler = signal(number, SIG_IGN) if how == "ignored" else None
    blocked = pthread_sigmask(SIG_BLOCK, {number} if how == "blocked" else ())
    try:
        yield
    finally:
        pthread_sigmask(SIG_SETMASK, blocked)
        if how == "ignored":
            signal(number, SIG_DFL if handler is None else handler)


def hiding(how: How, *numbers: Signals) -> list[str]:
    """Return the start of a command whose rest begins with these signals hidden."""
    return [sys.executable, "-I", "-S", "-c", _HIDE, how, ",".join(str(int(number)) for number in numbers)]
