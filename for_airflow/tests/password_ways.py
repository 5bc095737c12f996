"""Tries each way in which FAB takes a password, on the auth manager's own web app; prints JSON.

A program of its own: FAB's app is one for the process, and makes the whole database of an Airflow.
"""

import base64
import json
import os
import re
from typing import Any

from airflow import settings
from airflow.api_fastapi.app import create_auth_manager, purge_cached_app
from airflow.providers.fab.auth_manager.api.auth.backend.basic_auth import auth_current_user
from airflow.utils.db import initdb
from starlette.testclient import TestClient

NAME, RIGHT = "admin", "the-right-one"
BODIES: dict[str, Any] = {
    "right": {"username": NAME, "password": RIGHT},
    "right, another grant": {"username": NAME, "password": RIGHT, "grant_type": "password"},
    "right, by mail": {"username": "a@example.org", "password": RIGHT},
    "wrong": {"username": NAME, "password": "wrong"},
    "unknown": {"username": "nobody", "password": RIGHT},
    "none": {},
    "object alone": {"password": {"a": 1}},
    "object": {"username": NAME, "password": {"a": 1}},
    "array": {"username": [NAME], "password": RIGHT},
    "number": {"username": NAME, "password": 7},
    "true": {"username": True, "password": True},
}


def ways() -> dict[str, Any]:
    """Try them with the options that the environment has now."""
    purge_cached_app()
    manager: Any = create_auth_manager()
    manager.init()
    app = manager.get_fastapi_app()
    with manager.flask_app.app_context():
        security = manager.appbuilder.sm
        if security.find_user(NAME) is None:
            role = security.find_role("Admin")
            security.add_user(NAME, "a", "b", "a@example.org", role, password=RIGHT)
    found: dict[str, Any] = {}
    for path in ("/token", "/token/cli"):
        for name, body in BODIES.items():
            found[f"{path} {name}"] = _client(app).post(path, json=body).status_code
    form = _client(app)
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form.get("/login/").text)
    sent = {"username": NAME, "password": RIGHT, "csrf_token": token[1] if token else ""}
    answer = form.post("/login/", data=sent, follow_redirects=False)
    found["form"] = (answer.status_code, "_token" in answer.cookies)
    login = {"username": NAME, "password": RIGHT, "provider": "db"}
    for provider in ("db", "ldap"):
        answer = _client(app).post("/api/v1/security/login", json=login | {"provider": provider})
        found[f"FAB's API {provider}"] = answer.status_code
    basic = base64.b64encode(f"{NAME}:{RIGHT}".encode()).decode()
    with manager.flask_app.test_request_context(headers={"Authorization": f"Basic {basic}"}):
        found["basic"] = getattr(auth_current_user(), "username", None)
    with manager.flask_app.test_request_context():
        found["LDAP"] = security.auth_user_ldap(NAME, RIGHT)
    return found


def _client(app: Any) -> TestClient:
    return TestClient(app, raise_server_exceptions=False)


def main() -> None:
    """Print what each way gives with the option on, and with the option off."""
    settings.configure_orm()
    initdb()
    found = {}
    for option in ("True", "False"):
        os.environ["AIRFLOW__ENTRA_AUTH_MANAGER__PASSWORD_LOGINS"] = option
        found[option] = ways()
    print(json.dumps(found))  # noqa: T201 - this is a program


if __name__ == "__main__":
    main()
