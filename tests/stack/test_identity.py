"""The kinds of `auth` for Airflow 3, from the identity endpoint to a run in a real Airflow 3.3."""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.servers.airflow_auth import AIRFLOW_RESOURCE, USER
from local.servers.airflow_process import Airflow
from local.stand_ins.key_vault import LocalKeyVault
from shared.admission.breaker import Breaker
from shared.airflow.auth.source import TokenSource, token_source
from shared.azure.credential import azure_credential
from shared.azure.key_vault import KeyVault, Vaults
from shared.delivery.attempts import Attempts
from shared.delivery.outcomes import OutcomeKind
from shared.delivery.policy import Budget
from shared.delivery.target import Target
from shared.errors import TokenUnavailable
from shared.rules import Connection
from shared.settings import Settings
from tests.support.delivery import DAG, client_for, run_request
from tests.support.in_memory import FixedLimiter

if TYPE_CHECKING:
    from tests.support.endpoints import Watch


def connection_to(airflow: Airflow, **auth: str) -> Connection:
    """Return a connection as in rules.yaml, with long timeouts for a busy machine."""
    return Connection.model_validate(
        {"name": "main", "url": airflow.url, "auth": auth, "connect_timeout": 10.0, "read_timeout": 25.0}
    )


def start(connection: Connection, tokens: TokenSource, run_id: str) -> OutcomeKind:
    """Request a run as the relay does, and return the result."""
    target = Target(client_for(connection, tokens), Breaker(), FixedLimiter(1))
    return Attempts(target, run_request(dag_run_id=run_id), Budget(deadline=float("inf"))).run().kind


@pytest.mark.parametrize("kind", ["entra", "entra_exchange"])
def test_a_managed_identity_starts_a_run(real_airflow: Airflow, stack_environment: Path, kind: str) -> None:
    """Without any secret a run is started once; a broken token is replaced within one request."""
    connection = connection_to(real_airflow, kind=kind, scope=f"{AIRFLOW_RESOURCE}/.default")
    no_vault = Vaults(Settings.of({}), azure_credential).own
    tokens = token_source(connection, secrets=no_vault, credential=azure_credential)
    run_id = uuid.uuid4().hex
    assert start(connection, tokens, run_id) is OutcomeKind.STARTED
    assert start(connection, tokens, run_id) is OutcomeKind.DUPLICATE

    class Broken:
        """A token source whose first token is broken."""

        def headers(self) -> dict[str, str]:
            return {"Authorization": tokens.headers()["Authorization"][:-8]}

        def renew(self, _: object) -> dict[str, str]:
            return dict(tokens.headers())

    assert start(connection, Broken(), run_id) is OutcomeKind.DUPLICATE


def test_a_token_for_something_else_is_refused(real_airflow: Airflow, stack_environment: Path) -> None:
    """Airflow refuses a token with another audience, and the reason has the fix."""
    connection = connection_to(real_airflow, kind="entra_exchange", scope="api://something-else/.default")
    no_vault = Vaults(Settings.of({}), azure_credential).own
    tokens = token_source(connection, secrets=no_vault, credential=azure_credential)
    with pytest.raises(TokenUnavailable, match="app role") as caught:
        tokens.headers()
    assert caught.value.permanent


def test_a_password_starts_a_run(
    airflow_with_passwords: Airflow, vault: LocalKeyVault, key_vault: KeyVault, watch: "Watch"
) -> None:
    """The Simple and the FAB auth manager accept the vault's password, also after a rotation."""
    airflow = airflow_with_passwords
    connection = connection_to(airflow, kind="airflow", username=USER, password_secret="airflow-password")
    tokens = token_source(connection, secrets=key_vault, credential=azure_credential)
    vault.set("airflow-password", "the-password-before")
    assert key_vault.get("airflow-password") == "the-password-before"
    vault.set("airflow-password", airflow.passwords[USER])
    run_id = uuid.uuid4().hex
    assert start(connection, tokens, run_id) is OutcomeKind.STARTED
    assert start(connection, tokens, run_id) is OutcomeKind.DUPLICATE
    assert client_for(connection, tokens).try_start(DAG).status == 422
