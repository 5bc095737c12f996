"""Starts programs. Each begins with default signal dispositions and an empty signal mask.

With `subprocess` alone a program inherits the signals that this process ignores or blocks. So local/, bench/
and the tests start every program here, and ruff refuses `subprocess.Popen` and similar calls elsewhere
(pyproject.toml).

`default_signals.py` resets the signals and becomes the program. There are two other ways. A `preexec_fn` is
unsafe with threads (docs.python.org/3/library/subprocess.html). `os.posix_spawn` with `setsigdef` has no
working directory, and does not have the pipes of `subprocess`.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal, TypedDict, Unpack, overload

from local.processes import default_signals

type Program[Text: (str, bytes)] = subprocess.Popen[Text]  # noqa: TID251 - the type, and below the one call
"""A started program."""


class Options(TypedDict, total=False):
    """The options of a program; names and defaults as in `subprocess.Popen`."""

    cwd: Path | None
    env: Mapping[str, str] | None
    stdin: int | IO[Any] | None
    stdout: int | IO[Any] | None
    stderr: int | IO[Any] | None
    start_new_session: bool
    umask: int


@overload
def start(
    command: Sequence[str | Path], *, text: Literal[True], **options: Unpack[Options]
) -> Program[str]: ...
@overload
def start(
    command: Sequence[str | Path], *, text: Literal[False] = False, **options: Unpack[Options]
) -> Program[bytes]: ...
def start(
    command: Sequence[str | Path], *, text: bool = False, **options: Unpack[Options]
) -> Program[str] | Program[bytes]:
    """Start a program; it runs when this returns, so that it can get a signal at once.

    Args:
        command: The program and its arguments.
        text: Whether its pipes carry text.
        options: As for `subprocess.Popen`.

    Raises:
        OSError: The program or folder does not exist, or may not be used.
    """
    environment = os.environ if (env := options.get("env")) is None else env
    wrapper = [sys.executable, "-I", "-S", default_signals.__file__]
    reading, writing = os.pipe()
    with open(reading, "rb") as answer:  # noqa: PTH123 - a descriptor
        try:
            child: Program[Any] = subprocess.Popen(  # noqa: TID251 - as above
                [*wrapper, str(writing), environment.get("LC_CTYPE", ""), *map(str, command)],
                text=text,
                pass_fds=(writing,),
                **options,
            )
        finally:
            os.close(writing)
        try:
            failure = int(answer.read() or 0)
        except BaseException:
            with child:
                child.kill()
            raise
    if failure:
        with child:
            raise OSError(failure, os.strerror(failure), str(command[0]))
    return child


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    capture: bool = True,
    check: bool = False,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end.

    Args:
        command: The program and its arguments.
        cwd: Its working directory; by default this process's.
        env: Its environment; by default this process's.
        capture: Whether its output is returned; otherwise it goes to this process's output.
        check: Whether an exit code other than 0 is an error.
        timeout: The most seconds that it may run.

    Raises:
        OSError: As in `start`.
        subprocess.CalledProcessError: With `check`, it ended with another code than 0.
        subprocess.TimeoutExpired: It did not end in time, and was killed.
    """
    output = subprocess.PIPE if capture else None
    with start(command, text=True, cwd=cwd, env=env, stdout=output, stderr=output) as child:
        try:
            out, errors = child.communicate(timeout=timeout)
        except BaseException:
            child.kill()
            raise
    ended = subprocess.CompletedProcess(list(map(str, command)), child.returncode, out, errors)
    if check:
        ended.check_returncode()
    return ended
