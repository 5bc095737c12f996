"""An HTTP server on a free loopback port, in a thread of this process: the base of the stand-ins.

A stand-in is a subclass with one method, `handle`. It gets whole requests, returns whole replies, logs
methods and paths (never headers or bodies, which hold secrets), and can have faults for the next few
requests. The protocol is HTTP/1.1 with keep-alive, over TLS if it has a context.
"""

import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self
from urllib.parse import parse_qsl, urlsplit

from shared.values.json_text import Json, JsonObject

LOOPBACK: Final = "127.0.0.1"
HTTP_BROKEN: Final = 500
_QUIET: Final = (ConnectionError, TimeoutError, ssl.SSLError)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """One whole request.

    Attributes:
        method: As sent, in capitals.
        path: Percent-encoded as sent, without the query.
        query: The last value of each parameter.
        headers: Names in lower case.
        body: The bytes; may be empty.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Json:
        """Return the decoded body.

        Raises:
            ValueError: The body is not JSON.
        """
        decoded: Json = json.loads(self.body)
        return decoded


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply.

    Attributes:
        status: The HTTP status.
        body: A JSON object or array is encoded as `application/json`; text and bytes are sent as they are.
        headers: More headers; a Content-Type here counts.
    """

    status: int = 200
    body: bytes | str | JsonObject | list[Json] = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> tuple[bytes, str]:
        """Return the body's bytes and its content type."""
        if isinstance(self.body, bytes):
            return self.body, "application/octet-stream"
        if isinstance(self.body, str):
            return self.body.encode(), "text/plain; charset=utf-8"
        return json.dumps(self.body).encode(), "application/json"


@dataclass(slots=True)
class Fault:
    """A fault of the next requests.

    Attributes:
        status: The status instead; None does not change the reply (only its delay), 0 closes the connection
            without a reply.
        body: The reply's body.
        headers: The reply's headers.
        delay: Seconds before the reply.
        times: The number of requests.
        when: Selects the requests.
        after_handling: The request takes effect before the bad reply, as when a proxy gives up and the server
            continues.
    """

    status: int | None = None
    body: bytes | str | JsonObject | list[Json] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    times: int = 1
    when: Callable[[Request], bool] = lambda _: True
    after_handling: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """One line of the request log; `status` 0 means that the connection was closed without an answer."""

    method: str
    path: str
    status: int


class LoopbackServer:
    """A server in a thread of this process; a subclass has its replies.

    Args:
        tls: The server's TLS context (`local/stand_ins/certificates.py`), or None for plain HTTP.
        port: The port to listen on; 0 takes a free one.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._seen: list[Seen] = []
        self._server = _Server((LOOPBACK, port), self, tls)
        self._thread: threading.Thread | None = None
        self.url = f"{'https' if tls else 'http'}://{LOOPBACK}:{self._server.server_port}"

    def handle(self, request: Request) -> Reply:
        """Answer one request; called on the connection's own thread."""
        raise NotImplementedError

    def start(self) -> Self:
        """Start answering. The port and `url` are known from construction on."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name=type(self).__name__, daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening and close every connection; safe to call twice."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()
        self._server.close_connections()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.server_port

    def inject(
        self,
        status: int | None = None,
        body: bytes | str | JsonObject | list[Json] = b"",
        *,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        delay: float = 0.0,
        times: int = 1,
        when: Callable[[Request], bool] = lambda _: True,
        after_handling: bool = False,
    ) -> None:
        """Add a fault for the next `times` requests; see `Fault`. Faults are used in order."""
        headers = dict(headers or {}) | ({} if retry_after is None else {"Retry-After": f"{retry_after:g}"})
        with self._lock:
            self._faults.append(Fault(status, body, headers, delay, times, when, after_handling))

    def heal(self) -> None:
        """Remove every unused fault."""
        with self._lock:
            self._faults.clear()

    @property
    def seen(self) -> tuple[Seen, ...]:
        """The request log so far, oldest first."""
        with self._lock:
            return tuple(self._seen)

    def count(self, method: str = "", prefix: str = "") -> int:
        """Return the number of requests with this method and this beginning of their path."""
        return sum(
            (not method or line.method == method) and line.path.startswith(prefix) for line in self.seen
        )

    def forget(self) -> None:
        """Empty the request log."""
        with self._lock:
            self._seen.clear()

    def answer(self, request: Request) -> Reply | None:
        """Apply a fault or `handle` the request, and log it; None closes the connection."""
        fault = self._take_fault(request)
        if fault is None:
            reply: Reply | None = self._handled(request)
        else:
            handled = (
                self._handled(request) if fault.after_handling or fault.status is None else Reply(HTTP_BROKEN)
            )
            time.sleep(fault.delay)
            reply = handled if fault.status is None else Reply(fault.status, fault.body, fault.headers)
            if fault.status == 0:
                reply = None
        with self._lock:
            self._seen.append(Seen(request.method, request.path, reply.status if reply else 0))
        return reply

    def _handled(self, request: Request) -> Reply:
        try:
            return self.handle(request)
        except Exception as exc:  # noqa: BLE001 - a fault in a stand-in is an answer, not a dead thread
            _log.exception("%s failed on %s %s", type(self).__name__, request.method, request.path)
            return Reply(HTTP_BROKEN, f"{type(exc).__name__} in {type(self).__name__}")

    def _take_fault(self, request: Request) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.when(request):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                    return fault
        return None


class _Server(ThreadingHTTPServer):
    """The standard library's server, with TLS handshakes on the connection's thread and a clean end."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: LoopbackServer, tls: ssl.SSLContext | None) -> None:
        self.owner = owner
        self._tls = tls
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = super().get_request()
        if self._tls is not None:
            # With handshakes in the accepting thread, one slow client would stop all others.
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Close the keep-alive connections of clients."""
        for connection in tuple(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client has closed it already

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the base class's shape
        _log.debug("connection from %s ended", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # Without these two, each reply is two small packets and waits 40 ms for a delayed acknowledgement.
    wbufsize = 65536
    disable_nagle_algorithm = True

    def handle(self) -> None:
        try:
            super().handle()
        except _QUIET:
            _log.debug("the client went away", exc_info=True)

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._read_body(),
        )
        reply = self.server.owner.answer(request)
        if reply is None:
            self.close_connection = True
            return
        body, content_type = reply.encoded()
        headers = {"Content-Type": content_type} | dict(reply.headers)
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _answer  # noqa: N815 - the base class looks them up by these names

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Log nothing: request lines may carry keys in their query."""
