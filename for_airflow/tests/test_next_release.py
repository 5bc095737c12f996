"""What Airflow 3.4.0b2 changes for a client that starts runs: draining DAGs and reserved keys in conf.

These are facts about Airflow, on which the function app's own behaviour rests.
"""

import time
from pathlib import Path
from typing import Any

import pytest
from airflow_server import AIRFLOW, RUNS, VERSION, AirflowServer, trigger

pytestmark = pytest.mark.stack
since_3_4 = pytest.mark.skipif(VERSION < (3, 4), reason="Airflow 3.4 has it first")

RESERVED = (
    "__cache__",
    "__classname__",
    "__data__",
    "__id__",
    "__source",
    "__type",
    "__var",
    "__version__",
)
HELD = "/api/v2/dags/held"


@pytest.fixture
def active(airflow: AirflowServer) -> None:
    """Make the DAG `held` active, however the last test left it."""
    assert airflow.call("PATCH", HELD, airflow.admin(), {"is_paused": False})[0] == 200


def state(airflow: AirflowServer, token: str) -> tuple[str, bool]:
    """Return the DAG's state, in both spellings that 3.4 has."""
    dag = airflow.call("GET", HELD, token)[1]
    return dag["scheduling_state"], dag["is_paused"]


def start_run(airflow: AirflowServer, token: str, until: Path) -> str:
    """Start a run that lasts until the file is there."""
    status, run = trigger(airflow, token, "held", {"until": str(until)})
    assert status == 200, run
    return str(run["dag_run_id"])


@since_3_4
@pytest.mark.usefixtures("active")
def test_runs_extend_a_drain(airflow: AirflowServer, entra: Any, tmp_path: Path) -> None:
    """A draining DAG is not paused, accepts runs, and is paused only when the last run has ended.

    So a client that reads only `is_paused` would keep it from ever being paused.
    """
    token, first, second = entra.issue(AIRFLOW), tmp_path / "first", tmp_path / "second"
    before = start_run(airflow, token, first)
    assert airflow.call("PATCH", HELD, airflow.admin(), {"scheduling_state": "draining"})[0] == 200
    assert state(airflow, token) == ("draining", False)
    start_run(airflow, token, second)
    first.touch()
    run = f"{RUNS.format('held')}/{before}"
    airflow.wait_until(lambda: airflow.call("GET", run, token)[1]["state"] == "success")
    time.sleep(8)  # the scheduler looks every 5 s for DAGs that have come to rest
    assert state(airflow, token) == ("draining", False)
    second.touch()
    airflow.wait_until(lambda: state(airflow, token) == ("paused", True))


@since_3_4
@pytest.mark.usefixtures("active")
def test_a_drain_ends_by_itself_or_by_hand(airflow: AirflowServer, entra: Any) -> None:
    """Without unfinished runs the DAG is paused within seconds; `is_paused: false` makes it active again."""
    token, admin = entra.issue(AIRFLOW), airflow.admin()
    airflow.call("PATCH", HELD, admin, {"scheduling_state": "draining"})
    airflow.wait_until(lambda: state(airflow, token) == ("paused", True))
    for body in ({"is_paused": False}, {"scheduling_state": "active"}):
        airflow.call("PATCH", HELD, admin, {"scheduling_state": "draining"})
        assert airflow.call("PATCH", HELD, admin, body)[0] == 200
        assert state(airflow, token) == ("active", False)


@pytest.mark.parametrize("key", RESERVED)
def test_a_reserved_key_is_refused_at_every_depth(airflow: AirflowServer, entra: Any, key: str) -> None:
    """3.4 answers 422, says where it found which key, and makes no run; 3.3 takes it."""
    token = entra.issue(AIRFLOW)
    deep: object = {key: None}
    for _ in range(60):
        deep = {"a": [deep]}
    for conf, place in (
        ({key: 1}, "conf"),
        ({"a": {"b": {key: {}}}}, "conf.a.b"),
        ({"a": [1, {"b": 2}, {key: ""}]}, "conf.a[2]"),
        ({"_updraft": {"event": {key: 1}}}, "conf._updraft.event"),
        (deep, "conf" + ".a[0]" * 60),
    ):
        status, answer = trigger(airflow, token, "reports_by_task", conf)
        if VERSION < (3, 4):
            assert status == 200
            continue
        assert status == 422
        [problem] = answer["detail"]
        assert problem["loc"] == ["body", "conf"]
        assert f"{place} contains reserved serialization keys: {key}." in problem["msg"]


@since_3_4
def test_what_is_like_a_reserved_key_is_taken(airflow: AirflowServer, entra: Any) -> None:
    """As a value, as part of a key, in other letters, and inside of JSON text."""
    conf = {
        "values": list(RESERVED),
        "text": '{"__type": 1}',
        "__type ": 1,
        "__Type": 1,
        "__typename": 1,
        "type": 1,
        "__source__": 1,
        "__schema__": 1,
    }
    status, run = trigger(airflow, entra.issue(AIRFLOW), "reports_by_task", conf)
    assert (status, run["conf"]) == (200, conf)


@since_3_4
def test_the_reserved_keys_are_airflows() -> None:
    """The list above is the one in Airflow's source; a longer one in a later version fails here."""
    from airflow._shared.serialization import FORBIDDEN_XCOM_KEYS

    assert set(RESERVED) == FORBIDDEN_XCOM_KEYS
