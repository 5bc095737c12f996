"""A stub of Airflow's REST API v2 on a loopback port, with the responses of a real Airflow 3.3.

It stores runs, refuses a second one with the same id or logical date, and counts the requests in flight.
Faults are injected as in every stand-in (`local/stand_ins/loopback_server.py`); `python -m
local.stand_ins.airflow_stub --port N` runs it as a process.
"""

import argparse
import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote

from local.processes import default_signals
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request
from shared.values.json_text import Json, JsonObject

VERSION: Final = "3.3.2"
RUN_ID: Final = re.compile(r"^[A-Za-z0-9_.~:+-]+$")
RESERVED_RUN_IDS: Final = (
    "scheduled__",
    "backfill__",
    "asset_triggered__",
    "operator_triggered__",
    "asset_materialization__",
)
_BODY_KEYS: Final = frozenset(
    {
        "dag_run_id",
        "data_interval_start",
        "data_interval_end",
        "logical_date",
        "run_after",
        "conf",
        "note",
        "partition_key",
    }
)
_RUN: Final = re.compile(r"/api/v2/dags/([^/]+)/dagRuns/([^/]+)")
_RUNS: Final = re.compile(r"/api/v2/dags/([^/]+)/dagRuns")
_DAG: Final = re.compile(r"/api/v2/dags/([^/]+)")
_DETAILS: Final = re.compile(r"/api/v2/dags/([^/]+)/details")


