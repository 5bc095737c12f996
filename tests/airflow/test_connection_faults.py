"""Why no answer came, in words: each fault is made on a real socket."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from local.stand_ins.certificates import Certificates
from shared.airflow.connection_faults import Seconds, fault_of
from shared.airflow.failure_table import classify
from shared.airflow.response import AirflowResponse
from shared.airflow.wire import Wire
from shared.rules import Connection
from shared.rules.model.auth_kinds import BearerAuth

type Serve = Callable[[socket.socket], None]


@contextmanager
def listening(serve: Serve) -> Iterator[int]:
    """Serve each connection to a port of loopback in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):  # the port is closed at the end
                while True:
                    client, _ = server.accept()
                    threading.Thread(target=one, args=(client,), daemon=True).start()

        def one(client: socket.socket) -> None:
            with client, suppress(OSError):
                serve(client)

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]


def asked(url: str, *, within: float = 5.0) -> AirflowResponse:
    """Return the end of one request to an address."""
    auth = BearerAuth(kind="bearer", token_secret="t")
    connection = Connection(name="main", url=url, auth=auth)
    return Wire(connection).send("GET", "/api/v2/version", None, {}, within)


def hang(client: socket.socket) -> None:
    """Read all that comes, and answer nothing."""
    while client.recv(65_536):
        pass


def close(client: socket.socket) -> None:
    """Read the request and close the connection."""
    client.recv(65_536)


def ftp(client: socket.socket) -> None:
    """Greet in another protocol."""
    client.recv(65_536)
    client.sendall(b"220 ready\r\n")


def plain(client: socket.socket) -> None:
    """Answer everything, a TLS handshake too, as an http server does."""
    client.recv(65_536)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def alert(client: socket.socket) -> None:
    """Refuse a TLS handshake by an alert: handshake failure (RFC 8446 section 6)."""
    client.recv(65_536)
    client.sendall(b"\x15\x03\x03\x00\x02\x02\x28")


@pytest.mark.parametrize(
    ("serve", "scheme", "code", "words"),
    [
        (hang, "http", "ReadTimeout", "127.0.0.1:{port} answers nothing within 0.3 s"),
        (close, "http", "ConnectionReset", "127.0.0.1:{port} closed the connection before it answered"),
        (ftp, "http", "NotHttp", "127.0.0.1:{port} does not speak http"),
        (plain, "https", "NotHttps", "127.0.0.1:{port} speaks http, not https"),
        (alert, "https", "TlsFailed", "the TLS handshake with 127.0.0.1:{port} failed: "),
        (close, "https", "TlsFailed", "the TLS handshake with 127.0.0.1:{port} failed: "),
        (hang, "https", "ConnectTimeout", "no connection to 127.0.0.1:{port} within 0.3 s"),
    ],
)
def test_a_fault_is_told_in_words(serve: Serve, scheme: str, code: str, words: str) -> None:
    """Each has a code and a sentence with the server's address; no name of a class is in it."""
    with listening(serve) as port:
        answer = asked(f"{scheme}://127.0.0.1:{port}", within=0.3)
    assert answer.fault == code, answer.error
    assert answer.error.startswith(words.format(port=port))
    assert not any(name in answer.error for name in ("Error", "HTTP", "Pool", "object at"))


def test_a_certificate_of_nobody(certificates: Certificates) -> None:
    """A server with an untrusted certificate and a server without TLS have different messages."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)

    def serve(client: socket.socket) -> None:
        with context.wrap_socket(client, server_side=True) as secured:
            hang(secured)

    with listening(serve) as port:
        answer = asked(f"https://127.0.0.1:{port}")
    assert answer.fault == "CertificateNotTrusted"
    assert answer.error.startswith(f"the TLS certificate of 127.0.0.1:{port} is not trusted: ")
    assert "certificate" in answer.error.rpartition(": ")[2]
    assert not answer.sent


def test_a_port_without_a_server() -> None:
    """The message names the refused connection: nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    answer = asked(f"http://127.0.0.1:{port}")
    assert answer.fault == "ConnectionRefused"
    assert answer.error == f"nothing listens at 127.0.0.1:{port}: the connection was refused"
    assert classify(answer).answer_class == "transient"


def test_a_name_that_nobody_knows() -> None:
    """The message about an unknown host has its name alone."""
    answer = asked("https://airflow.invalid:8443")
    assert (answer.fault, answer.error) == (
        "NameNotResolved",
        "the host name airflow.invalid is unknown (DNS)",
    )


def test_what_the_table_of_faults_does_not_have() -> None:
    """Another error keeps the words of the library, without the name of an object."""
    from urllib3.exceptions import HTTPError, NewConnectionError, ProxyError

    waited = Seconds(1, 1)
    unreachable = NewConnectionError(None, "made up")  # type: ignore[arg-type] # the message does not use the object
    unreachable.__cause__ = OSError(113, "No route to host")
    for exc, told in (
        (unreachable, ("ConnectionFailed", "no connection to a.example: No route to host")),
        (HTTPError("Pool(host='a'): odd"), ("ConnectionFailed", "the connection to a.example failed: odd")),
        (HTTPError(), ("ConnectionFailed", "the connection to a.example failed: no reason was given")),
        (
            ProxyError("no", OSError("gone")),
            ("ProxyFailed", "the proxy on the way to a.example cannot be used: "),
        ),
    ):
        found = fault_of(exc, "https://user@a.example/x", waited)
        assert found.code == told[0]
        assert found.words.startswith(told[1])
