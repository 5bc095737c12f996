"""The rows of the failure table as cases: the request, the Airflow, and the expected row.

A case without a fault needs nothing but an Airflow that has the DAG `smoke_tests`, so that it can be put to a
real one as well as to the stub; a case with a fault is for the stub alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.loopback_server import Request
from shared.delivery.outcomes import OutcomeKind
from shared.runs.request import RunRequest
from shared.values.json_text import JsonObject
from tests.support.delivery import DAG, RUN_ID, conf, run_request


def starts(request: Request) -> bool:
    """Return whether a request starts a run."""
    return request.method == "POST"


def looks_up(request: Request) -> bool:
    """Return whether a request looks a run up."""
    return request.method == "GET"


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        name: What is special about it.
        row: The name of the table's row that the first answer belongs to.
        outcome: How the delivery has to end.
        changes: How the run that is asked for differs from the usual one.
        before: Runs that are started first, by their changes.
        fault: What is done to the stub first.
        says: A part of the reason.
        runs: How many runs Airflow has in the end.
    """

    name: str
    row: str
    outcome: OutcomeKind
    changes: dict[str, object] = field(default_factory=dict)
    before: tuple[dict[str, object], ...] = ()
    fault: Callable[[AirflowStub], None] | None = None
    says: str = ""
    runs: int = 0

    def request(self) -> RunRequest:
        """Return the run that is asked for."""
        return run_request(**self.changes)

    def apart(self, mark: str, date: str) -> "Case":
        """Return the same case with other run ids and another date, for an Airflow with other runs.

        Args:
            mark: What is put behind run ids.
            date: What takes the place of a valid logical date, RFC 3339.
        """

        def moved(changes: dict[str, object]) -> dict[str, object]:
            own: dict[str, object] = {"dag_run_id": f"{changes.get('dag_run_id', RUN_ID)}{mark}"}
            return changes | own | ({"logical_date": date} if changes.get("logical_date") == _DATE else {})

        return replace(self, changes=moved(self.changes), before=tuple(map(moved, self.before)))


def _answers(
    status: int,
    body: bytes | str | JsonObject = b"",
    *,
    headers: dict[str, str] | None = None,
    times: int = 99,
    after: bool = False,
) -> Callable[[AirflowStub], None]:
    def fault(stub: AirflowStub) -> None:
        stub.inject(status, body, headers=headers, times=times, when=starts, after_handling=after)

    return fault


def _hangs(*, after: bool) -> Callable[[AirflowStub], None]:
    def fault(stub: AirflowStub) -> None:
        stub.inject(504, delay=1.6, times=1, when=starts, after_handling=after)

    return fault


def _expired(stub: AirflowStub) -> None:
    stub.expired.add("first")


def _invalid(stub: AirflowStub) -> None:
    stub.tokens = {"renewed-1"}


def _never_valid(stub: AirflowStub) -> None:
    stub.tokens = set()


def _forbidden(stub: AirflowStub) -> None:
    stub.forbidden.add(DAG)


def _stopped(stub: AirflowStub) -> None:
    stub.stop()


def _broken(stub: AirflowStub) -> None:
    stub.broken[DAG] = "SyntaxError"


def _old(stub: AirflowStub) -> None:
    stub.inject(404, {"detail": "Not Found"}, times=9, when=starts)
    stub.inject(404, {"detail": "Not Found"}, times=9, when=lambda request: "/v2/version" in request.path)
    stub.inject(200, {"version": "2.4.3"}, times=9, when=lambda request: "/v1/version" in request.path)


_ECHO: JsonObject = {"dag_run_id": RUN_ID, "conf": conf(), "logical_date": None}
_DATE = "2026-11-01T00:00:00+00:00"
_PARKED, _REJECTED = OutcomeKind.PARKED, OutcomeKind.REJECTED
_STARTED, _DUPLICATE = OutcomeKind.STARTED, OutcomeKind.DUPLICATE

