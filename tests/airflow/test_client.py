import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import pytest

from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.certificates import make_certificates
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request
from shared.airflow.client import AirflowClient
from shared.airflow.failure_table import classify
from shared.airflow.response import AirflowResponse
from shared.airflow.wire import BODY_LIMIT
from shared.errors import TokenUnavailable
from shared.version import VERSION
from tests.support.airflow_answers import run_of
from tests.support.delivery import DAG, RUN_ID, Tokens, client_for, client_of, connection_to, run_request


class Recorder(AirflowStub):
    """A stub that stores whole requests."""

    def __init__(self) -> None:
        super().__init__((DAG,))
        self.requests: list[Request] = []
        self.peers: set[str] = set()

    def answer(self, request: Request) -> Reply | None:
        """Store the request and answer it."""
        self.requests.append(request)
        return super().answer(request)


@pytest.fixture
def stub() -> Iterator[Recorder]:
    """A running stub."""
    with Recorder() as stub:
        yield stub


def client(stub: LoopbackServer, tokens: Tokens | None = None, **settings: object) -> AirflowClient:
    """Return a client for a stand-in."""
    return client_for(connection_to(stub.url, **settings), tokens or Tokens())


class TestRequests:
    """The requests."""

    def test_a_run_is_asked_for_as_api_v2_wants_it(self, stub: Recorder) -> None:
        """The body has the run id, conf, note and a null logical date, and no unset member."""
        answer = client(stub).start_run(run_request())
        sent = stub.requests[0]
        assert (sent.method, sent.path) == ("POST", f"/api/v2/dags/{DAG}/dagRuns")
        assert sent.json() == {
            "dag_run_id": RUN_ID,
            "conf": run_request().conf,
            "note": run_request().note,
            "logical_date": None,
        }
        assert sent.headers["authorization"] == "Bearer first"
        assert sent.headers["content-type"] == "application/json"
        assert sent.headers["user-agent"] == f"updraft/{VERSION}"
        assert answer.status == 200
        assert answer.body is not None

    def test_dates_are_sent(self, stub: Recorder) -> None:
        """A logical date and a start time arrive as RFC 3339."""
        client(stub).start_run(
            run_request(logical_date="2026-11-01T00:00:00Z", run_after="2026-11-01T01:00:00+02:00")
        )
        body = stub.requests[0].json()
        assert isinstance(body, dict)
        assert body["logical_date"] == "2026-11-01T00:00:00Z"
        assert body["run_after"] == "2026-11-01T01:00:00+02:00"

    def test_ids_are_quoted_into_the_path(self, stub: Recorder) -> None:
        """No DAG id or run id can change the path."""
        airflow = client(stub)
        airflow.get_run("a/../b?c#d", "scheduled__2026-11-01T00:00:00+00:00")
        airflow.get_dag("..")
        airflow.get_dag("übung %2F")
        paths = [request.path for request in stub.requests if request.path != "/api/v2/version"]
        run_path = "/api/v2/dags/a%2F..%2Fb%3Fc%23d/dagRuns/scheduled__2026-11-01T00%3A00%3A00%2B00%3A00"
        assert paths == [run_path, "/api/v2/dags/%2E%2E", "/api/v2/dags/%C3%BCbung%20%252F"]

    def test_a_path_before_the_api_is_kept(self, stub: Recorder) -> None:
        """An Airflow with a path prefix gets requests below it."""
        client_of(stub.url + "/team/").get_dag(DAG)
        assert stub.requests[0].path == f"/team/api/v2/dags/{DAG}"

    def test_what_is_not_a_run_is_not_sent(self, stub: Recorder) -> None:
        """A request that the client's model refuses gives a response without a request."""
        airflow = client(stub)
        date = airflow.start_run(run_request(logical_date="next tuesday"))
        assert "logical_date" in date.invalid
        assert (date.sent, stub.requests) == (False, [])

    def test_connections_are_used_again(self, stub: Recorder) -> None:
        """Many requests, good and bad, go over one connection."""
        airflow = client(stub)
        accepted = count_connections(stub)
        for number in range(5):
            airflow.start_run(run_request(dag_run_id=f"r{number}"))
            airflow.start_run(run_request(dag_id="not_there"))
            airflow.get_dag(DAG)
        assert len(accepted) == 1


