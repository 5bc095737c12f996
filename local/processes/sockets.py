"""Finds the sockets of a stack that other users or machines could reach, in the kernel's lists.

Sources: proc(5), /proc/net/tcp, /proc/net/unix and `net/unix/af_unix.c`, `unix_seq_show`.
"""

import ipaddress
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from local.processes import guard

_INTERNET: Final = ("tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6")
_LISTENING: Final = "0A"
_ACCEPTS: Final = 0x10000  # __SO_ACCEPTCON
_NO_PEER: Final = re.compile(r"0+:0000")
LOOPBACK: Final = "127.0.0.1"


def open_to_others(family: str, *, also: int = 0) -> dict[str, str]:
    """Return the sockets that are open to another machine or another user, each with its program.

    Sockets on 127.0.0.1 are open to users of this machine, and do not count. Sockets in a folder that other
    users cannot enter do not count either.

    Args:
        family: The mark of the stack's processes (`Processes.family`).
        also: One more process, for example this one.
    """
    owners = {
        inode: pid
        for pid in guard.find((), family) | ({also} if also else set())
        for inode in _sockets_of(pid)
    }
    return {what: _program(owners[inode]) for inode, what in (*_internet(), *_unix()) if inode in owners}


def listening(family: str, *, also: int = 0) -> int:
    """Return how many sockets of these processes listen on 127.0.0.1."""
    inodes = {
        inode for pid in guard.find((), family) | ({also} if also else set()) for inode in _sockets_of(pid)
    }
    return sum(inode in inodes for inode, address, state in _table("tcp") if state == _LISTENING)


def _internet() -> Iterator[tuple[str, str]]:
    """Yield the sockets that accept connections from other addresses than 127.0.0.1."""
    for protocol in _INTERNET:
        for inode, address, state in _table(protocol):
            accepts = state == _LISTENING if protocol.startswith("tcp") else state != "connected"
            if accepts and not address.startswith(f"{LOOPBACK}:"):
                yield inode, f"{protocol} {address}"


def _table(protocol: str) -> Iterator[tuple[str, str, str]]:
    """Yield each socket's inode, local address and state; a datagram socket with a peer is `connected`."""
    table = Path("/proc/net", protocol)
    if not table.exists():
        return
    for line in table.read_text().splitlines()[1:]:
        fields = line.split()
        state = fields[3] if protocol.startswith("tcp") or _NO_PEER.fullmatch(fields[2]) else "connected"
        yield fields[9], _address(fields[1]), state


def _address(text: str) -> str:
    """Read an address in the kernel's form: words of four bytes in the machine's byte order, and the port."""
    words, _, port = text.partition(":")
    raw = b"".join(struct.pack("=I", int(words[start : start + 8], 16)) for start in range(0, len(words), 8))
    shown = ipaddress.ip_address(raw)
    return f"{shown}:{int(port, 16)}"


def _unix() -> Iterator[tuple[str, str]]:
    """Yield the Unix sockets that accept connections and that no private folder protects.

    An abstract socket (its name begins with @) has no permissions.
    """
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        _, _, _, flags, _, _, inode, *name = line.split(maxsplit=7)
        if name and int(flags, 16) & _ACCEPTS and not _is_closed(name[0]):
            yield inode, f"unix {name[0]}"


def _is_closed(name: str) -> bool:
    """Return whether only the owner can enter a folder above the socket."""
    if not name.startswith("/"):
        return False
    return any(folder.stat().st_mode & 0o077 == 0 for folder in Path(name).parents if folder.exists())


def _sockets_of(pid: int) -> Iterator[str]:
    try:
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return
    for descriptor in descriptors:
        try:
            target = str(descriptor.readlink())
        except OSError:  # closed meanwhile
            continue
        if target.startswith("socket:["):
            yield target.removeprefix("socket:[").removesuffix("]")


def _program(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
