"""Resets the signal dispositions and the signal mask of a process to their defaults.

A program inherits ignored and blocked signals from its parent (POSIX, `exec`). Shells ignore SIGINT and
SIGQUIT for background jobs of a script, and `nohup` ignores SIGHUP.

Our programs call `restore()` first. `programs.py` starts every program through this file, which becomes that
program: `python -I -S default_signals.py DESCRIPTOR LC_CTYPE PROGRAM [ARGUMENT ...]`. It imports only the
standard library, so that this takes about 15 ms.
"""

import os
import signal
import sys
from typing import Final

_FIXED: Final = frozenset({signal.SIGKILL, signal.SIGSTOP})  # a process cannot change these two
_IGNORED_BY_PYTHON: Final = frozenset({signal.SIGPIPE, signal.SIGXFSZ})  # Python raises exceptions instead
_NOT_FOUND: Final = 127  # as shells have it


def restore() -> None:
    """Reset this Python program: no signal is ignored or blocked.

    Handlers stay. SIGINT raises KeyboardInterrupt, as by default in Python. Call it in the main thread,
    before other threads start: a thread inherits the mask.
    """
    for number in signal.valid_signals() - _FIXED - _IGNORED_BY_PYTHON:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def main() -> None:
    """Become another program.

    DESCRIPTOR is the writing end of a pipe. It closes when the other program runs; if the program does not
    exist, the error's number is written to it. LC_CTYPE is the variable's original value: Python sets it if
    it is missing (PEP 538).
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