class AirflowStub(LoopbackServer):
    """The stub; a context manager.

    Args:
        dags: The DAGs that exist.
        any_dag: Whether every DAG exists.
        port: The port to listen on; 0 takes a free one.

    Attributes:
        runs: The started runs, by DAG id and run id.
        tokens: Tokens that are accepted; None accepts any.
        expired: Tokens that are answered as expired.
        forbidden: DAGs that the caller may not touch.
        paused: DAGs that are paused.
        draining: DAGs that are draining, as in Airflow 3.4; all others are as in Airflow 3.3.
        stale: DAGs whose file is gone.
        broken: DAGs whose file cannot be imported, each with its trace.
        run_types: The run types that a DAG allows, if it does not allow all.
        tags: The tags of DAGs.
        params: The params of DAGs, by name, each with its default (`value`) and its JSON Schema (`schema`).
        users: Names and passwords for `/auth/token`.
        peak: The most requests in flight.
        expose_stacktrace: Whether a 409 quotes the database's message, as with `[api] expose_stacktrace`.
        latency: Seconds that each request under `/api/v2/dags` takes.
    """

    def __init__(
        self, dags: tuple[str, ...] = ("smoke_tests",), *, any_dag: bool = False, port: int = 0
    ) -> None:
        super().__init__(port=port)
        self.dags = set(dags)
        self.any_dag = any_dag
        self.runs: dict[tuple[str, str], JsonObject] = {}
        self.tokens: set[str] | None = None
        self.expired: set[str] = set()
        self.forbidden: set[str] = set()
        self.paused: set[str] = set()
        self.draining: set[str] = set()
        self.stale: set[str] = set()
        self.broken: dict[str, str] = {}
        self.run_types: dict[str, list[Json]] = {}
        self.tags: dict[str, list[str]] = {}
        self.params: dict[str, JsonObject] = {}
        self.users = {"updraft": "made-up-password"}
        self.expose_stacktrace = False
        self.latency = 0.0
        self.peak = 0
        self._in_flight = 0
        self._state = threading.Lock()

    def handle(self, request: Request) -> Reply:
        """Answer one request as Airflow 3.3 does."""
        with self._counted():
            if request.path == "/auth/token" and request.method == "POST":
                return self._token(request)
            if request.path == "/api/v2/version":
                return Reply(200, {"version": VERSION, "git_version": None})
            if request.path == "/api/v2/monitor/health":
                return Reply(200, {"metadatabase": {"status": "healthy"}, "scheduler": {"status": "healthy"}})
            if not request.path.startswith("/api/v2/"):
                return _elsewhere(request)
            time.sleep(self.latency)
            return self._refused_token(request) or self._dags(request)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._state:
            self._in_flight += 1
            self.peak = max(self.peak, self._in_flight)
        try:
            yield
        finally:
            with self._state:
                self._in_flight -= 1

    def _token(self, request: Request) -> Reply:
        try:
            asked = request.json()
        except ValueError:
            asked = None
        if not isinstance(asked, dict):
            return Reply(
                422, {"detail": [{"type": "json_invalid", "loc": ["body"], "msg": "JSON decode error"}]}
            )
        name = str(asked.get("username"))
        if self.users.get(name) != asked.get("password"):
            return Reply(401, {"detail": "Invalid credentials"})
        now = int(time.time())
        claims = {"sub": name, "aud": "apache-airflow", "iat": now, "nbf": now, "exp": now + 86_400}
        parts = ({"alg": "HS512", "typ": "JWT"}, claims)
        token = ".".join(
            [*(_base64url(json.dumps(part).encode()) for part in parts), _base64url(b"unsigned")]
        )
        return Reply(201, {"access_token": token})

    def _refused_token(self, request: Request) -> Reply | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return Reply(401, {"detail": "Not authenticated"})
        if token in self.expired:
            return Reply(401, {"detail": "Token Expired"})
        if self.tokens is not None and token not in self.tokens:
            return Reply(403, {"detail": "Invalid JWT token"})
        return None

    def _dags(self, request: Request) -> Reply:
        if request.method == "GET" and request.path == "/api/v2/dags":
            dags: list[Json] = [{"dag_id": dag_id} for dag_id in sorted(self.dags)]
            return Reply(200, {"dags": dags, "total_entries": len(dags)})
        if request.method == "GET" and request.path == "/api/v2/importErrors":
            errors: list[Json] = [
                {"filename": f"{dag_id}.py", "stack_trace": trace} for dag_id, trace in self.broken.items()
            ]
            return Reply(200, {"import_errors": errors, "total_entries": len(errors)})
        for pattern, method, answer in (
            (_RUNS, "POST", self._start),
            (_RUNS, "GET", self._list),
            (_RUN, "GET", self._run),
            (_DAG, "GET", self._dag),
            (_DETAILS, "GET", self._dag),
        ):
            if (found := pattern.fullmatch(request.path)) and request.method == method:
                names = [unquote(name) for name in found.groups()]
                if names[0] in self.forbidden:
                    return Reply(403, {"detail": "Forbidden"})
                return answer(request, *names)
        return _elsewhere(request)

    def _dag(self, request: Request, dag_id: str) -> Reply:
        if not self._has(dag_id):
            return Reply(404, {"detail": f"Dag with id: {dag_id} was not found"})
        dag: JsonObject = {
            "dag_id": dag_id,
            "is_paused": dag_id in self.paused,
            "is_stale": dag_id in self.stale,
            "has_import_errors": dag_id in self.broken,
            "relative_fileloc": f"{dag_id}.py",
            "allowed_run_types": self.run_types.get(dag_id),
            "tags": [{"name": name, "dag_id": dag_id} for name in self.tags.get(dag_id, [])],
        }
        if dag_id in self.draining:
            dag["scheduling_state"] = "draining"
        if request.path.endswith("/details"):
            dag["params"] = self.params.get(dag_id, {})
        return Reply(200, dag)

    def _run(self, _request: Request, dag_id: str, run_id: str) -> Reply:
        with self._state:
            run = self.runs.get((dag_id, run_id))
        if run is None:
            text = f"The DagRun with dag_id: `{dag_id}` and run_id: `{run_id}` was not found"
            return Reply(404, {"detail": text})
        return Reply(200, run)

    def _list(self, request: Request, dag_id: str) -> Reply:
        if not self._has(dag_id):
            return Reply(404, {"detail": f"The Dag with ID: `{dag_id}` was not found"})
        prefix = request.query.get("run_id_prefix_pattern", "")
        with self._state:
            found = [
                run
                for (known, run_id), run in self.runs.items()
                if known == dag_id and run_id.startswith(prefix)
            ]
        if request.query.get("order_by") == "-id":
            found.reverse()
        limited: list[Json] = [*found[: int(request.query.get("limit", "50"))]]
        return Reply(200, {"dag_runs": limited, "total_entries": len(found)})

    def _start(self, request: Request, dag_id: str) -> Reply:
        try:
            body = request.json()
        except ValueError:
            return Reply(
                422, {"detail": [{"type": "json_invalid", "loc": ["body", 0], "msg": "JSON decode error"}]}
            )
        if problems := _problems(body):
            return Reply(422, {"detail": problems})
        assert isinstance(body, dict)
        if not self._has(dag_id):
            return Reply(404, {"detail": f"Dag with dag_id: '{dag_id}' not found"})
        run_id = str(body.get("dag_run_id") or f"manual__{datetime.now(UTC).isoformat()}")
        if why := self._why_not(dag_id, run_id):
            return Reply(400, {"detail": why})
        return self._create(dag_id, run_id, body)

    def _why_not(self, dag_id: str, run_id: str) -> str:
        """Return why Airflow refuses a run of a known DAG; empty if it does not."""
        if dag_id in self.broken:
            return f"Dag with dag_id: '{dag_id}' has import errors and cannot be triggered"
        if "manual" not in self.run_types.get(dag_id, ["manual"]):
            return f"Dag with dag_id: '{dag_id}' does not allow manual runs"
        if not RUN_ID.match(run_id) or ".." in run_id or run_id.startswith(RESERVED_RUN_IDS):
            return f"The run_id provided '{run_id}' does not match regex pattern '{RUN_ID.pattern}'"
        return ""

    def _create(self, dag_id: str, run_id: str, body: JsonObject) -> Reply:
        date = body["logical_date"]
        with self._state:
            same_date = date is not None and any(
                known == dag_id and run["logical_date"] == date for (known, _), run in self.runs.items()
            )
            if (dag_id, run_id) in self.runs or same_date:
                return Reply(
                    409, self._unique(dag_id, run_id, None if (dag_id, run_id) in self.runs else date)
                )
            run: JsonObject = {
                "dag_run_id": run_id,
                "dag_id": dag_id,
                "dag_display_name": dag_id,
                "dag_versions": [],
                "bundle_version": None,
                "logical_date": date,
                "queued_at": datetime.now(UTC).isoformat(),
                "start_date": None,
                "end_date": None,
                "duration": None,
                "data_interval_start": date,
                "data_interval_end": date,
                "last_scheduling_decision": None,
                "run_after": body.get("run_after") or datetime.now(UTC).isoformat(),
                "run_type": "manual",
                "state": "queued",
                "triggered_by": "rest_api",
                "triggering_user_name": "updraft",
                "partition_key": None,
                "partition_date": None,
                "conf": body.get("conf") or {},
                "note": body.get("note"),
            }
            self.runs[dag_id, run_id] = run
        return Reply(200, run)

    def _unique(self, dag_id: str, run_id: str, date: Json) -> JsonObject:
        """Return Airflow's error for a second run with this id, or with this date."""
        if not self.expose_stacktrace:
            return {"detail": _UNIQUE}
        columns, values = ("dag_id, run_id", run_id) if date is None else ("dag_id, logical_date", date)
        violated = (
            'duplicate key value violates unique constraint "dag_run_made_up_key"\n'
            f"DETAIL:  Key ({columns})=({dag_id}, {values}) already exists.\n"
        )
        statement = "INSERT INTO dag_run (dag_id, logical_date, run_id, …) VALUES (%(dag_id)s, …)"
        return {"detail": _UNIQUE | {"statement": statement, "orig_error": violated}}

    def _has(self, dag_id: str) -> bool:
        return self.any_dag or dag_id in self.dags


