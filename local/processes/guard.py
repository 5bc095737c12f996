"""Finds and ends the processes of a stack, also if their parent was killed.

As a program it is the guard: it reads the process groups to watch from its standard input. When that closes
for any reason (also SIGKILL of the parent), it ends the remaining processes. It imports only the standard
library, so that it starts in about 20 ms (`python -I -S local/processes/guard.py`).
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

FAMILY = "UPDRAFT_PROCESS_FAMILY"
"""The environment variable that marks every process of one stack."""

_PROC = Path("/proc")
_SESSION_FIELD = 3  # of /proc/PID/stat, counted after the command's closing bracket; state is 0 (proc(5))


def find(leaders: Iterable[int], family: str) -> set[int]:
    """Return the live processes that belong to the sessions of `leaders` or carry the mark `family`.

    Without /proc (macOS), the result is the leaders whose process group still has a member.

    Args:
        leaders: Process ids, each the leader of a session.
        family: The value of the variable FAMILY; empty to check only sessions.
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
    """End whole process groups: each with its signal, and after `grace` seconds with SIGKILL.

    Args:
        leaders: The signal of each group, by its leader's process id.
        family: The mark of strays (processes that made their own session), which are ended too; empty to
            ignore strays.
        grace: Seconds to wait before SIGKILL.

    Returns:
        The processes that are alive two seconds after SIGKILL; usually none.
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
    """Return whether the process under `entry` of /proc is one of the stack and not a zombie."""
    try:
        fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
        if fields[0] in "ZX":
            return False
        if int(fields[_SESSION_FIELD]) in sessions:
            return True
        return mark is not None and mark in (entry / "environ").read_bytes().split(b"\0")
    except OSError:  # it ended meanwhile, or belongs to another user
        return False


def main() -> None:
    """Watch the groups from standard input (`+ PID SIGNAL`, `- PID`) until it closes, then end the rest."""
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
