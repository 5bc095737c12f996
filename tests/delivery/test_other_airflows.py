"""Deliveries to an Airflow that was upgraded, was rolled back, is too old, or is behind another service."""

from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

import pytest

from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.delivery.target import Target
from shared.runs.request import Terms
from shared.values.json_text import Json, JsonObject
from tests.support.airflow_answers import date_taken, id_taken, problem, run_of, unique_violation
from tests.support.delivery import DAG, RUN_ID, Delivering, client_of, conf, decision, event
from tests.support.failure_cases import looks_up, starts
from tests.support.parked import parked_event

type Api = Literal["auto", "v1", "v2"]

CIRCLES: Final = "<!DOCTYPE html><html><title>Airflow 404 = lots of circles</title></html>"
ALARM: Final = 900
"""The least number of seconds that an event waits for operator action."""


class Changing(LoopbackServer):
    """An address at which one Airflow version replaces another.

    Attributes:
        version: The current version.
        runs: The runs by id; all versions share a database.
        note: Whether the version knows `note`.
    """

    def __init__(self, version: str) -> None:
        super().__init__()
        self.version = version
        self.runs: dict[str, Any] = {}
        self.note = True

    def handle(self, request: Request) -> Reply:
        """Answer as the current version."""
        old = self.version.startswith("2.")
        prefix = "/api/v1" if old else "/api/v2"
        if request.path.startswith(prefix):
            return self._api(request, request.path.removeprefix(prefix))
        if old:
            return Reply(404, CIRCLES)
        if request.method == "GET" and request.path.startswith("/api/v1"):
            return Reply(404, {"error": "/api/v1 has been removed in Airflow 3"})
        return Reply(405, {"detail": "Method Not Allowed"})

    def _api(self, request: Request, path: str) -> Reply:
        if path == "/version":
            return Reply(200, {"version": self.version, "git_version": None})
        if request.method == "POST":
            return self._start(request)
        if "/dagRuns/" in path:
            return Reply(200, self.runs[path.rpartition("/")[2]])
        if path.endswith("/dagRuns"):
            return Reply(200, {"dag_runs": [*self.runs.values()], "total_entries": len(self.runs)})
        return Reply(200, {"dag_id": DAG, "is_paused": False})

    def _start(self, request: Request) -> Reply:
        body = request.json()
        assert isinstance(body, dict)
        assert ("logical_date" in body) is not self.version.startswith("2.")
        if "note" in body and not self.note:
            return problem(400, "{'note': ['Unknown field.']}")
        run_id = str(body["dag_run_id"])
        if run_id in self.runs:
            return id_taken(run_id=run_id) if self.version.startswith("2.") else unique_violation()
        self.runs[run_id] = run_of() | body
        return Reply(200, self.runs[run_id])


@pytest.fixture
def at() -> Iterator[Callable[[str], Changing]]:
    """Return a factory of such addresses."""
    running: list[Changing] = []

    def make(version: str) -> Changing:
        running.append(Changing(version).start())
        return running[-1]

    yield make
    for each in running:
        each.stop()


def delivering_to(url: str, api: Api) -> Delivering:
    """Return a relay to an address, with this `api`."""
    delivering = Delivering(url)
    client = client_of(url, api=api, read_timeout=5)
    target = Target(client, delivering.breaker, delivering.limiter)
    delivering.relay._targets = {"analytics": target}.__getitem__
    return delivering


def deliver(delivering: Delivering, run_id: str = RUN_ID, **changes: object) -> Outcome:
    """Deliver one event."""
    return delivering.deliver(event(), decision(dag_run_id=run_id, **changes))


@pytest.mark.parametrize(
    ("before", "after"),
    [("2.11.0", "3.3.2"), ("3.3.2", "2.10.5"), ("3.3.2", "3.4.0"), ("2.9.0", "3.0.6"), ("2.9.3", "2.11.0")],
)
@pytest.mark.parametrize("when_paused", ["start", "hold"])
def test_an_airflow_that_is_replaced_is_spoken_to_as_it_is(
    at: Callable[[str], Changing], before: str, after: str, when_paused: Literal["start", "hold"]
) -> None:
    """After an upgrade and a rollback no event is lost, parked or started twice."""
    server = at(before)
    delivering = delivering_to(server.url, "auto")
    for number, version in enumerate((before, after, after, before)):
        server.version = version
        outcome = deliver(delivering, f"run__{number}", terms=Terms(when_paused=when_paused))
        assert outcome.kind is OutcomeKind.STARTED, outcome.reason
    assert deliver(delivering, "run__0").kind is OutcomeKind.DUPLICATE
    assert [*server.runs] == [f"run__{number}" for number in range(4)]
    assert delivering.parking.kept == []