CASES: tuple[Case, ...] = (
    Case("a new run", "Started", _STARTED, runs=1),
    Case("the same run again", "Conflict", _DUPLICATE, before=({},), runs=1),
    Case(
        "the same run again, with a logical date",
        "Conflict",
        _DUPLICATE,
        {"logical_date": _DATE},
        before=({"logical_date": _DATE},),
        runs=1,
    ),
    Case(
        "another run has the logical date",
        "Conflict",
        _REJECTED,
        {"logical_date": _DATE},
        before=({"logical_date": _DATE, "dag_run_id": "somebody__else"},),
        says="holds the logical date",
        runs=1,
    ),
    Case(
        "somebody else's run has our id",
        "Conflict",
        _REJECTED,
        {"logical_date": _DATE},
        before=({"logical_date": _DATE, "conf": conf(event_id="another")},),
        says="did not start",
        runs=1,
    ),
    Case("an unknown DAG", "DagNotFound", _PARKED, {"dag_id": "not_there"}, says="no such DAG"),
    Case("a DAG id that climbs the path", "DagNotFound", _PARKED, {"dag_id": ".."}),
    Case(
        "a run id that Airflow refuses", "BadRequest", _REJECTED, {"dag_run_id": "with space"}, says="run_id"
    ),
    Case(
        "a date that is not a date",
        "InvalidRunRequest",
        _REJECTED,
        {"logical_date": "next tuesday"},
        says="logical_date",
    ),
    Case("an expired token", "Started", _STARTED, fault=_expired, runs=1),
    Case("an invalid token", "Started", _STARTED, fault=_invalid, runs=1),
    Case(
        "a token that is never valid", "Unauthorized", _PARKED, fault=_never_valid, says="connection's auth"
    ),
    Case("a caller without the role", "Forbidden", _PARKED, fault=_forbidden, says="grant"),
    Case("nobody listens", "ConnectionFailed", _PARKED, fault=_stopped, says="refused"),
    Case(
        "a login page by redirect",
        "Redirect",
        _PARKED,
        fault=_answers(302, headers={"Location": "https://login.example/authorize?code=made-up"}),
        says="to https://login.example)",
    ),
    Case("a login page in place", "NotJson", _PARKED, fault=_answers(200, "<html>Sign in"), says="Sign in"),
    Case(
        "another service's JSON",
        "UnexpectedResponse",
        _PARKED,
        fault=_answers(200, {"message": "hello"}),
        says="url",
    ),
    Case("a reset before anything happened", "ConnectionLost", _STARTED, fault=_answers(0, times=1), runs=1),
    Case(
        "a reset after the run was made",
        "ConnectionLost",
        _STARTED,
        fault=_answers(0, times=1, after=True),
        runs=1,
    ),
    Case("too late, and no run", "ConnectionLost", _STARTED, fault=_hangs(after=False), runs=1),
    Case("too late, and the run was made", "ConnectionLost", _STARTED, fault=_hangs(after=True), runs=1),
    Case("500 once", "AirflowUnavailable", _STARTED, fault=_answers(500, times=1), runs=1),
    Case(
        "500 after the run was made",
        "AirflowUnavailable",
        _STARTED,
        fault=_answers(500, times=1, after=True),
        runs=1,
    ),
    Case(
        "500 for good",
        "AirflowUnavailable",
        _PARKED,
        fault=_answers(500, {"detail": {"reason": "Database error"}}),
    ),
    Case(
        "429 with Retry-After",
        "AirflowUnavailable",
        _PARKED,
        fault=_answers(429, headers={"Retry-After": "60"}),
    ),
    Case("503 for good", "AirflowUnavailable", _PARKED, fault=_answers(503)),
    Case("408 once", "AirflowUnavailable", _STARTED, fault=_answers(408, times=1), runs=1),
    Case("425 once", "AirflowUnavailable", _STARTED, fault=_answers(425, times=1), runs=1),
    Case(
        "400",
        "BadRequest",
        _REJECTED,
        fault=_answers(400, {"detail": "Invalid input for param n: 0 is less than the minimum of 1"}),
        says="Invalid input for param n",
    ),
    Case(
        "405", "AirflowNotFound", _PARKED, fault=_answers(405, {"detail": "Method Not Allowed"}), says="405"
    ),
    Case("413 of a proxy", "Blocked", _PARKED, fault=_answers(413, "too large"), says="too large"),
    Case("a broken DAG file", "DagNotFound", _PARKED, fault=_broken, says="has import errors"),
    Case(
        "an ingress without a backend",
        "AirflowNotFound",
        _PARKED,
        fault=_answers(404, "default backend - 404"),
    ),
    Case(
        "a stopped web app",
        "Blocked",
        _PARKED,
        fault=_answers(403, "<html><title>Web App - Unavailable</title>"),
        says="Web App - Unavailable",
    ),
    Case("400 of a proxy", "Blocked", _PARKED, fault=_answers(400, "Invalid host header"), says="firewall"),
    Case("an echo of the request", "UnexpectedResponse", _PARKED, fault=_answers(200, _ECHO), says="url"),
    Case(
        "409 of a proxy",
        "UnexpectedConflict",
        _PARKED,
        fault=_answers(409, "<html>Conflict"),
        says="Conflict",
    ),
    Case(
        "409 of a proxy, and the run is there",
        "UnexpectedConflict",
        _DUPLICATE,
        before=({},),
        fault=_answers(409, {"message": "Conflict"}),
        runs=1,
    ),
    Case("an Airflow that is too old", "UnsupportedVersion", _PARKED, fault=_old, says="older than 2.9"),
    Case(
        "422",
        "BadRequest",
        _REJECTED,
        fault=_answers(422, {"detail": [{"loc": ["body", "conf"], "msg": "no", "input": "kept back"}]}),
        says="body.conf: no",
    ),
    Case("a status that HTTP does not know", "AirflowUnavailable", _PARKED, fault=_answers(999)),
)
