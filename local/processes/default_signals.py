"""Gives a process the default signal dispositions and an empty signal mask, whatever it inherited.

What is ignored or blocked stays so in every program that a process starts (POSIX, `exec`), and a shell hides
signals in this way: SIGINT and SIGQUIT from a job in the background of a script, SIGHUP from `nohup`.

A program of ours calls `restore()` first. `programs.py` starts every program through this file, which becomes
that program: `python -I -S default_signals.py DESCRIPTOR LC_CTYPE PROGRAM [ARGUMENT ...]`. It imports the
standard library alone, so that this takes some 15 ms.
"""

import os
import signal
import sys
from typing import Final

_FIXED: Final = frozenset({signal.SIGKILL, signal.SIGSTOP})  # no process can change these two
_IGNORED_BY_PYTHON: Final = frozenset({signal.SIGPIPE, signal.SIGXFSZ})  # they are exceptions instead
_NOT_FOUND: Final = 127  # as shells have it


def restore() -> None:
    """Undo, for this Python program, what it inherited: no signal is ignored or blocked.

    Handlers stay. SIGINT raises KeyboardInterrupt, as it does in a Python program that inherited nothing.
    To be called in the main thread, before other threads start: a thread begins with its parent's mask.
    """
    for number in signal.valid_signals() - _FIXED - _IGNORED_BY_PYTHON:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def main() -> None:
    """Become another program.

    DESCRIPTOR is the writing end of a pipe. It closes when the other program runs; before that, it gets the
    error's number where there is no such program. LC_CTYPE is the variable's value, which Python has changed
    here by itself where it was missing (PEP 538).
    """
    descriptor, locale, *command = sys.argv[1:]
    os.set_inheritable(int(descriptor), False)
    if locale:
        os.environ["LC_CTYPE"] = locale
    else:
        os.environ.pop("LC_CTYPE", None)
    for number in signal.valid_signals() - _FIXED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        os.execvp(command[0], command)  # noqa: S606 - that is its purpose
    except OSError as error:
        os.write(int(descriptor), str(error.errno).encode())
        sys.exit(_NOT_FOUND)


if __name__ == "__main__":
    main()