@pytest.mark.parametrize(("api", "there"), [("v1", "3.3.2"), ("v2", "2.11.0")])
def test_a_pinned_api_that_is_not_there_waits_with_an_alert(
    at: Callable[[str], Changing], api: Api, there: str
) -> None:
    """The reason names Airflow's version, and the setting to change."""
    server = at(there)
    delivering = delivering_to(server.url, api)
    for _ in range(20):
        outcome = deliver(delivering)
        assert (outcome.kind, outcome.code) == (OutcomeKind.PARKED, "UnsupportedVersion")
        assert outcome.retry_in is not None
        assert outcome.retry_in >= ALARM
    assert f"`api: {api}`, but Airflow {there} has" in outcome.reason
    assert "set `api: auto`" in outcome.reason


@pytest.mark.parametrize("version", ["2.8.4", "2.4.3", "2.0.2"])
def test_an_airflow_that_is_too_old_waits_with_an_alert(at: Callable[[str], Changing], version: str) -> None:
    """An Airflow that is too old gets only the request for its version, and the event waits."""
    server = at(version)
    outcome = deliver(delivering_to(server.url, "auto"))
    assert (outcome.kind, outcome.code) == (OutcomeKind.PARKED, "UnsupportedVersion")
    assert f"Airflow {version} is older than 2.9" in outcome.reason
    assert server.count("POST") == 0


def test_a_refusal_of_an_old_airflow_is_its_age(at: Callable[[str], Changing]) -> None:
    """With `api: v1` the version is requested after the first refusal, for example of the unknown `note`."""
    server = at("2.4.3")
    server.note = False
    outcome = deliver(delivering_to(server.url, "v1"))
    assert (outcome.kind, outcome.code) == (OutcomeKind.PARKED, "UnsupportedVersion")
    assert "Airflow 2.4.3 is older than 2.9" in outcome.reason


HIDDEN: Final[dict[str, Reply]] = {
    "nginx's 404": Reply(404, "<html><head><title>404 Not Found</title></head></html>"),
    "an ingress": Reply(404, "default backend - 404"),
    "App Service": Reply(404, "<html><title>404 Web Site not found</title>"),
    "Kong": Reply(404, {"message": "no Route matched with those values"}),
    "API Management": Reply(404, {"statusCode": 404, "message": "Resource not found"}),
    "a 405 of a static site": Reply(405, "<html>405 Not Allowed</html>"),
    "no client certificate": Reply(400, "<html><title>400 No required SSL certificate was sent</title>"),
    "a host that is not allowed": Reply(400, "Invalid host header"),
    "a CSRF token": Reply(400, "<h1>Bad Request</h1><p>The CSRF session token is missing.</p>"),
    "a firewall": Reply(403, "<html><title>Blocked</title>"),
    "a payment": Reply(402, ""),
    "too large for a proxy": Reply(413, "<html><title>413 Request Entity Too Large</title>"),
    "another API's refusal": Reply(422, {"error": {"code": "Bad", "message": "no"}}),
}


@pytest.mark.parametrize("name", sorted(HIDDEN))
@pytest.mark.parametrize("everything", [True, False])
def test_what_hides_airflow_is_waited_out(name: str, *, everything: bool) -> None:
    """An event waits for Airflow longer than the grace of a missing DAG, and then starts its run."""
    with AirflowStub((DAG,)) as stub:
        reply = HIDDEN[name]
        delivering = delivering_to(stub.url, "v2")
        stub.inject(reply.status, reply.body, times=999, when=lambda request: everything or starts(request))
        for attempt in range(29):
            waiting = parked_event(event(), attempt=attempt, first_seen=delivering.clock.now())
            delivering.clock.seconds += 2_000
            outcome = delivering.deliver(event(), decision(), parked=waiting)
            assert outcome.kind is OutcomeKind.PARKED, outcome.reason
            assert outcome.code in {"AirflowNotFound", "Blocked"}
            assert "<" not in outcome.reason
        stub.heal()
        assert deliver(delivering).kind is OutcomeKind.STARTED


def test_a_dag_whose_404_is_worded_otherwise_is_still_missing(at: Callable[[str], Changing]) -> None:
    """If Airflow's 404 does not name the DAG, the DAG is requested once."""
    server = at("3.5.0")
    server.inject(404, {"detail": "Not found."}, when=starts)
    server.inject(404, {"detail": f"No Dag {DAG}"}, when=lambda request: request.path.endswith(DAG))
    outcome = deliver(delivering_to(server.url, "v2"))
    assert (outcome.kind, outcome.code) == (OutcomeKind.PARKED, "DagNotFound")
    assert [line.path for line in server.seen] == [
        f"/api/v2/dags/{DAG}/dagRuns",
        "/api/v2/version",
        f"/api/v2/dags/{DAG}",
    ]


def test_a_404_of_an_airflow_that_has_the_dag_is_not_its_own(at: Callable[[str], Changing]) -> None:
    """If a proxy refuses the POST, the event waits, and operator action is needed."""
    server = at("3.3.2")
    server.inject(404, {"detail": "Not found."}, times=9, when=starts)
    outcome = deliver(delivering_to(server.url, "v2"))
    assert (outcome.kind, outcome.code) == (OutcomeKind.PARKED, "AirflowNotFound")


