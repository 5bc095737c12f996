"""The whole way on a real Airflow: managed identity, Entra token, Airflow, run, outcome; no secret in it."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from airflow_server import AIRFLOW, CLIENT_ID, PASSWORD, RUNS, UPDRAFT, VERSION, AirflowServer, trigger
from receiver import Receiver, running_receiver

from updraft_airflow.least_privilege import permissions_to_trigger

identity_endpoint = pytest.importorskip(
    "local.stand_ins.identity_endpoint", reason="needs the repository's local/"
)
pytestmark = pytest.mark.stack

sockets = pytest.importorskip("local.processes.sockets", reason="needs the repository's local/")

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def exchange(server: AirflowServer, assertion: object) -> tuple[int, dict[str, Any]]:
    """Ask for an Airflow token."""
    return server.call("POST", "/auth/token", None, {"grant_type": JWT_BEARER, "assertion": assertion})


@pytest.mark.parametrize("version", [1, 2])
def test_an_entra_token_starts_a_run(airflow: AirflowServer, entra: Any, version: int) -> None:
    """Directly as bearer, in both formats; Airflow shows who started it."""
    shape = {
        "ver": f"{version}.0",
        "iss": entra.issuer(version),
        "aud": AIRFLOW if version == 1 else CLIENT_ID,
    }
    status, run = trigger(airflow, entra.issue(AIRFLOW, **shape), "reports_by_task")
    assert (status, run.get("dag_id")) == (200, "reports_by_task")
    # 3.4 shows the user's display name, which is what `fab_users` made of the app's id; 3.3 its user name
    displayed = f"Entra app {entra.identity.client_id}" if VERSION >= (3, 4) else entra.identity.object_id
    assert run["triggering_user_name"] == displayed


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads the kernel's lists in /proc")
def test_no_part_of_the_airflow_is_open_to_others(airflow: AirflowServer) -> None:
    """Each of its processes listens on 127.0.0.1 alone."""
    assert sockets.open_to_others(airflow.family) == {}
    assert sockets.listening(airflow.family) >= 1


def test_an_entra_token_is_exchanged_for_an_airflow_token(airflow: AirflowServer, entra: Any) -> None:
    """The Airflow token starts a run, and does not outlive the Entra token it stands for."""
    assertion = entra.issue(AIRFLOW, exp=int(time.time()) + 900)
    status, answer = exchange(airflow, assertion)
    assert status == 201
    token = answer["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert 0 < claims["exp"] - claims["iat"] <= 900
    assert trigger(airflow, token, "reports_by_task")[0] == 200


def test_the_role_can_trigger_its_dags_and_nothing_else(airflow: AirflowServer, entra: Any) -> None:
    """What Updraft needs is allowed, and a list of other things is not."""
    token = entra.issue(AIRFLOW)
    _, run = trigger(airflow, token, "reports_by_task")
    mine = RUNS.format("reports_by_task")
    allowed = [("GET", f"{mine}/{run['dag_run_id']}"), ("GET", "/api/v2/dags/reports_by_task")]
    denied: list[tuple[str, str, object]] = [
        ("POST", RUNS.format("forbidden"), {"logical_date": None}),
        ("GET", "/api/v2/dags/forbidden", None),
        ("PATCH", f"{mine}/{run['dag_run_id']}", {"state": "failed"}),
        ("DELETE", f"{mine}/{run['dag_run_id']}", None),
        ("DELETE", "/api/v2/dags/reports_by_task", None),
        ("GET", "/api/v2/connections", None),
        ("GET", "/api/v2/variables", None),
        ("POST", "/api/v2/variables", {"key": "k", "value": "v"}),
        ("GET", "/api/v2/config", None),
        ("GET", "/api/v2/pools", None),
        ("GET", "/api/v2/eventLogs", None),
        ("GET", f"{mine}/{run['dag_run_id']}/taskInstances", None),
        ("POST", "/api/v2/dags/reports_by_task/clearTaskInstances", {"dry_run": True}),
        ("GET", "/auth/fab/v1/users", None),
        ("GET", "/auth/fab/v1/roles", None),
    ]
    assert [airflow.call(method, path, token)[0] for method, path in allowed] == [200, 200]
    answers = {(method, path): airflow.call(method, path, token, body)[0] for method, path, body in denied}
    assert set(answers.values()) == {403}, answers


def test_the_documented_commands_make_the_same_role(airflow: AirflowServer) -> None:
    """FAB's own commands, and ours, as docs/airflow-side.md gives them."""
    airflow.command("roles", "create", "ByHand")
    for resource, actions in (
        ("DAG:reports_by_task", ("can_read", "can_edit")),
        ("DAG Run:reports_by_task", ("can_read", "can_create")),
    ):
        airflow.command("roles", "add-perms", "ByHand", "-r", resource, "-a", *actions)
    airflow.command("entra-role", "--role", "ByCommand", "--dag", "reports_by_task")
    for name in ("ByHand", "ByCommand"):
        held = airflow.permissions_of(name)
        assert held - {("can_read", "Website")} == set(permissions_to_trigger("reports_by_task"))


def test_concurrent_requests_are_all_answered(airflow: AirflowServer, entra: Any) -> None:
    """More at once than there are threads for it, with tokens of several identities, good and bad."""
    tokens = [entra.issue(AIRFLOW, identity_endpoint.Identity()) for _ in range(6)]
    bad = entra.issue(AIRFLOW, roles=["Other"])
    with ThreadPoolExecutor(8) as pool:
        path = "/api/v2/dags/reports_by_task"
        answers = list(pool.map(lambda token: airflow.call("GET", path, token)[0], [*tokens, bad] * 6))
    assert answers == [200, 200, 200, 200, 200, 200, 403] * 6


