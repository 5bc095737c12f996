"""The base of the stand-ins: whole requests, keep-alive, a clean stop."""

import http.client
import logging
import socket
from collections.abc import Iterator

import pytest
import requests

from local.stand_ins.certificates import Certificates, make_certificates
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request


class Echo(LoopbackServer):
    """Answers with the request."""

    def handle(self, request: Request) -> Reply:
        """Answer with the request's parts; the path `/broken` raises."""
        if request.path == "/broken":
            raise RuntimeError("broken on purpose")
        return Reply(
            201, {"method": request.method, "query": dict(request.query), "body": request.body.decode()}
        )


@pytest.fixture
def echo() -> Iterator[Echo]:
    """A running server."""
    with Echo() as server:
        yield server


def test_it_listens_on_loopback_alone(echo: Echo) -> None:
    """The address is 127.0.0.1 with a port of its own."""
    assert echo.url == f"http://127.0.0.1:{echo.port}"


def test_requests_are_read_whole(echo: Echo) -> None:
    """Query, body and method reach the handler, with and without a Content-Length."""
    for body in (b"plain", iter([b"pl", b"ain"])):
        answer = requests.put(f"{echo.url}/a?x=1&y=", data=body, timeout=10)
        assert answer.status_code == 201
        assert answer.json() == {"method": "PUT", "query": {"x": "1", "y": ""}, "body": "plain"}


def test_a_head_has_no_body(echo: Echo) -> None:
    """HEAD is answered with the length alone, and the connection stays usable."""
    with requests.Session() as session:
        head = session.head(echo.url, timeout=10)
        assert (head.content, int(head.headers["Content-Length"]) > 0) == (b"", True)
        assert session.get(echo.url, timeout=10).ok


def test_a_stand_in_that_breaks_answers_500(echo: Echo, caplog: pytest.LogCaptureFixture) -> None:
    """An error in a handler is logged and answered, and the server goes on."""
    assert requests.get(f"{echo.url}/broken", timeout=10).status_code == 500
    assert "RuntimeError: broken on purpose" in caplog.text
    assert requests.get(echo.url, timeout=10).ok


def test_an_unimplemented_stand_in_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """Without a `handle` every request is a 500."""
    with LoopbackServer() as server:
        assert requests.get(server.url, timeout=10).status_code == 500
    assert "NotImplementedError" in caplog.text


def test_a_fault_may_only_be_late(echo: Echo) -> None:
    """A delay does not change the reply; a fault with a condition does not affect other paths."""
    echo.inject(delay=0.05, when=lambda request: request.path == "/late")
    echo.inject(418, when=lambda request: request.path == "/teapot")
    statuses = [requests.get(echo.url + path, timeout=10).status_code for path in ("/late", "/", "/teapot")]
    assert statuses == [201, 201, 418]


def test_stopping_closes_what_clients_hold_open() -> None:
    """`stop` closes keep-alive connections, and may be called twice."""
    server = Echo().start()
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    client.request("GET", "/")
    client.getresponse().read()
    server.stop()
    server.stop()
    assert client.sock is not None
    assert client.sock.recv(1) == b""
    client.close()


def test_a_client_that_does_not_speak_tls_hurts_nobody(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """Invalid bytes on a TLS port end only that connection."""
    caplog.set_level(logging.WARNING)
    certificates: Certificates = make_certificates(tmp_path_factory.mktemp("tls"))
    with Echo(tls=certificates.server_context()) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as rude:
            rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert rude.recv(100) is not None
        assert requests.get(server.url, verify=str(certificates.authority), timeout=10).ok
    assert caplog.records == []


def test_malformed_requests_end_their_connection(echo: Echo) -> None:
    """A length that is not a number closes the connection, and the server continues."""
    with socket.create_connection(("127.0.0.1", echo.port), timeout=10) as rude:
        rude.sendall(b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n")
        assert rude.recv(100) == b""
    assert requests.get(echo.url, timeout=10).ok