def count_connections(stub: LoopbackServer) -> list[object]:
    """Return a list that grows with each connection that the stub accepts."""
    accepted: list[object] = []
    accept = stub._server.get_request

    def counted() -> tuple[socket.socket, object]:
        accepted.append(None)
        return accept()

    stub._server.get_request = counted  # type: ignore[method-assign,assignment] # only connections are counted
    return accepted


class TestTokens:
    """How a token that Airflow calls stale is renewed."""

    @pytest.mark.parametrize("expired", [True, False])
    def test_a_stale_token_is_renewed_once(self, stub: Recorder, *, expired: bool) -> None:
        """An expired or an invalid token is renewed once, and the request sent again."""
        if expired:
            stub.expired.add("first")
        else:
            stub.tokens = {"renewed-1"}
        tokens = Tokens()
        assert client(stub, tokens).start_run(run_request()).status == 200
        assert tokens.renewals == ["Bearer first"]

    def test_a_second_refusal_is_the_answer(self, stub: Recorder) -> None:
        """A new token that is refused as well ends the matter."""
        stub.tokens = set()
        tokens = Tokens()
        assert client(stub, tokens).start_run(run_request()).status == 403
        assert (len(tokens.renewals), len(stub.requests)) == (1, 2)

    def test_the_same_token_is_not_sent_twice(self, stub: Recorder) -> None:
        """Without another token, the request is not repeated."""
        stub.expired.add("first")
        tokens = Tokens()
        tokens.renew = lambda refused: refused  # type: ignore[method-assign] # a source with one token
        assert client(stub, tokens).start_run(run_request()).status == 401
        assert len(stub.requests) == 1

    def test_a_missing_role_asks_for_no_token(self, stub: Recorder) -> None:
        """403 Forbidden does not renew the token."""
        stub.forbidden.add(DAG)
        tokens = Tokens()
        assert client(stub, tokens).start_run(run_request()).status == 403
        assert tokens.renewals == []

    def test_the_first_to_ask_tells_how_long_the_token_took(self, stub: Recorder) -> None:
        """The time to get the token is in the response, also if the version is asked for first."""

        class Slow(Tokens):
            def headers(self) -> Mapping[str, str]:
                if not stub.requests:
                    time.sleep(0.05)
                return super().headers()

        airflow = client_of(stub.url, Slow(), api="auto")
        first, second = airflow.get_dag(DAG), airflow.get_dag(DAG)
        assert (first.status, second.status) == (200, 200)
        assert second.token_seconds < 0.05 <= first.token_seconds

    def test_no_token_no_request(self, stub: Recorder) -> None:
        """A token source's error reaches the caller, and nothing is sent."""
        tokens = Tokens()
        tokens.error = TokenUnavailable("no")
        with pytest.raises(TokenUnavailable):
            client(stub, tokens).start_run(run_request())
        assert stub.requests == []

    def test_a_token_that_is_no_header_is_never_shown(self, stub: Recorder) -> None:
        """The error for a token with a line break does not show the token."""
        answer = client(stub, Tokens("Bearer made-up\r\nX: y")).start_run(run_request())
        assert not answer.sent
        assert "made-up" not in answer.error
        assert stub.requests == []