@pytest.mark.parametrize(("version", "api"), [("2.11.0", "v1"), ("3.3.2", "v2")])
def test_a_broken_dag_file_has_its_grace(at: Callable[[str], Changing], version: str, api: Api) -> None:
    """An event waits after 400 "has import errors" as for a missing DAG, in the text of both versions."""
    server = at(version)
    detail = f"{'DAG' if api == 'v1' else 'Dag'} with dag_id: '{DAG}' has import errors"
    refusal = (
        problem(400, detail, "DAG cannot be triggered") if api == "v1" else Reply(400, {"detail": detail})
    )
    server.inject(400, refusal.body, when=starts)
    delivering = delivering_to(server.url, api)
    outcome = deliver(delivering)
    assert (outcome.kind, outcome.code) == (OutcomeKind.PARKED, "DagNotFound")
    assert "has import errors" in outcome.reason
    assert deliver(delivering).kind is OutcomeKind.STARTED


FOREIGN: Final[dict[str, Json | str]] = {
    "HTML": "<html><title>409 Conflict</title>",
    "empty": "",
    "other JSON": {"error": {"code": "Conflict", "message": f"{RUN_ID} already exists"}},
    "FastAPI's": {"detail": f"{RUN_ID} already exists"},
    "another table's": {"detail": {"reason": "Unique constraint violation", "message": RUN_ID}},
}


@pytest.mark.parametrize("name", sorted(FOREIGN))
@pytest.mark.parametrize("api", ["v1", "v2"])
def test_a_409_that_is_nobodys_is_looked_up(at: Callable[[str], Changing], name: str, api: Api) -> None:
    """An event's own run is a duplicate; without a run the event waits, and operator action is needed."""
    server = at("2.11.0" if api == "v1" else "3.3.2")
    delivering = delivering_to(server.url, api)
    missing = f"DagRun {RUN_ID} was not found"
    absent = problem(404, missing) if api == "v1" else Reply(404, {"detail": missing})
    server.inject(409, FOREIGN[name], times=99, when=starts)  # type: ignore[arg-type] # plain JSON
    server.inject(404, absent.body, times=2, when=looks_up)
    outcome = deliver(delivering)
    assert (outcome.kind, outcome.code) == (OutcomeKind.PARKED, "UnexpectedConflict")
    assert outcome.retry_in is not None
    assert outcome.retry_in >= ALARM
    dated = deliver(delivering, logical_date="2026-11-01T00:00:00+00:00")
    assert dated.kind is not OutcomeKind.REJECTED
    server.heal()
    assert deliver(delivering).kind is OutcomeKind.STARTED
    server.inject(409, FOREIGN[name], times=99, when=starts)  # type: ignore[arg-type] # plain JSON
    assert deliver(delivering).kind is OutcomeKind.DUPLICATE


@pytest.mark.parametrize("named", ["logical date", "ExecutionDate", "a moment, as nobody called it yet"])
def test_another_runs_moment_is_never_our_run(at: Callable[[str], Changing], named: str) -> None:
    """Only a 409 of Airflow 2 that quotes our run id is a duplicate."""
    server = at("2.11.0")
    taken = date_taken(named=named)
    server.inject(409, taken.body, times=99, when=starts)
    delivering = delivering_to(server.url, "v1")
    assert deliver(delivering).kind is OutcomeKind.PARKED
    server.heal()
    delivering.clock.seconds += 60  # the circuit breaker's pause
    assert deliver(delivering).kind is OutcomeKind.STARTED
    assert deliver(delivering).kind is OutcomeKind.DUPLICATE


@pytest.mark.parametrize(
    "kept",
    [None, "***", '{"site": "shop"}', {}, {"_updraft": "***"}, {"_updraft": {"rule": "***", "event": "***"}}],
)
@pytest.mark.parametrize("date", [None, "2026-11-01T00:00:00+00:00"])
def test_a_run_whose_conf_says_nothing_is_ours(
    stub: AirflowStub, delivering: Delivering, kept: Json, date: str | None
) -> None:
    """The run id is a hash of our own, so a run with a hidden conf is a duplicate."""
    stub.inject(500, when=starts, after_handling=True)
    shown = run_of(conf=kept)
    stub.inject(200, shown, when=looks_up)
    assert deliver(delivering, logical_date=date).kind is OutcomeKind.STARTED
    other = run_of(conf=conf(event_id="another"))
    stub.inject(500, when=starts)
    stub.inject(200, other, when=looks_up)
    assert deliver(delivering, "another__run").kind is not OutcomeKind.STARTED


def test_a_rule_that_holds_says_who_answered(stub: AirflowStub, delivering: Delivering) -> None:
    """A JSON answer of another service does not count as the state of a DAG."""
    bodies: tuple[JsonObject, ...] = (
        {"status": "ok"},
        {"dag_id": "other", "is_paused": False},
        {"is_paused": False},
    )
    for body in bodies:
        stub.inject(200, body, when=lambda request: request.path.endswith(DAG))
        outcome = deliver(delivering, terms=Terms(when_paused="hold"))
        assert (outcome.kind, outcome.code) == (OutcomeKind.PARKED, "UnexpectedResponse")
        assert "new run" not in outcome.reason
        delivering.clock.seconds += 60
    assert stub.runs == {}
