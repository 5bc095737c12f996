"""Fixtures: the app in Microsoft's runtime, with callers, a Key Vault and a stub of Airflow, over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import shared.app
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.identity_endpoint import Audience, IdentityEndpoint
from local.stand_ins.key_vault import LocalKeyVault
from tests.support.calling_parts import AUDIENCE, CLIENT_ID, GITHUB_KEY, KEY, RULES, Caller
from tests.support.functions_host import running_host
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from tests.support.endpoints import Watch

QUEUE_FUNCTIONS = ("event_queue", "event_queue_poison", "parked_queue", "parked_queue_poison")


@pytest.fixture
def settings(stub: AirflowStub, identity: IdentityEndpoint, leases: object) -> dict[str, str]:
    """The application settings of these tests."""
    identity.expose(AUDIENCE, Audience(version=2, name=CLIENT_ID))
    return {
        "UPDRAFT_AIRFLOW_URL": stub.url,
        "UPDRAFT_TENANT_ID": identity.tenant_id.upper(),
        "UPDRAFT_AUDIENCE": f"{CLIENT_ID} {AUDIENCE}",
        "UPDRAFT_AUTHORITY": identity.url,
        "UPDRAFT_URL": "https://updraft.example",
        "UPDRAFT_GITHUB_SECRET": "github-secret",
    }


@pytest.fixture
def caller(
    stub: AirflowStub,
    identity: IdentityEndpoint,
    vault: LocalKeyVault,
    watch: "Watch",
    settings: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Caller]:
    """The app in a host, and a way to call it."""
    vault.set("updraft-callback-key", KEY)
    vault.set("github-secret", GITHUB_KEY)
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    shared.app._app.cache_clear()
    monkeypatch.setenv("UPDRAFT_RULES", str(rules))
    for name, value in {**settings, "UPDRAFT_KEY_VAULT_URI": vault.url}.items():
        monkeypatch.setenv(name, value)
    for function in QUEUE_FUNCTIONS:
        monkeypatch.setenv(f"AzureWebJobs.{function}.Disabled", "true")
    with running_host(ROOT) as host:
        yield Caller(host, stub, identity, watch)
    shared.app._app.cache_clear()
