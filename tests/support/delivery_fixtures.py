"""Fixtures: a stub of Airflow with the tests' DAGs, and a relay that leads to it."""

from collections.abc import Iterator

import pytest

from local.stand_ins.airflow_stub import AirflowStub
from tests.support.delivery import DAG, Delivering


@pytest.fixture
def stub() -> Iterator[AirflowStub]:
    """A running stub of Airflow."""
    with AirflowStub((DAG, "smoke_two", "greet")) as stub:
        yield stub


@pytest.fixture
def delivering(stub: AirflowStub) -> Delivering:
    """A relay to the stub."""
    return Delivering(stub.url)
