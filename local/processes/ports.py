"""Finds loopback ports that nothing listens on."""

import errno
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_given: set[int] = set()


def free_port(preferred: int = 0) -> int:
    """Return a port of 127.0.0.1 that is free now, and that was not returned before.

    Args:
        preferred: The port to return if it is free; 0 for any.
    """
    if preferred and preferred not in _given and not is_taken(preferred):
        _given.add(preferred)
        return preferred
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


def is_taken(port: int) -> bool:
    """Tell whether something listens on the port of 127.0.0.1."""
    with socket.socket() as probe:
        # A port whose last connections are still fading out (TIME_WAIT) is free for a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return True
            raise
    return listens(port)


def listens(port: int) -> bool:
    """Tell whether a connection to the port of 127.0.0.1 is accepted."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0
