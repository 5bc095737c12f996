"""Makes the client of a connection in rules.yaml: vault, tokens, transport."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.airflow.auth.source import token_source
from shared.airflow.client import AirflowClient
from shared.airflow.transport import HeaderTransport, Transport
from shared.azure.credential import azure_credential
from shared.rules import AwsAuth

if TYPE_CHECKING:
    from shared.airflow.client import Starting
    from shared.azure.key_vault import Secrets, Vaults
    from shared.rules import Connection


def connect(
    connection: "Connection",
    vaults: "Vaults",
    addresses: Mapping[str, str],
    starting: "Starting | None" = None,
) -> AirflowClient:
    """Return the client of a connection; no request is sent.

    Args:
        connection: As in rules.yaml.
        vaults: The process's Key Vaults.
        addresses: The addresses of the vaults that rules.yaml names, by name.
        starting: As for `AirflowClient`.

    Raises:
        SettingsError: The address of the connection's vault is not https.
    """
    secrets = vaults.named(connection.vault, addresses)
    return AirflowClient(transport_to(connection, secrets), connection.api, starting)


def transport_to(connection: "Connection", secrets: "Secrets") -> Transport[Any]:
    """Return the transport to the connection's Airflow: direct, or through AWS."""
    auth = connection.auths[0]
    if isinstance(auth, AwsAuth):
        from shared.airflow.auth.aws import AwsRole
        from shared.airflow.mwaa import MwaaTransport

        return MwaaTransport(connection, AwsRole(connection, auth, credential=azure_credential))
    tokens = token_source(connection, secrets=secrets, credential=azure_credential)
    return HeaderTransport(connection, tokens)
