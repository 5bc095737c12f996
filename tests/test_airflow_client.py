import importlib
import inspect
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from local.airflow_stub import AirflowStub
from local.certificates import make_certificates
from local.loopback_server import LoopbackServer, Reply, Request
from shared.airflow import BODY_LIMIT, AirflowClient
from shared.answer import Answer
from shared.errors import TokenUnavailable
from shared.slim_airflow_client import postpone
from shared.version import VERSION
from tests.delivery_parts import DAG, RUN_ID, Airflow, Tokens, run_request

ROOT = Path(__file__).parent.parent
LOADED = """
import json, sys
from shared.slim_airflow_client import slim_client
client = slim_client()
print(json.dumps(sorted(name for name in sys.modules if name.startswith("airflow_client"))))
"""
EXPECTED = {
    "airflow_client",
    "airflow_client.client",
    "airflow_client.client.api_client",
    "airflow_client.client.api_response",
    "airflow_client.client.configuration",
    "airflow_client.client.exceptions",
    "airflow_client.client.models",
    "airflow_client.client.models.trigger_dag_run_post_body",
    "airflow_client.client.rest",
}


def fresh(code: str) -> str:
    """Run code in an interpreter that has loaded nothing, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class TestSlimImport:
    """What the slim import relies on; a failure here says what an upgrade of apache-airflow-client moved."""

    def test_only_what_a_run_needs_is_loaded(self) -> None:
        """The official client loads 9 of its modules; more means that an upgrade imports others from them."""
        loaded = set(json.loads(fresh(LOADED)))
        assert loaded == EXPECTED, f"now loaded as well: {loaded - EXPECTED}; gone: {EXPECTED - loaded}"

    def test_our_modules_load_no_client(self) -> None:
        """Importing the modules that act loads neither the official client nor urllib3 nor Azure's."""
        code = (
            "import sys, shared.airflow, shared.relay, shared.parking, shared.dead_letters, shared.storage;"
            "print([n for n in sys.modules if n in ('urllib3', 'azure', 'airflow_client', 'pydantic')])"
        )
        assert fresh(code).strip() == "[]"

    def test_the_whole_client_can_be_imported_afterwards(self) -> None:
        """Whoever imports the whole client later finds all of it, with the very classes that are in use."""
        fresh(
            LOADED
            + """
import airflow_client.client, airflow_client.client.models as models
assert airflow_client.client.DagRunApi.__name__ == "DagRunApi"
assert airflow_client.client.ApiClient is client.ApiClient
assert models.TriggerDAGRunPostBody is client.TriggerDAGRunPostBody
assert models.DAGRunResponse.__name__ == "DAGRunResponse"
assert airflow_client.client.api.dag_api.DAGApi
from airflow_client.client import DAGApi, rest
assert slim_client().ApiClient is client.ApiClient
"""
        )

    def test_the_whole_client_may_have_been_imported_before(self) -> None:
        """Where the whole client is loaded already, its classes are used."""
        fresh(
            "import airflow_client.client\n"
            + LOADED
            + "assert airflow_client.client.ApiClient is client.ApiClient\n"
        )

    def test_a_submodule_is_found_by_attribute(self) -> None:
        """A submodule that was not imported yet is imported when it is asked for, without the rest."""
        fresh(
            LOADED
            + """
import airflow_client.client
assert airflow_client.client.models.dag_run_state.DagRunState
assert "airflow_client.client.models.dag_response" not in sys.modules
assert not hasattr(airflow_client.client, "no_such_name")
"""
        )

    def test_many_threads_may_come_first(self) -> None:
        """Threads that start at the same time get the same classes."""
        fresh(
            """
import threading
from shared.slim_airflow_client import slim_client
gate, found = threading.Barrier(8), []
def come():
    gate.wait()
    found.append(slim_client())
threads = [threading.Thread(target=come) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len({id(client.ApiClient) for client in found}) == 1 and len(found) == 8
"""
        )

    def test_a_postponed_package_runs_once_when_a_name_is_asked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Submodules are found without the package's `__init__`; any other name runs it, once."""
        package = tmp_path / "made_up_outer" / "made_up_inner"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("runs = globals().get('runs', 0) + 1\nname = 'value'\n")
        (package / "part.py").write_text("")
        (package / "other.py").write_text("")
        monkeypatch.syspath_prepend(str(tmp_path))
        postpone("made_up_outer.made_up_inner")
        postpone("made_up_outer.made_up_inner")
        inner = importlib.import_module("made_up_outer.made_up_inner")
        part = importlib.import_module("made_up_outer.made_up_inner.part")
        assert inner.other.__name__ == "made_up_outer.made_up_inner.other"
        assert "runs" not in vars(inner)
        assert (inner.part, inner.name, inner.runs) == (part, "value", 1)
        assert not hasattr(inner, "__made_up__")
        with pytest.raises(ModuleNotFoundError, match=r"made_up_outer\.missing is not installed"):
            postpone("made_up_outer.missing")

    def test_a_missing_client_is_named(self) -> None:
        """Without the package the error says what is not installed."""
        fresh(
            """
import sys
from shared.slim_airflow_client import slim_client
sys.modules["airflow_client"] = type(sys)("airflow_client")
sys.modules["airflow_client"].__path__ = []
try:
    slim_client()
except ModuleNotFoundError as exc:
    assert "airflow_client.client is not installed" in str(exc)
else:
    raise SystemExit("no error")
"""
        )

    def test_the_signatures_are_as_expected(self) -> None:
        """The calls that are made have the parameters that they are made with, and the same defaults."""
        from shared.slim_airflow_client import slim_client  # noqa: PLC0415 - the product loads it late, too

        slim = slim_client()
        serialize = inspect.signature(slim.ApiClient.param_serialize).parameters
        assert list(serialize)[:3] == ["self", "method", "resource_path"]
        assert {"header_params", "body"} <= set(serialize)
        call = list(inspect.signature(slim.ApiClient.call_api).parameters)
        assert call[:6] == ["self", "method", "url", "header_params", "body", "post_params"]
        assert "_request_timeout" in call
        configuration = inspect.signature(slim.Configuration.__init__).parameters
        assert {"host", "retries", "connection_pool_maxsize"} <= set(configuration)
        assert issubclass(slim.ApiException, Exception)

    def test_the_body_keeps_what_it_is_given(self) -> None:
        """A null logical date stays in the body as a key, and nulls stay in the conf."""
        from shared.slim_airflow_client import slim_client  # noqa: PLC0415 - as above

        body = slim_client().TriggerDAGRunPostBody(
            dag_run_id="r", conf={"a": None, "b": [None]}, note=None, logical_date=None, run_after=None
        )
        assert body.to_dict() == {"dag_run_id": "r", "conf": {"a": None, "b": [None]}, "logical_date": None}


