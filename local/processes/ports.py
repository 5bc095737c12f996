"""Finds free loopback ports, and reserves them among the processes of this machine.

A test run has several processes, and each starts programs and servers.
A port that one process only looked at can be taken by another before its program listens there.
Two rules prevent that:

- Reserved ports are below the range from which the system assigns ports (from 32768 on Linux, from
  49152 on macOS). So neither a server that asks for any port nor an outgoing connection gets one of them.
- A reservation is a UDP socket of the same number. The system gives it to one process only.
  It frees it when that process ends.
"""

import atexit
import errno
import random
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_RESERVED: Final = range(20_000, 32_000)
_reservations: Final[dict[int, socket.socket]] = {}


def free_port(preferred: int = 0) -> int:
    """Return a port of 127.0.0.1 that is free now, and that no other call returns while this process runs.

    Args:
        preferred: The port to return if it is free; 0 for any.

    Raises:
        OSError: `EADDRINUSE`, no port between 20,000 and 32,000 is free.
    """
    if preferred and _reserved(preferred):
        return preferred
    for port in random.sample(_RESERVED, len(_RESERVED)):
        if _reserved(port):
            return port
    raise OSError(errno.EADDRINUSE, f"no port from {_RESERVED.start} to {_RESERVED.stop - 1} is free")


def _reserved(port: int) -> bool:
    """Reserve the port, unless it is reserved or a program listens on it."""
    if port in _reservations:
        return False
    reservation = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        reservation.bind((LOOPBACK, port))
    except OSError as error:
        reservation.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return False
        raise
    if is_taken(port):
        reservation.close()
        return False
    _reservations[port] = reservation
    atexit.register(reservation.close)
    return True


def is_taken(port: int) -> bool:
    """Return whether a program listens on the port of 127.0.0.1."""
    with socket.socket() as probe:
        # A port with connections in TIME_WAIT is free for a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return True
            raise
    return listens(port)


def listens(port: int) -> bool:
    """Return whether a connection to the port of 127.0.0.1 is accepted."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0
