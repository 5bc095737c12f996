"""Points Airflow at a home of the tests' own before anything imports it."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
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
    from airflow import settings  # noqa: PLC0415 - Airflow reads the environment that conftest sets
    from airflow.models.revoked_token import RevokedToken  # noqa: PLC0415 - the same
    from airflow.providers.fab.auth_manager.models import Role, model_metadata  # noqa: PLC0415 - the same
    from airflow.utils.session import create_session  # noqa: PLC0415 - the same

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