class Recorder(AirflowStub):
    """A stub that keeps whole requests."""

    def __init__(self) -> None:
        super().__init__((DAG,))
        self.requests: list[Request] = []
        self.peers: set[str] = set()

    def answer(self, request: Request) -> Reply | None:
        """Keep the request and answer it."""
        self.requests.append(request)
        return super().answer(request)


@pytest.fixture
def stub() -> Iterator[Recorder]:
    """A running stub."""
    with Recorder() as stub:
        yield stub


def client(stub: LoopbackServer, tokens: Tokens | None = None, **settings: float) -> AirflowClient:
    """Return a client for a stand-in."""
    return AirflowClient(Airflow(stub.url, **settings), tokens or Tokens())  # type: ignore[arg-type] # by name


class TestRequests:
    """What is sent."""

    def test_a_run_is_asked_for_as_api_v2_wants_it(self, stub: Recorder) -> None:
        """The body has the run id, conf, note and a null logical date, and nothing that is not set."""
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
        assert body["logical_date"] == "2026-11-01T00:00:00+00:00"
        assert body["run_after"] == "2026-11-01T01:00:00+02:00"

    def test_ids_are_quoted_into_the_path(self, stub: Recorder) -> None:
        """No DAG id or run id reaches another path than its own."""
        airflow = client(stub)
        airflow.get_run("a/../b?c#d", "scheduled__2026-11-01T00:00:00+00:00")
        airflow.get_dag("..")
        airflow.get_dag("übung %2F")
        paths = [request.path for request in stub.requests]
        run_path = "/api/v2/dags/a%2F..%2Fb%3Fc%23d/dagRuns/scheduled__2026-11-01T00%3A00%3A00%2B00%3A00"
        assert paths == [run_path, "/api/v2/dags/%2E%2E", "/api/v2/dags/%C3%BCbung%20%252F"]

    def test_a_path_before_the_api_is_kept(self, stub: Recorder) -> None:
        """An Airflow behind a path prefix is asked under it."""
        AirflowClient(Airflow(stub.url + "/team/"), Tokens()).get_dag(DAG)
        assert stub.requests[0].path == f"/team/api/v2/dags/{DAG}"

    def test_what_is_not_a_run_is_not_sent(self, stub: Recorder) -> None:
        """A date that is none, and a number that JSON does not know, are told without a request."""
        airflow = client(stub)
        date = airflow.start_run(run_request(logical_date="next tuesday"))
        ratio = airflow.start_run(run_request(conf={"a": [float("nan")]}))
        assert "logical_date" in date.unsendable
        assert "conf.a[0]" in ratio.unsendable
        assert (date.sent, ratio.sent, stub.requests) == (False, False, [])

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
        """Where there is no other token to be had, the request is not repeated."""
        stub.expired.add("first")
        tokens = Tokens()
        tokens.renew = lambda refused: refused  # type: ignore[method-assign] # a source with one token
        assert client(stub, tokens).start_run(run_request()).status == 401
        assert len(stub.requests) == 1

    def test_a_missing_role_asks_for_no_token(self, stub: Recorder) -> None:
        """403 Forbidden is not the token's fault."""
        stub.forbidden.add(DAG)
        tokens = Tokens()
        assert client(stub, tokens).start_run(run_request()).status == 403
        assert tokens.renewals == []

    def test_no_token_no_request(self, stub: Recorder) -> None:
        """A token source's error reaches the caller, and nothing is sent."""
        tokens = Tokens()
        tokens.error = TokenUnavailable("no")
        with pytest.raises(TokenUnavailable):
            client(stub, tokens).start_run(run_request())
        assert stub.requests == []

    def test_a_token_that_is_no_header_is_never_shown(self, stub: Recorder) -> None:
        """A token with a line break is told without the token."""
        answer = client(stub, Tokens("Bearer made-up\r\nX: y")).start_run(run_request())
        assert not answer.sent
        assert "made-up" not in answer.error
        assert stub.requests == []


