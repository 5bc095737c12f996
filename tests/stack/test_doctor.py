"""`updraft doctor` on a real Airflow."""

from typing import TYPE_CHECKING

import pytest

from local.servers.airflow_process import Airflow
from local.stand_ins.key_vault import LocalKeyVault
from tests.support.doctor import Doctor

if TYPE_CHECKING:
    from tests.support.endpoints import Watch


def test_a_real_airflow_starts_nothing(
    doctor: Doctor,
    real_airflow: Airflow,
    vault: LocalKeyVault,
    watch: "Watch",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Airflow 3.3 checks who may start runs before it refuses the doctor's empty request."""
    monkeypatch.setenv("UPDRAFT_KEY_VAULT_URI", vault.url)
    token = real_airflow.token()
    vault.set("token", token)
    before = real_airflow.call("GET", "/api/v2/dags/smoke_tests/dagRuns", token=token)["total_entries"]
    status, text = doctor(real_airflow.url, "{kind: bearer, token_secret: token}")
    after = real_airflow.call("GET", "/api/v2/dags/smoke_tests/dagRuns", token=token)["total_entries"]
    assert (status, after) == (0, before), text
