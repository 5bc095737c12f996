"""A loopback proxy for HTTP/1.1 that resets connections at chosen points."""

import contextlib
import itertools
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, Self

from local.stand_ins.loopback_server import LOOPBACK

_RESET: Final = struct.pack("ii", 1, 0)
_HEAD_END: Final = b"\r\n\r\n"
_STARTS: Final = re.compile(rb"POST \S+/dagRuns ")
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"
_LENGTH: Final = b"content-length:"


class Cut(StrEnum):
    """The points at which a connection is reset."""

    BEFORE_REQUEST = "before the request"
    IN_REQUEST = "within the request"
    BEFORE_ANSWER = "before the answer"
    IN_ANSWER = "within the answer"


class BrokenWire:
    """The proxy, on threads of this process; a context manager.

    Args:
        port: The server's port on loopback.
        every: Of so many requests one is cut, at the next of the points; 0 for no cuts.

    Attributes:
        url: The proxy's address.
        cuts: The number of cuts, by point.
        peak: The most requests in flight at once.
        requests: The number of requests.
        started: The number of runs that were started.
        errors: The number of answers with a status of 5xx.
    """

    def __init__(self, port: int, *, every: int = 0) -> None:
        self._port = port
        self._every = every
        self._numbers = itertools.count(1)
        self._places = itertools.cycle(Cut)
        self._lock = threading.Lock()
        self._in_flight = 0
        self.cuts: Counter[Cut] = Counter()
        self.peak = self.requests = self.started = self.errors = 0
        self._listener = socket.create_server((LOOPBACK, 0), backlog=512)
        self.url = f"http://{LOOPBACK}:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def heal(self) -> None:
        """Cut no more connections."""
        self._every = 0

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._connection, args=(client,), daemon=True).start()

    def _connection(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection((LOOPBACK, self._port)) as server:
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while client.recv(1, socket.MSG_PEEK):
                if not self._request(client, server):
                    return

    def _request(self, client: socket.socket, server: socket.socket) -> bool:
        """Pass on one request and its answer, and return False if the connection was cut."""
        cut = self._next_cut()
        if cut is Cut.BEFORE_REQUEST:
            return _reset(client)
        with self._counted():
            request = _message(client)
            if cut is Cut.IN_REQUEST:
                server.sendall(request[: len(request) // 2])
                return _reset(client) or _reset(server)
            server.sendall(request)
            answer = _message(server)
        self.errors += answer[9:10] == b"5"
        self.started += _STARTS.match(request) is not None and answer[9:12] == b"200"
        if cut is Cut.BEFORE_ANSWER:
            return _reset(client)
        if cut is Cut.IN_ANSWER:
            client.sendall(answer[: len(answer) // 2])
            return _reset(client)
        client.sendall(answer)
        return True

    def _next_cut(self) -> Cut | None:
        with self._lock:
            self.requests += 1
            if not self._every or next(self._numbers) % self._every:
                return None
            cut = next(self._places)
            self.cuts[cut] += 1
            return cut

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._in_flight += 1
            self.peak = max(self.peak, self._in_flight)
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1


def _message(source: socket.socket) -> bytes:
    """Read one HTTP message: with a Content-Length, in chunks, or without a body."""
    content = b""
    while _HEAD_END not in content:
        content += _received(source)
    head, _, _ = content.partition(_HEAD_END)
    headers = [line.lower() for line in head.split(b"\r\n")[1:]]
    if any(name.startswith(b"transfer-encoding:") and b"chunked" in name for name in headers):
        while not content.endswith(_LAST_CHUNK):
            content += _received(source)
        return content
    length = next((int(line[len(_LENGTH) :]) for line in headers if line.startswith(_LENGTH)), 0)
    while len(content) < len(head) + len(_HEAD_END) + length:
        content += _received(source)
    return content


def _received(source: socket.socket) -> bytes:
    part = source.recv(65_536)
    if not part:
        raise ConnectionResetError
    return part


def _reset(connection: socket.socket) -> bool:
    """Close a connection with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()
    return False