class Raw:
    """A server that reads one request and then writes the given bytes, slowly where asked to, and closes."""

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
            connection.recv(65_536)
            try:
                for piece in self._pieces:
                    connection.sendall(piece)
                    time.sleep(self._pause)
            except OSError:
                return  # the client has given up, as it should
            if self._reset:
                linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def ask(url: str, *, within: float | None = None) -> Answer:
    """Ask for a run with short time-outs."""
    airflow = AirflowClient(Airflow(url, connect_timeout=0.5, read_timeout=0.5), Tokens())
    return airflow.start_run(run_request(), within=within)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class TestAnswers:
    """How whatever comes back, or does not, becomes an Answer."""

    def test_a_redirect_is_an_answer(self, stub: Recorder) -> None:
        """A redirect is not followed, not even to ourselves, and only its host is kept."""
        stub.inject(302, headers={"Location": f"{stub.url}/login?state=made-up"}, times=9)
        answer = client(stub).start_run(run_request())
        assert (answer.status, answer.location) == (302, "http://127.0.0.1")
        assert len(stub.requests) == 1

    def test_nothing_is_repeated_by_the_library(self, stub: Recorder) -> None:
        """503 with Retry-After, and a connection that breaks, are one request each."""
        stub.inject(503, retry_after=1)
        assert client(stub).start_run(run_request()).retry_after == 1
        stub.inject(0)
        assert client(stub).get_dag(DAG).status is None
        assert len(stub.requests) == 2

    def test_nobody_listens(self, stub: Recorder) -> None:
        """A refused connection is certain not to have sent anything."""
        stub.stop()
        answer = ask(stub.url)
        assert (answer.sent, answer.status) == (False, None)
        assert "refused" in answer.error

    def test_a_name_that_does_not_resolve(self) -> None:
        """An unknown host is certain not to have got anything."""
        answer = ask("http://airflow.invalid")
        assert not answer.sent
        assert "airflow.invalid" in answer.error

    def test_a_certificate_that_is_not_trusted(self, tmp_path: Path) -> None:
        """A certificate that nobody vouches for ends the matter before anything is sent."""
        certificates = make_certificates(tmp_path)
        with LoopbackServer(tls=certificates.server_context()) as server:
            answer = ask(server.url)
        assert not answer.sent
        assert "CERTIFICATE_VERIFY_FAILED" in answer.error

    def test_a_server_without_tls(self, stub: Recorder) -> None:
        """Where TLS cannot be spoken the answer is not taken for one."""
        answer = ask(stub.url.replace("http:", "https:"))
        assert (answer.status, stub.requests) == (None, [])
        assert answer.error

    def test_an_answer_that_comes_too_late(self, stub: Recorder) -> None:
        """A request without an answer in time may have been carried out."""
        stub.inject(200, delay=1.5)
        answer = ask(stub.url, within=0.2)
        assert (answer.sent, answer.status) == (True, None)
        assert 0.1 < answer.seconds < 1.4

    def test_silence_after_connecting(self) -> None:
        """A server that accepts and says nothing is given up after the read time-out."""
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
        """Wherever after the request a connection breaks, the request may have been carried out."""
        with Raw(*pieces, reset=reset) as server:
            answer = ask(server.url)
        assert answer.sent
        assert answer.error

    def test_an_answer_that_trickles(self) -> None:
        """A server that sends a byte at a time does not hold us longer than the time-outs."""
        with Raw(HEAD % 100, *[b" "] * 60, pause=0.1) as server:
            answer = ask(server.url)
        assert answer.error == "the answer did not end in time"
        assert answer.seconds < 4

    def test_an_endless_answer(self) -> None:
        """An answer is read up to a bound and not kept."""
        with Raw(HEAD % (4 * BODY_LIMIT), b" " * (2 * BODY_LIMIT)) as server:
            answer = ask(server.url)
        assert "larger than" in answer.error
        assert (answer.body, answer.text) == (None, "")

    @pytest.mark.parametrize(
        "body", [b"[1]", b"null", b"", b"\xff\xfe", b"[" * 100_000, b"<html>\n <b>Sign in"]
    )
    def test_what_is_not_a_json_object_is_text(self, body: bytes) -> None:
        """Whatever a body is, it becomes an object or the beginning of a text on one line."""
        with Raw(HEAD % len(body), body) as server:
            answer = ask(server.url)
        assert (answer.status, answer.body, answer.error) == (200, None, "")
        assert "\n" not in answer.text
        assert len(answer.text) <= 600

    def test_another_run_is_noticed(self, stub: Recorder) -> None:
        """A body that does not name the run that was asked for is marked; errors are not."""
        stub.inject(200, {"dag_run_id": "other"})
        stub.inject(200, {"hello": "world"})
        airflow = client(stub)
        assert airflow.start_run(run_request()).other_run
        assert airflow.get_run(DAG, RUN_ID).other_run
        assert not airflow.get_run(DAG, RUN_ID).other_run
        assert not airflow.get_dag(DAG).other_run
