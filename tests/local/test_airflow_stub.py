import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import jwt
import pytest

from local.processes import programs
from local.stand_ins.airflow_stub import AirflowStub
from shared.values.json_text import JsonObject
from tests.support.paths import ROOT

RUNS = "/api/v2/dags/smoke_tests/dagRuns"


@pytest.fixture
def stub() -> Iterator[AirflowStub]:
    """A running stub."""
    with AirflowStub() as stub:
        yield stub


def ask(url: str, method: str, path: str, body: object = None, token: str = "any") -> tuple[int, JsonObject]:
    """Send one request and return status and body."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    raw = body if isinstance(body, str) else json.dumps(body)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request(method, path, None if body is None else raw, headers)
    answer = connection.getresponse()
    decoded: JsonObject = json.loads(answer.read())
    connection.close()
    return answer.status, decoded


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"dag_run_id": "r", "logical_date": None}, 200, "queued"),
        ({"dag_run_id": "r"}, 422, "Field required"),
        ({"dag_run_id": "r", "logical_date": None, "state": "queued"}, 422, "Extra inputs"),
        ({"dag_run_id": "r", "logical_date": None, "conf": []}, 422, "valid dictionary"),
        ([], 422, "valid dictionary"),
        ("{", 422, "JSON decode error"),
        ({"dag_run_id": "a b", "logical_date": None}, 400, "regex"),
        ({"dag_run_id": "a..b", "logical_date": None}, 400, "regex"),
        ({"dag_run_id": "scheduled__1", "logical_date": None}, 400, "regex"),
        ({"logical_date": None}, 200, "manual__"),
    ],
)
def test_bodies_are_judged_as_airflow_does(stub: AirflowStub, body: object, status: int, says: str) -> None:
    """The stub refuses what a real Airflow refuses, with the same status."""
    answered, told = ask(stub.url, "POST", RUNS, body)
    assert answered == status
    assert says in json.dumps(told)


def test_a_login_gives_a_token_like_airflows(stub: AirflowStub) -> None:
    """The right password gives 201 and a JWT that is valid for a day; everything else is refused."""
    good = {"username": "updraft", "password": "made-up-password"}
    status, body = ask(stub.url, "POST", "/auth/token", good, token="")
    claims = jwt.decode(str(body["access_token"]), options={"verify_signature": False})
    assert (status, claims["exp"] - claims["iat"]) == (201, 86_400)
    assert ask(stub.url, "POST", "/auth/token", good | {"password": "no"})[0] == 401
    assert ask(stub.url, "POST", "/auth/token", "{")[0] == 422


def test_what_needs_no_token(stub: AirflowStub) -> None:
    """Version and health need no token; DAGs do."""
    assert ask(stub.url, "GET", "/api/v2/version", token="")[0] == 200
    assert ask(stub.url, "GET", "/api/v2/monitor/health", token="")[0] == 200
    assert ask(stub.url, "GET", "/api/v2/dags/smoke_tests", token="") == (
        401,
        {"detail": "Not authenticated"},
    )


def test_dags_and_other_paths(stub: AirflowStub) -> None:
    """A DAG has its paused state; unknown DAGs and paths are answered as in Airflow."""
    stub.paused.add("smoke_tests")
    assert ask(stub.url, "GET", "/api/v2/dags/smoke_tests")[1]["is_paused"] is True
    assert ask(stub.url, "GET", "/api/v2/dags/other")[0] == 404
    assert ask(stub.url, "PUT", RUNS)[0] == 405
    assert ask(stub.url, "POST", "/api/v1/dags/smoke_tests/dagRuns", {})[0] == 405
    assert "has been removed" in str(ask(stub.url, "GET", "/api/v1/dags")[1]["error"])


def test_the_peak_is_counted(stub: AirflowStub) -> None:
    """The stub counts the most requests in flight."""
    stub.latency = 0.2
    threads = [
        threading.Thread(target=ask, args=(stub.url, "GET", "/api/v2/dags/smoke_tests")) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stub.peak == 3


def test_it_runs_as_a_process_of_its_own() -> None:
    """Started as a program it prints its address, and has every DAG."""
    with programs.start(
        [sys.executable, "-m", "local.stand_ins.airflow_stub"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            path = "/api/v2/dags/any/dagRuns"
            assert ask(url, "POST", path, {"dag_run_id": "r", "logical_date": None})[0] == 200
        finally:
            process.terminate()
