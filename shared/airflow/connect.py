"""From a connection of rules.yaml to its client: vault, tokens, transport."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.airflow.auth.source import token_source
from shared.airflow.client import AirflowClient
from shared.azure.credential import azure_credential

if TYPE_CHECKING:
    from shared.azure.key_vault import Vaults
    from shared.rules import Connection


def connect(connection: "Connection", vaults: "Vaults", addresses: Mapping[str, str]) -> AirflowClient:
    """Return the client of a connection; nothing is asked here.

    Args:
        connection: As in rules.yaml.
        vaults: The process's Key Vaults.
        addresses: The addresses of the vaults that rules.yaml names, by name.

    Raises:
        SettingsError: The address of the connection's vault is not https.
    """
    secrets = vaults.named(connection.vault, addresses)
    return AirflowClient(connection, token_source(connection, secrets=secrets, credential=azure_credential))
