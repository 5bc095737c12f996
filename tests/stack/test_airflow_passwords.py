"""The logins of the Airflows with passwords, which the tests of `kind: airflow` use."""

import urllib.error
import uuid
from typing import TYPE_CHECKING

import pytest

from local.servers.airflow_auth import ADMIN, USER
from local.servers.airflow_process import Airflow

if TYPE_CHECKING:
    from shared.values.json_text import JsonObject


def test_the_apps_login_may_start_runs(airflow_with_passwords: Airflow) -> None:
    """A token of the Simple and of the FAB auth manager starts a run of an example's DAG."""
    airflow = airflow_with_passwords
    body: JsonObject = {"dag_run_id": uuid.uuid4().hex, "logical_date": None, "conf": {}}
    run = airflow.call("POST", "/api/v2/dags/smoke_tests/dagRuns", body, token=airflow.token(USER))
    assert (run["dag_run_id"], run["state"]) == (body["dag_run_id"], "queued")


def test_the_apps_login_may_do_nothing_above(airflow_with_passwords: Airflow) -> None:
    """Only the admin login may read connections."""
    airflow = airflow_with_passwords
    with pytest.raises(urllib.error.HTTPError, match="403"):
        airflow.call("GET", "/api/v2/connections", token=airflow.token(USER))
    assert "connections" in airflow.call("GET", "/api/v2/connections", token=airflow.token(ADMIN))
