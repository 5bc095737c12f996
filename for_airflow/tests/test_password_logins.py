"""FAB's password logins can be switched off beside Entra: every one of them, on FAB's own web app."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from issuer import CLIENT, TENANT

pytest.importorskip("airflow.providers.fab", reason="needs the FAB provider")
from flask_appbuilder.const import AUTH_DB, AUTH_LDAP, AUTH_OAUTH, AUTH_REMOTE_USER

from updraft_airflow.password_logins import switch_off, warn

programs = pytest.importorskip("local.processes.programs", reason="needs the repository's local/")
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What each way in gives, by the option."""
    home = tmp_path_factory.mktemp("airflow")
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__API__SECRET_KEY": "made-up-for-the-tests-" * 4,
        "AIRFLOW__CORE__AUTH_MANAGER": "updraft_airflow.auth_manager.EntraFabAuthManager",
        "AIRFLOW__ENTRA_AUTH_MANAGER__TENANT_ID": TENANT,
        "AIRFLOW__ENTRA_AUTH_MANAGER__AUDIENCES": CLIENT,
    }
    done = programs.run([sys.executable, HERE / "password_ways.py"], env=os.environ | settings)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_no_password_gets_in_where_they_are_off(tried: dict[str, dict[str, Any]]) -> None:
    """Neither at Airflow's endpoints, the form, FAB's own API nor basic authentication; nothing breaks."""
    off = tried["False"]
    assert {name: off[name] for name in off if name.startswith("/token")} == {
        name: 401 for name in off if name.startswith("/token")
    }
    assert off["form"] == [302, False]
    assert (off["FAB's API db"], off["basic"], off["LDAP"]) == (401, None, None)
    assert off["FAB's API ldap"] in {400, 401}


def test_the_same_ways_are_open_where_they_are_on(tried: dict[str, dict[str, Any]]) -> None:
    """So the test above would see one that is left open."""
    on = tried["True"]
    for path in ("/token", "/token/cli"):
        statuses = {name.removeprefix(f"{path} "): on[name] for name in on if name.startswith(f"{path} ")}
        assert {name for name in statuses if statuses[name] == 201} == {
            "right",
            "right, another grant",
            "right, by mail",
        }
    assert on["form"] == [302, True]
    assert (on["FAB's API db"], on["basic"]) == (200, "admin")


def test_what_is_not_a_text_is_a_bad_request(tried: dict[str, dict[str, Any]]) -> None:
    """FAB's hash function would fail on it, and the answer would be 500."""
    for name in ("object alone", "object", "array", "number", "true", "none"):
        assert tried["True"][f"/token {name}"] == 400, name


@pytest.mark.parametrize("auth_type", [AUTH_DB, AUTH_LDAP, AUTH_OAUTH, AUTH_REMOTE_USER])
@pytest.mark.parametrize("password_logins", [True, False])
def test_a_door_that_nobody_needs_is_told(
    caplog: pytest.LogCaptureFixture,
    auth_type: int,
    password_logins: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """At the start: passwords beside another login, and people without any login."""
    warn(SimpleNamespace(auth_type=auth_type), password_logins=password_logins)
    by_password = auth_type in (AUTH_DB, AUTH_LDAP)
    expected = "" if by_password == password_logins else "password_logins"
    assert (expected in caplog.text) if expected else caplog.text == ""
    assert ("Nobody can log in" in caplog.text) == (by_password and not password_logins)


def test_an_operators_own_security_manager_is_closed_too() -> None:
    """Its own way to check a password is not called."""

    class Own:
        def auth_user_db(self, *_: object, **_options: object) -> str:
            return "in"

        auth_user_ldap = check_password = auth_user_db

    own = Own()
    switch_off(own)
    assert own.auth_user_db("admin", "right", rotate_session_id=False) is None
    assert own.auth_user_ldap("admin", "right") is None
    assert not own.check_password("admin", "right")
