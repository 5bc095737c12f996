"""Starts the programs of the local stack, and ends all of them with it.

Every child leads a session, so that Ctrl-C in the terminal reaches only the stack, and is ended with all
processes that it started. A guard (`guard.py`) does the same if the stack is killed.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from local.processes import guard, programs
from local.processes.private import OTHERS, open_private, private_folder
from local.processes.programs import Program


class StackError(Exception):
    """A part of the local stack that did not start or has ended.

    Attributes:
        part: The part's name for people.
        log: The file with its output, if any.
    """

    def __init__(self, part: str, message: str, *, log: Path | None = None) -> None:
        super().__init__(f"{part}: {message}")
        self.part = part
        self.log = log


class Process:
    """One running program; made by `Processes.start`."""

    def __init__(self, name: str, child: Program[bytes], log: Path, stop_signal: int) -> None:
        self.name = name
        self.log = log
        self.stop_signal = stop_signal
        self._child = child

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its session and process group."""
        return self._child.pid

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""
        return self._child.poll()

    def tail(self, lines: int = 15) -> str:
        """Return the last lines of its output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def failure(self, what: str) -> StackError:
        """Return an error with `what` happened and the last lines of its output."""
        return StackError(self.name, f"{what}. The end of {shown(self.log)}:\n{self.tail()}", log=self.log)


class Processes:
    """The programs of one stack.

    A context manager: its exit ends all of them and waits until they have ended.
    """

    def __init__(self, logs: Path) -> None:
        """Remember where output goes: `logs/NAME.log` for each program, which its owner alone can read.

        The output of a program that is started again follows the output of its earlier starts.
        """
        self.family = secrets.token_hex(8)
        self._logs = logs
        self._running: list[Process] = []
        self._logged: set[Path] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._guard: Program[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_signal: int = signal.SIGTERM,
    ) -> Process:
        """Start a program in its own session.

        Args:
            name: Its name for people; its output goes to `NAME.log`, with hyphens for spaces.
            command: The program and its arguments.
            env: Variables added to this process's environment.
            cwd: Its working directory; by default this process's.
            stop_signal: The signal that asks it to stop.

        Raises:
            StackError: The program does not exist, or the stack is being stopped already.
        """
        private_folder(self._logs)
        log = self._logs / f"{name.replace(' ', '-').lower()}.log"
        marks = {
            guard.FAMILY: self.family,
            "SPT_NOENV": "1",  # setproctitle must not overwrite the environment, which has the mark
            "PYTHONUNBUFFERED": "1",
        }
        with self._lock, open_private(log, append=log in self._logged) as output:
            self._logged.add(log)
            if self._closed:
                raise StackError(name, "not started: the stack is stopping")
            if self._guard is None:
                self._guard = self._start_guard()
            try:
                child = programs.start(
                    command,
                    env={**os.environ, **(env or {}), **marks},
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    umask=OTHERS,  # its output may have events and secrets
                )
            except OSError as error:
                raise StackError(name, f"{command[0]} cannot be started: {error.strerror}") from error
            process = Process(name, child, log, stop_signal)
            self._running.append(process)
            self._tell_guard(f"+ {process.pid} {int(stop_signal)}")
        return process

    def run(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        seconds: float,
    ) -> None:
        """Run a program to its end.

        Raises:
            StackError: It ended with another code than 0, or not within `seconds`.
        """
        process = self.start(name, command, env=env)
        self.wait_until(lambda: process.poll() is not None, (process,), seconds=seconds, may_end=True)
        self.stop(process)
        if process.poll() != 0:
            raise process.failure(f"ended with code {process.poll()}")

    def wait_until(
        self,
        ready: Callable[[], bool],
        processes: Sequence[Process],
        *,
        seconds: float,
        may_end: bool = False,
    ) -> None:
        """Wait until `ready()`, while `processes` run.

        Args:
            ready: Called about ten times a second.
            processes: The processes that `ready` depends on; the error for a time-out names the first one.
            seconds: The most seconds to wait.
            may_end: Whether they may end meanwhile.

        Raises:
            StackError: One of them ended, the wait timed out, or the stack is being stopped.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            for process in processes:
                if not may_end and process.poll() is not None:
                    raise process.failure(f"ended at once with code {process.poll()}")
            if self._closed:
                raise StackError(processes[0].name, "not waited for: the stack is stopping")
            if time.monotonic() > deadline:
                raise processes[0].failure(f"was not ready after {seconds:.0f} s")
            time.sleep(0.1)

    def ended(self) -> list[Process]:
        """Return the programs that have ended by themselves since the last call.

        What such a program had started is ended too; the other programs go on.
        """
        ended = [process for process in tuple(self._running) if process.poll() is not None]
        self.stop(*ended)
        return ended

    def stop(self, *processes: Process, grace: float = 5.0) -> None:
        """End these programs together, with all that they started, and wait until they are gone."""
        processes = tuple(process for process in processes if process in self._running)
        self._end({process.pid: process.stop_signal for process in processes}, "", grace)
        with self._lock:
            for process in processes:
                if process in self._running:
                    self._running.remove(process)
                    self._tell_guard(f"- {process.pid}")

    def close(self) -> None:
        """End all remaining programs, also strays, and start no more; may be called twice."""
        with self._lock:
            self._closed = True
            left = {process.pid: process.stop_signal for process in self._running}
        self._end(left, self.family if self._guard else "", 5.0)
        with self._lock:
            self._running.clear()
            if self._guard is not None and self._guard.stdin is not None:
                self._guard.stdin.close()
                self._guard.wait(timeout=10)
            self._guard = None

    def _end(self, leaders: dict[int, int], family: str, grace: float) -> None:
        reaper = threading.Thread(target=self._reap, args=(tuple(leaders),), daemon=True)
        reaper.start()
        alive = guard.end(leaders, family, grace=grace)
        reaper.join(timeout=1)
        if alive:
            raise StackError("stack", f"processes that cannot be ended: {sorted(alive)}")

    def _reap(self, pids: tuple[int, ...]) -> None:
        """Read the exit codes: until then the number of an ended child's group is in use (macOS)."""
        for process in [process for process in self._running if process.pid in pids]:
            process._child.wait()  # noqa: SLF001 - the two classes are one thing to the outside

    def _start_guard(self) -> Program[bytes]:
        return programs.start(
            [sys.executable, "-I", "-S", guard.__file__, self.family],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def _tell_guard(self, line: str) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.write(f"{line}\n".encode())
            self._guard.stdin.flush()


class Interrupted(BaseException):
    """A signal asked this process to stop."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted at the first SIGINT, SIGTERM or SIGHUP, and ignore later ones.

    Stopping takes at most a few seconds, and a second Ctrl-C during it would leave processes or files behind.
    It also works if a shell ignores the signals, as SIGINT for a background job.

    Raises:
        Interrupted: In the main thread, once.
    """
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for other in signals:
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted(signal.Signals(number).name)

    before = {number: signal.signal(number, interrupt) for number in signals}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number, handler in before.items():
            signal.signal(number, handler)


def shown(path: Path) -> str:
    """Return a path for people: relative to the working directory if it is below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
