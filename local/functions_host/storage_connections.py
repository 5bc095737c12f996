"""Creates the queue client of a binding's `connection`, as the real host does.

A connection is an application setting with a connection string. With an identity it is a group of settings:
`<name>__queueServiceUri`, `<name>__credential`, `<name>__clientId`
(learn.microsoft.com/azure/azure-functions/functions-reference, "Configure an identity-based connection").
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from local.functions_host.settings import HostSettingsError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.storage.queue import QueueServiceClient

# The account of every storage emulator. Its key is public (learn.microsoft.com/azure/storage/common/
# storage-use-emulator) and works only there.
_DEVELOPMENT_STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
)

# The host polls again itself. The client's own retries take a minute, and a stop would wait for them.
_PATIENCE: dict[str, Any] = {"retry_total": 0, "connection_timeout": 5, "read_timeout": 30}


def queue_service(connection: str, settings: Mapping[str, str], *, where: str) -> "QueueServiceClient":
    """Return a client of the queue service of a connection.

    Args:
        connection: The binding's `connection`; empty means `AzureWebJobsStorage`.
        settings: The application settings.
        where: The binding's function, for the error.

    Raises:
        HostSettingsError: If the settings do not name a queue service.
    """
    from azure.storage.queue import QueueServiceClient

    name = connection or "AzureWebJobsStorage"
    text = settings.get(name) or settings.get(f"AzureWebJobs{name}")
    if text:
        if "usedevelopmentstorage=true" in text.replace(" ", "").lower():
            text = _DEVELOPMENT_STORAGE
        try:
            return QueueServiceClient.from_connection_string(text, **_PATIENCE)
        except ValueError:
            raise HostSettingsError(
                f"{where}: the setting {name} is not a Storage connection string"
            ) from None
    url = settings.get(f"{name}__queueServiceUri")
    if not url and (account := settings.get(f"{name}__accountName")):
        url = f"https://{account}.queue.core.windows.net"
    if not url:
        raise HostSettingsError(
            f"{where}: no Storage connection {name}: set {name} (a connection string) or "
            f"{name}__queueServiceUri"
        )
    return QueueServiceClient(url, credential=_credential(name, settings), **_PATIENCE)


def _credential(name: str, settings: Mapping[str, str]) -> "TokenCredential":
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

    if settings.get(f"{name}__credential", "").lower() == "managedidentity":
        return ManagedIdentityCredential(client_id=settings.get(f"{name}__clientId"))
    return DefaultAzureCredential()