_UNIQUE: Final[JsonObject] = {
    "reason": "Unique constraint violation",
    "statement": "hidden",
    "orig_error": "hidden",
    "message": "Serious error when handling your request. Check logs for more details - you will find it in "
    "api server when you look for ID made-up",
}


def _elsewhere(request: Request) -> Reply:
    """Return Airflow 3's response outside its API: its web page answers every other GET."""
    if request.method != "GET":
        return Reply(405, {"detail": "Method Not Allowed"})
    if request.path.startswith("/api/v1/"):
        text = "/api/v1 has been removed in Airflow 3, please use its upgraded version /api/v2 instead."
        return Reply(404, {"error": text})
    if request.path.startswith("/api/"):
        return Reply(404, {"error": "API route not found"})
    return Reply(200, "<!DOCTYPE html><html><title>Airflow</title></html>", {"Content-Type": "text/html"})


def _problems(body: Json) -> list[Json]:
    """Return the errors of Airflow's strict body model."""
    if not isinstance(body, dict):
        return [
            {"type": "model_attributes_type", "loc": ["body"], "msg": "Input should be a valid dictionary"}
        ]
    problems: list[Json] = [
        {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}
        for name in body.keys() - _BODY_KEYS
    ]
    if "logical_date" not in body:
        problems.append({"type": "missing", "loc": ["body", "logical_date"], "msg": "Field required"})
    if not isinstance(body.get("conf"), dict | None):
        text = "Input should be a valid dictionary"
        problems.append({"type": "dict_type", "loc": ["body", "conf"], "msg": text})
    return problems


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def main() -> None:
    """Run the stub until it is interrupted, and print its address first."""
    parser = argparse.ArgumentParser(description="A stub of Airflow's REST API v2 on a loopback port.")
    parser.add_argument("--port", type=int, default=0, help="the port; 0 (the default) takes a free one")
    parser.add_argument(
        "--dag", action="append", default=[], help="a DAG that exists; without any, every DAG does"
    )
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that each request takes")
    options = parser.parse_args()
    with AirflowStub(tuple(options.dag), any_dag=not options.dag, port=options.port) as stub:
        stub.latency = options.latency
        print(stub.url, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    default_signals.restore()
    main()
