"""The `access_control` of a DAG file on a real Airflow: what it grants, what it revokes, what it leaves."""

from typing import Any

import pytest
from airflow_server import AIRFLOW, AirflowServer, trigger

from updraft_airflow.least_privilege import permissions_to_trigger

identity_endpoint = pytest.importorskip(
    "local.stand_ins.identity_endpoint", reason="needs the repository's local/"
)
pytestmark = pytest.mark.stack

READ = ("can_read", "DAG:governed")
EDIT = ("can_edit", "DAG:governed")
READ_RUNS = ("can_read", "DAG Run:governed")
CREATE_RUNS = ("can_create", "DAG Run:governed")
EVERYTHING = '{"Team": {"DAGs": {"can_read", "can_edit"}, "DAG Runs": {"can_read", "can_create"}}}'


@pytest.fixture(scope="module", autouse=True)
def roles(airflow: AirflowServer) -> None:
    """Two FAB roles; the app role `Airflow.Team` gives its identity the first."""
    for name in ("Team", "Other"):
        status, _ = airflow.call("POST", "/auth/fab/v1/roles", airflow.admin(), {"name": name, "actions": []})
        assert status == 200


def govern(airflow: AirflowServer, access_control: str | None, dag_id: str = "governed") -> None:
    """Write a DAG file with this `access_control`, or without the argument."""
    argument = "" if access_control is None else f", access_control={access_control}"
    text = f"from airflow.sdk import DAG\nwith DAG({dag_id!r}, schedule=None{argument}):\n    pass\n"
    (airflow.dags / f"{dag_id}.py").write_text(text)


def held(airflow: AirflowServer, role: str = "Team", dag_id: str = "governed") -> set[tuple[str, str]]:
    """Return what the role may do with the DAG."""
    return {entry for entry in airflow.permissions_of(role) if entry[1].endswith(f":{dag_id}")}


def answers(airflow: AirflowServer, entra: Any) -> tuple[int, int]:
    """Read the DAG and start a run of it, as a member of the team whom no cache knows."""
    member = entra.issue(AIRFLOW, identity_endpoint.Identity(), roles=["Airflow.Trigger", "Airflow.Team"])
    return airflow.call("GET", "/api/v2/dags/governed", member)[0], trigger(airflow, member, "governed")[0]


def test_a_dag_file_grants_and_revokes(airflow: AirflowServer, entra: Any) -> None:
    """Each version of the file is what the role may do from then on, in either spelling that Airflow has."""
    everything = {READ, EDIT, READ_RUNS, CREATE_RUNS}
    for access_control, team, other, statuses in (
        (EVERYTHING, everything, set(), (200, 200)),
        ('{"Team": {"DAGs": {"can_read"}}}', {READ}, set(), (200, 403)),
        ('{"Team": {"can_read", "can_edit"}}', {READ, EDIT}, set(), (200, 403)),
        (EVERYTHING, everything, set(), (200, 200)),
        ('{"Other": {"DAGs": {"can_read"}}}', set(), {READ}, (403, 403)),
        ("{}", set(), set(), (403, 403)),
    ):
        govern(airflow, access_control)
        expected = (team, other)
        airflow.wait_until(lambda: (held(airflow), held(airflow, "Other")) == expected)  # noqa: B023 - this turn's
        assert answers(airflow, entra) == statuses


def test_a_file_without_access_control_revokes_nothing(airflow: AirflowServer) -> None:
    """FAB leaves the DAG's permissions as they are then; `{}` is what takes them away."""
    govern(airflow, '{"Team": {"DAGs": {"can_read"}}}', "ungoverned")
    airflow.wait_until(lambda: held(airflow, dag_id="ungoverned"))
    govern(airflow, None, "ungoverned")
    govern(airflow, '{"Team": {"DAGs": {"can_read"}}}', "parsed_later")
    airflow.wait_until(lambda: held(airflow, dag_id="parsed_later"))
    assert held(airflow, dag_id="ungoverned") == {("can_read", "DAG:ungoverned")}


def test_what_was_granted_otherwise_is_revoked(airflow: AirflowServer) -> None:
    """By the next parse of a DAG whose `access_control` does not name the role, as the page warns."""
    assert held(airflow, "Updraft", "taken_away") == set(permissions_to_trigger("taken_away"))  # by role_dags
    govern(airflow, '{"Team": {"DAGs": {"can_read"}}}', "taken_away")
    airflow.wait_until(lambda: held(airflow, dag_id="taken_away"))
    assert held(airflow, "Updraft", "taken_away") == set()


def test_a_role_that_does_not_exist_is_an_import_error(airflow: AirflowServer) -> None:
    """So a role has to be made before the first DAG file names it."""
    govern(airflow, '{"Nobody": {"DAGs": {"can_read"}}}', "for_nobody")

    def traces() -> list[str]:
        found = airflow.call("GET", "/api/v2/importErrors?limit=100", airflow.admin())[1]["import_errors"]
        return [error["stack_trace"] for error in found if error["filename"].endswith("for_nobody.py")]

    airflow.wait_until(traces)
    assert "a role named 'Nobody', but that role does not exist" in traces()[0]
    (airflow.dags / "for_nobody.py").unlink()
