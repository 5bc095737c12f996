"""Airflow's API v1, and the question for the version, against loopback servers."""

from collections.abc import Iterator

import pytest

from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request
from shared.airflow.client import AirflowClient
from shared.airflow.failure_table import AnswerClass, classify
from tests.support.airflow_answers import date_taken, id_taken, problem, run_of
from tests.support.delivery import DAG, RUN_ID, client_of, run_request


class OldAirflow(LoopbackServer):
    """An Airflow 2 for these tests, with the responses of a real 2.11."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[object] = []
        self.taken: list[Reply] = []

    def handle(self, request: Request) -> Reply:
        """Start, show, or refuse."""
        if request.path == "/api/v1/version":
            return Reply(200, {"version": "2.11.0", "git_version": None})
        if not request.path.startswith(f"/api/v1/dags/{DAG}"):
            return Reply(404, "<html>Airflow 404 = lots of circles</html>")
        if request.method == "GET":
            run_id = request.path.partition("/dagRuns/")[2]
            return Reply(200, run_of(run_id=run_id) if run_id else {"dag_id": DAG, "is_paused": False})
        body = request.json()
        assert isinstance(body, dict)
        self.bodies.append(body)
        if self.taken:
            return self.taken.pop()
        if "updraft_doctor" in body:
            return problem(400, "{'updraft_doctor': ['Unknown field.']}")
        return Reply(200, run_of() | body)


@pytest.fixture
def old() -> Iterator[OldAirflow]:
    """A running Airflow 2."""
    with OldAirflow() as old:
        yield old


def client(server: LoopbackServer) -> AirflowClient:
    """Return a client for v1."""
    return client_of(server.url, api="v1")


def test_a_run_is_asked_for_as_api_v1_wants_it(old: OldAirflow) -> None:
    """Without a logical date the key is left out, since null is refused; with one it is sent."""
    request = run_request()
    assert client(old).start_run(request).status == 200
    dated = run_request(logical_date="2026-11-01T00:00:00Z", note=None)
    assert client(old).start_run(dated, within=5).status == 200
    assert old.bodies == [
        {"dag_run_id": RUN_ID, "conf": request.conf, "note": request.note},
        {"dag_run_id": RUN_ID, "conf": dated.conf, "logical_date": "2026-11-01T00:00:00Z"},
    ]


def test_a_taken_run_id_is_a_conflict(old: OldAirflow) -> None:
    """409 for the run id is returned at once."""
    old.taken = [id_taken()]
    answer = client(old).start_run(run_request())
    assert classify(answer).answer_class is AnswerClass.CONFLICT
    assert len(old.bodies) == 1


def test_a_taken_moment_is_another_runs(old: OldAirflow) -> None:
    """409 for the date that Airflow chose is not our run: the request is sent again."""
    old.taken = [date_taken()]
    assert client(old).start_run(run_request()).status == 200
    assert len(old.bodies) == 2


def test_moments_are_not_taken_for_ever(old: OldAirflow) -> None:
    """After several such 409 the client stops; nothing was started."""
    old.taken = [date_taken()] * 9
    answer = client(old).start_run(run_request(), within=5)
    assert classify(answer).answer_class is AnswerClass.TRANSIENT
    assert len(old.bodies) == 3


def test_a_taken_date_of_our_own_is_a_conflict(old: OldAirflow) -> None:
    """With a logical date in the rule, 409 for the date is returned to the relay."""
    old.taken = [date_taken()]
    answer = client(old).start_run(run_request(logical_date="2026-11-01T00:00:00Z"))
    assert classify(answer).answer_class is AnswerClass.CONFLICT


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dag_run_id": "a b"}, "run id"),
        ({"dag_run_id": "a" * 251}, "run id"),
        ({"run_after": "2026-11-01T00:00:00Z"}, "run_after"),
        ({"logical_date": "next tuesday"}, "next tuesday"),
        ({"logical_date": "2026-11-01T00:00:00"}, "time zone"),
    ],
)
def test_what_airflow_2_can_never_start_is_not_sent(
    old: OldAirflow, changes: dict[str, object], reason: str
) -> None:
    """A run that Airflow 2 always answers with 500, or would change, is rejected without a request."""
    answer = client(old).start_run(run_request(**changes))
    assert reason in answer.invalid
    assert classify(answer).answer_class is AnswerClass.REJECTED
    assert old.bodies == []


def test_runs_and_dags_are_looked_up(old: OldAirflow) -> None:
    """Both reads go to v1."""
    assert client(old).get_run(DAG, RUN_ID).status == 200
    assert client(old).get_dag(DAG).status == 200
    assert {line.path for line in old.seen} == {f"/api/v1/dags/{DAG}/dagRuns/{RUN_ID}", f"/api/v1/dags/{DAG}"}


class TestAuto:
    """`api: auto`: asked once, remembered, and never guessed."""

    def ask(self, server: LoopbackServer, times: int = 1) -> tuple[AirflowClient, list[int | None]]:
        """Ask for a DAG with one client, so many times."""
        airflow = client_of(server.url, api="auto", read_timeout=0.5)
        return airflow, [airflow.get_dag(DAG, within=5).status for _ in range(times)]

    def test_airflow_3_is_found(self) -> None:
        """The first question is for v2, and its answer is cached."""
        with AirflowStub() as stub:
            assert self.ask(stub, 3)[1] == [200] * 3
            assert stub.count("GET", "/api/v2/version") == 1
            assert stub.count("GET", "/api/v1") == 0

    def test_airflow_2_is_found(self, old: OldAirflow) -> None:
        """Without v2, v1 is asked, once."""
        assert self.ask(old, 3)[1] == [200] * 3
        assert old.count("GET", "/api/v1/version") == 1

    def test_a_login_page_for_unknown_paths_hides_nothing(self, old: OldAirflow) -> None:
        """A proxy that sends unknown paths to its login page may still lead to v1."""
        old.inject(302, headers={"Location": "/login"})
        assert self.ask(old)[1] == [200]

    def test_neither_is_there(self) -> None:
        """If no API answers, the next request asks again."""

        class Nobody(LoopbackServer):
            def handle(self, request: Request) -> Reply:
                return Reply(404, "not here")

        with Nobody() as nobody:
            airflow, statuses = self.ask(nobody, 2)
            answer = airflow.get_dag(DAG)
        assert statuses == [404, 404]
        assert "neither /api/v2/version nor" in answer.message
        assert nobody.count() == 6

    @pytest.mark.parametrize(
        ("faults", "expected"),
        [
            ([503], AnswerClass.TRANSIENT),
            ([0], AnswerClass.TRANSIENT),
            ([404, 503], AnswerClass.TRANSIENT),
            ([403], AnswerClass.DENIED),
            ([404, 403], AnswerClass.DENIED),
            ([302, 302], AnswerClass.DENIED),
            ([404, 302], AnswerClass.DENIED),
            ([302, 404], AnswerClass.DENIED),
        ],
    )
    def test_what_stands_in_the_way_is_told(
        self, old: OldAirflow, faults: list[int], expected: AnswerClass
    ) -> None:
        """An outage leaves no run in doubt, a refusal is returned, and neither is cached."""
        for status in faults:
            old.inject(status)
        airflow = client_of(old.url, api="auto", read_timeout=0.5)
        answer = airflow.start_run(run_request())
        assert classify(answer).answer_class is expected
        assert old.bodies == []
        assert airflow.start_run(run_request()).status == 200

    def test_the_question_has_an_end(self, old: OldAirflow) -> None:
        """A request that waits for another thread's question ends within its own time."""
        airflow = client_of(old.url, api="auto")
        with airflow._lock:
            answer = airflow.start_run(run_request(), within=0.05)
        assert classify(answer).answer_class is AnswerClass.TRANSIENT
        assert old.seen == ()