def test_a_mapped_app_role_comes_and_goes_with_the_token(airflow: AirflowServer, entra: Any) -> None:
    """The mapping widens while the token carries the app role, and no longer."""
    identity = identity_endpoint.Identity()
    plain = entra.issue(AIRFLOW, identity)
    wider = entra.issue(AIRFLOW, identity, roles=["Airflow.Trigger", "Airflow.Read"])
    answers = [airflow.call("GET", "/api/v2/dags/forbidden", token)[0] for token in (plain, wider, plain)]
    assert answers == [403, 200, 403]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"exp": 1}, 401),
        ({"aud": "https://management.azure.com"}, 403),
        ({"roles": ["Other"]}, 403),
        ({"tid": CLIENT_ID}, 403),
        ({"iss": "https://attacker.example/"}, 403),
    ],
)
def test_a_token_that_is_not_for_us_is_refused(
    airflow: AirflowServer,
    entra: Any,
    changes: dict[str, Any],
    status: int,
) -> None:
    """With Airflow's own answers: 401 where a new token helps, else 403; the exchange says 401."""
    token = entra.issue(AIRFLOW, **changes)
    assert airflow.call("GET", "/api/v2/dags/reports_by_task", token)[0] == status
    assert exchange(airflow, token)[0] == 401
    assert token not in airflow.log.read_text(errors="replace")


@pytest.mark.parametrize("assertion", [None, "", 7, ["x"]])
def test_an_exchange_without_an_assertion_is_a_bad_request(airflow: AirflowServer, assertion: object) -> None:
    """The error names the missing option."""
    assert exchange(airflow, assertion)[0] == 400


def test_every_other_login_works_as_before(airflow: AirflowServer) -> None:
    """Passwords, Airflow's own tokens, garbage and no token get FAB's answers."""
    right = {"username": "admin", "password": PASSWORD}
    status, answer = airflow.call("POST", "/auth/token", None, right)
    assert status == 201
    token = answer["access_token"]
    assert airflow.call("GET", "/api/v2/connections", token)[0] == 200
    assert airflow.call("POST", "/auth/token", None, right | {"password": "wrong"})[0] == 401
    assert airflow.call("POST", "/auth/token", None, {})[0] == 400
    assert airflow.call("POST", "/auth/token", None, {"password": {"a": 1}})[0] == 400
    assert airflow.call("POST", "/auth/token", None, right | {"password": {"a": 1}})[0] == 400
    assert airflow.call("GET", "/api/v2/connections", "garbage")[0] == 403
    assert airflow.call("GET", "/api/v2/connections", token[:-3] + "AAA")[0] == 403
    assert airflow.call("GET", "/api/v2/connections")[0] == 401


@pytest.mark.parametrize("way", ["reports_by_task", "reports_by_notifier"])
@pytest.mark.parametrize(("fail", "state"), [(False, "success"), (True, "failed")])
@pytest.mark.parametrize("kind", ["run token", "own identity"])
def test_a_run_reports_how_it_ended(
    airflow: AirflowServer,
    entra: Any,
    outcomes: Receiver,
    way: str,
    fail: bool,  # noqa: FBT001 - a parameter of the test
    state: str,
    kind: str,
) -> None:
    """Both ways, with either token; what is reported is what Airflow says in the end."""
    callback = {"url": outcomes.url} | ({"token": "made-up.run-token"} if kind == "run token" else {})
    token = entra.issue(AIRFLOW)
    _, run = trigger(airflow, token, way, {"fail": fail, "_updraft": {"callback": callback}})
    run_id = run["dag_run_id"]
    deadline = time.monotonic() + 90
    while not (mine := [taken for taken in outcomes.taken if taken[1]["run"]["dag_run_id"] == run_id]):
        assert time.monotonic() < deadline, airflow.tail()
        time.sleep(0.2)
    headers, body = mine[0]
    authorization = headers["Authorization"]
    assert body["run"]["dag_id"] == way
    assert body["state"] == state
    assert body["started_at"] <= body["ended_at"]
    if kind == "run token":
        assert authorization == "Bearer made-up.run-token"
    else:
        assert entra.claims(authorization.removeprefix("Bearer "))["aud"] == UPDRAFT
    while (ended := airflow.call("GET", f"{RUNS.format(way)}/{run_id}", token)[1]["state"]) not in (
        "success",
        "failed",
    ):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert ended == state


@pytest.mark.parametrize(
    ("way", "state"), [("reports_by_task", "failed"), ("reports_by_notifier", "success")]
)
@pytest.mark.parametrize("token", ["made-up.run-token", None])
def test_a_run_does_not_choose_where_it_reports(
    airflow: AirflowServer,
    entra: Any,
    way: str,
    state: str,
    token: str | None,
) -> None:
    """An address that is not listed hears nothing: the task fails, and a callback of the DAG too."""
    with running_receiver() as other:
        callback = {"url": other.url} | ({"token": token} if token else {})
        trusted = entra.issue(AIRFLOW)
        _, run = trigger(airflow, trusted, way, {"_updraft": {"callback": callback}})
        path = f"{RUNS.format(way)}/{run['dag_run_id']}"
        deadline = time.monotonic() + 90
        while (ended := airflow.call("GET", path, trusted)[1]["state"]) not in ("success", "failed"):
            assert time.monotonic() < deadline, airflow.tail()
            time.sleep(0.2)
        assert ended == state
        time.sleep(2)  # the callback of the DAG runs up to 0.5 s after the run's end
        assert other.taken == []