class Raw:
    """A server that reads one request, writes the given bytes, also slowly, and closes."""

    def __init__(self, *pieces: bytes, pause: float = 0.0, reset: bool = False) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._pieces = pieces
        self._pause = pause
        self._reset = reset
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            self._read_request(connection)
            try:
                for piece in self._pieces:
                    connection.sendall(piece)
                    time.sleep(self._pause)
            except OSError:
                return  # the client has closed the connection, as expected
            if self._reset:
                linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    @staticmethod
    def _read_request(connection: socket.socket) -> None:
        """Read head and body: closing with bytes unread would reset the connection under the answer."""
        with connection.makefile("rb", buffering=0) as stream:
            length = 0
            while (line := stream.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            while length > 0:
                length -= len(stream.read(length) or b" " * length)


class Greeter(Raw):
    """A server that answers before a request."""

    @staticmethod
    def _read_request(connection: socket.socket) -> None:
        connection.recv(4_096)


def ask(url: str, *, timeout: float = 0.5, within: float | None = None) -> AirflowResponse:
    """Request a run, with short time-outs for tests that wait for one."""
    airflow = client_of(url, connect_timeout=timeout, read_timeout=timeout)
    return airflow.start_run(run_request(), within=within)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class TestAnswers:
    """Every response, and every missing one, becomes an `AirflowResponse`."""

    def test_a_redirect_is_an_answer(self, stub: Recorder) -> None:
        """A redirect is not followed, also not to the same server, and only its host is stored."""
        stub.inject(302, headers={"Location": f"{stub.url}/login?state=made-up"}, times=9)
        answer = client(stub).start_run(run_request())
        assert (answer.status, answer.location) == (302, "http://127.0.0.1")
        assert len(stub.requests) == 1

    @pytest.mark.parametrize(
        "location", ["https://[", "https://[::1", "https://[x]/", "//", "x", "https://a:b@/"]
    )
    def test_a_redirect_to_nowhere_was_sent_all_the_same(self, stub: Recorder, location: str) -> None:
        """A redirect to an invalid address leaves the request as sent."""
        stub.inject(302, headers={"Location": location}, times=9)
        answer = client(stub).start_run(run_request())
        assert (answer.sent, answer.location) == (True, "")
        assert answer.status == 302 or answer.error == "the response is a redirect to an invalid address"

    def test_nothing_is_repeated_by_the_library(self, stub: Recorder) -> None:
        """503 with Retry-After, and a connection that breaks, are one request each."""
        stub.inject(503, retry_after=1)
        assert client(stub).start_run(run_request()).retry_after == 1
        stub.inject(0)
        assert client(stub).get_dag(DAG).status is None
        assert len(stub.requests) == 2

    def test_nobody_listens(self, stub: Recorder) -> None:
        """After a refused connection the request counts as not sent."""
        stub.stop()
        answer = ask(stub.url)
        assert (answer.sent, answer.status) == (False, None)
        assert "refused" in answer.error

    def test_a_name_that_does_not_resolve(self) -> None:
        """With an unknown host the request counts as not sent."""
        answer = ask("https://airflow.invalid")
        assert not answer.sent
        assert "airflow.invalid" in answer.error

    def test_a_certificate_that_is_not_trusted(self, tmp_path: Path) -> None:
        """With an untrusted certificate nothing is sent."""
        certificates = make_certificates(tmp_path)
        with LoopbackServer(tls=certificates.server_context()) as server:
            answer = ask(server.url, timeout=20)
        assert not answer.sent
        assert answer.fault == "CertificateNotTrusted"

    def test_a_server_without_tls(self, stub: Recorder) -> None:
        """Without TLS nothing was sent."""
        answer = ask(stub.url.replace("http:", "https:"), timeout=20)
        assert (answer.status, answer.sent, stub.requests) == (None, False, [])
        assert answer.fault == "NotHttps"

    @pytest.mark.parametrize(
        "greeting",
        [
            b"",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"\x15\x03\x01\x00\x02\x02\x28",  # alert: handshake failure
            b"\x15\x03\x01\x00\x02\x02\x46",  # alert: protocol version
            b"\x15\x03\x01\x00\x02\x02\x70",  # alert: unrecognized name
            b"SSH-2.0-OpenSSH_9.6\r\n",
        ],
    )
    @pytest.mark.parametrize("reset", [True, False])
    def test_a_handshake_that_fails(self, greeting: bytes, *, reset: bool) -> None:
        """After any failure of the handshake the request counts as not sent."""
        with Greeter(greeting, reset=reset) as server:
            answer = ask(server.url.replace("http:", "https:"), timeout=5)
        assert (answer.status, answer.sent) == (None, False)
        assert classify(answer).name == "ConnectionFailed"

    def test_a_handshake_that_does_not_end(self) -> None:
        """A server that does not answer the handshake got no request."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            answer = ask(f"https://127.0.0.1:{silent.getsockname()[1]}")
        assert (answer.status, answer.sent) == (None, False)

    def test_a_connection_that_breaks_under_tls(self, tmp_path: Path) -> None:
        """After the handshake a broken connection leaves the request in doubt."""
        certificates = make_certificates(tmp_path)
        with (
            LoopbackServer(tls=certificates.server_context()) as server,
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setenv("SSL_CERT_FILE", str(certificates.authority))
            server.inject(0)
            answer = ask(server.url, timeout=20)
        assert (answer.status, answer.sent) == (None, True)

    def test_an_answer_that_comes_too_late(self, stub: Recorder) -> None:
        """A request without an answer in time may have been carried out."""
        stub.inject(200, delay=1.5)
        answer = ask(stub.url, within=0.2)
        assert (answer.sent, answer.status) == (True, None)
        assert 0.1 < answer.seconds < 1.4

    def test_silence_after_connecting(self) -> None:
        """A request to a server that does not answer ends after the read time-out."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            answer = ask(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert (answer.sent, answer.status) == (True, None)

    @pytest.mark.parametrize(
        "pieces",
        [(), (b"HTTP/1.1 20",), (HEAD % 50, b'{"dag_run'), (b"not http at all\r\n\r\n",)],
        ids=["no answer", "half a head", "half a body", "no HTTP"],
    )
    @pytest.mark.parametrize("reset", [True, False])
    def test_a_connection_that_breaks(self, pieces: tuple[bytes, ...], *, reset: bool) -> None:
        """If a connection breaks anywhere after the request, the request is in doubt."""
        with Raw(*pieces, reset=reset) as server:
            answer = ask(server.url, timeout=20)
        assert answer.sent
        assert answer.error

    def test_an_answer_that_trickles(self) -> None:
        """A response that arrives byte by byte ends within the time-outs."""
        with Raw(HEAD % 100, *[b" "] * 60, pause=0.1) as server:
            answer = ask(server.url)
        assert answer.error == "the response did not end in time"
        assert answer.seconds < 4

    def test_an_endless_answer(self) -> None:
        """A response is read up to a limit and not stored."""
        with Raw(HEAD % (4 * BODY_LIMIT), b" " * (2 * BODY_LIMIT)) as server:
            answer = ask(server.url, timeout=20)
        assert "larger than" in answer.error
        assert (answer.body, answer.text) == (None, "")

    @pytest.mark.parametrize(
        "body", [b"[1]", b"null", b"", b"\xff\xfe", b"[" * 100_000, b"<html>\n <b>Sign in"]
    )
    def test_what_is_not_a_json_object_is_text(self, body: bytes) -> None:
        """Any body becomes an object or the beginning of a text on one line."""
        with Raw(HEAD % len(body), body) as server:
            answer = ask(server.url, timeout=20)
        assert (answer.status, answer.body, answer.error) == (200, None, "")
        assert "\n" not in answer.text
        assert len(answer.text) <= 600

    def test_another_run_is_noticed(self, stub: Recorder) -> None:
        """A body without the requested run is not a started run."""
        airflow = client(stub)
        assert classify(airflow.start_run(run_request())).name == "Started"
        stub.inject(200, run_of(run_id="other"))
        assert classify(airflow.start_run(run_request())).name == "UnexpectedResponse"
        stub.inject(200, run_of(run_id="other"))
        assert classify(airflow.get_run(DAG, RUN_ID)).name == "UnexpectedResponse"
        assert classify(airflow.get_run(DAG, RUN_ID)).name == "Answered"
        assert classify(airflow.get_dag(DAG)).name == "Answered"
