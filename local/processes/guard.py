"""Finds the processes of a family, ends them, and stands by in case their parent cannot.

Run as a program it is the guard: it reads the process groups to watch from its standard input, and when
that closes, whatever the reason (even SIGKILL of the parent), it ends what is left and goes.

It imports the standard library alone, so that it starts in some 20 ms
(`python -I -S local/processes/guard.py`).
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

FAMILY = "UPDRAFT_PROCESS_FAMILY"
"""The environment variable by which every process of one stack is known."""

_PROC = Path("/proc")
_SESSION_FIELD = 3  # of /proc/PID/stat, counted after the command's closing bracket; state is 0 (proc(5))


def find(leaders: Iterable[int], family: str) -> set[int]:
    """Return the live processes that belong to the sessions of `leaders` or carry the mark `family`.

    Where there is no /proc (macOS), the answer is the leaders whose process group still has a member.

    Args:
        leaders: Process ids, each the leader of a session of its own.
        family: The value of the variable FAMILY; empty to look at sessions alone.
    """
    sessions = set(leaders)
    if not (_PROC / "self/stat").exists():
        return {leader for leader in sessions if _group_lives(leader)}
    mark = f"{FAMILY}={family}".encode() if family else None
    return {
        int(entry.name)
        for entry in _PROC.iterdir()
        if entry.name.isdigit() and int(entry.name) != os.getpid() and _belongs(entry, sessions, mark)
    }


def end(leaders: dict[int, int], family: str = "", *, grace: float = 5.0) -> set[int]:
    """End whole process groups: each with its own signal, after `grace` seconds with SIGKILL.

    Args:
        leaders: The signal to ask each group with, by its leader's process id.
        family: The mark by which strays (processes that made a session of their own) are found as well;
            empty to leave strays alone.
        grace: Seconds to wait before SIGKILL.

    Returns:
        What is still alive two seconds after SIGKILL; empty unless the system is in trouble.
    """
    for leader, ask in leaders.items():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, ask)
    for pid in find(leaders, family):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(pid) not in leaders:
                os.kill(pid, signal.SIGTERM)
    alive = _wait(leaders, family, grace)
    if not alive:
        return alive
    for pid in alive:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    for leader in leaders:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
    return _wait(leaders, family, 2.0)


def _wait(leaders: dict[int, int], family: str, seconds: float) -> set[int]:
    deadline = time.monotonic() + seconds
    while (alive := find(leaders, family)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return alive


def _group_lives(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _belongs(entry: Path, sessions: set[int], mark: bytes | None) -> bool:
    """Tell whether the process under `entry` of /proc is one of ours and not merely a zombie."""
    try:
        fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
        if fields[0] in "ZX":
            return False
        if int(fields[_SESSION_FIELD]) in sessions:
            return True
        return mark is not None and mark in (entry / "environ").read_bytes().split(b"\0")
    except OSError:  # it ended while we looked, or belongs to somebody else
        return False


def main() -> None:
    """Watch groups named on standard input (`+ PID SIGNAL`, `- PID`) until it closes, then end the rest."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    family = sys.argv[1]
    leaders: dict[int, int] = {}
    for line in sys.stdin:
        word, *numbers = line.split()
        if word == "+":
            leaders[int(numbers[0])] = int(numbers[1])
        else:
            leaders.pop(int(numbers[0]), None)
    end(leaders, family)


if __name__ == "__main__":
    main()
