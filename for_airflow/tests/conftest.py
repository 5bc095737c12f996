"""Points Airflow at a home of the tests' own before anything imports it."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from issuer import Issuer, running_issuer

_HOME = Path(tempfile.mkdtemp(prefix="updraft-airflow-"))
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
