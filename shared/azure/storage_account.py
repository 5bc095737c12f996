"""Clients for the app's Storage account, with its identity: no keys, no connection strings.

The addresses are in the settings that the Functions host reads for an identity-based connection
(https://learn.microsoft.com/azure/azure-functions/functions-reference, "Connections"):
`AzureWebJobsStorage__queueServiceUri` and `__blobServiceUri`, or `__accountName`.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from shared.errors import SettingsError, StorageUnavailable
from shared.values.app_settings import setting
from shared.values.urls import check_address

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential
    from azure.core.pipeline.transport import RequestsTransport
    from azure.storage.blob import BlobServiceClient, ContainerClient
    from azure.storage.queue import QueueClient, QueueServiceClient

CONNECTION: Final = "AzureWebJobsStorage"
DEAD_LETTERS_CONTAINER: Final = "updraft-dead-letters"
CLAIMS_CONTAINER: Final = "updraft-claims"
WINDOWS_CONTAINER: Final = "updraft-windows"

CONNECTIONS: Final = 32
"""Open connections to each service: one for each thread of the worker (PYTHON_THREADPOOL_THREAD_COUNT).

The libraries keep 10, and each call beyond those makes and closes a connection, with a TLS handshake."""
_CALL_SECONDS: Final[dict[str, Any]] = {"connection_timeout": 3, "read_timeout": 5}
"""The libraries' defaults are 20 and 60 s, longer than Event Grid waits for this app."""
_SCOPE: Final = "https://storage.azure.com/.default"
_RETRIES: Final = 1
_BACKOFF_SECONDS: Final = 0.5


class Storage:
    """Makes clients for queues and containers; each service's client is made once, on first use.

    Args:
        settings: The application settings.
        credential: Returns the process's Azure credential; called on first use.
    """

    def __init__(self, settings: Mapping[str, str], credential: "Callable[[], TokenCredential]") -> None:
        self._settings = settings
        self._credential = credential
        self._lock = threading.Lock()
        self._queues: QueueServiceClient | None = None
        self._blobs: BlobServiceClient | None = None

    def queue(self, name: str) -> "QueueClient":
        """Return the client of a queue, which need not exist yet; messages are not encoded.

        The Functions host does not encode them either (`messageEncoding` in host.json).

        Raises:
            SettingsError: No setting has the account, or its value is not an address.
        """
        with self._lock:
            if self._queues is None:
                from azure.storage.queue import LinearRetry, QueueServiceClient

                self._queues = QueueServiceClient(
                    self.address("queue"),
                    _ForStorage(self._credential()),
                    retry_policy=_retries(LinearRetry),
                    transport=_transport(),
                    permit_redirects=False,
                )
            return self._queues.get_queue_client(name)

    def container(self, name: str) -> "ContainerClient":
        """Return the client of a blob container, which need not exist yet; raises as `queue`."""
        return self._blob_service().get_container_client(name)

    def container_names(self) -> list[str]:
        """Return the names of the account's containers, which needs a right on the whole account.

        Raises:
            SettingsError: As `queue`.
            StorageUnavailable: They cannot be listed.
        """
        service = self._blob_service()
        with storage_errors("the containers of the account cannot be listed"):
            return [str(each.name) for each in service.list_containers()]

    def _blob_service(self) -> "BlobServiceClient":
        with self._lock:
            if self._blobs is None:
                from azure.storage.blob import BlobServiceClient, LinearRetry

                self._blobs = BlobServiceClient(
                    self.address("blob"),
                    _ForStorage(self._credential()),
                    retry_policy=_retries(LinearRetry),
                    transport=_transport(),
                    permit_redirects=False,
                )
            return self._blobs

    def address(self, service: str) -> str:
        """Return the address of the account's `queue` or `blob` service.

        Raises:
            SettingsError: No setting has the account, or its value is not an address.
        """
        if address := setting(self._settings, f"{CONNECTION}__{service}ServiceUri"):
            return _checked(address, f"{CONNECTION}__{service}ServiceUri")
        if account := setting(self._settings, f"{CONNECTION}__accountName"):
            return _checked(f"https://{account}.{service}.core.windows.net", f"{CONNECTION}__accountName")
        raise SettingsError(
            f"neither {CONNECTION}__{service}ServiceUri nor {CONNECTION}__accountName is set: set one of "
            "them to the account that stores parked deliveries and dead letters; a connection string in "
            f"{CONNECTION} is not used, because it holds a key"
        )


class _ForStorage:
    """A credential for the libraries that returns only tokens for Storage.

    The libraries would request a token for any resource and tenant that an answer of 401 names, and send it.
    """

    def __init__(self, credential: "TokenCredential") -> None:
        self._credential = credential

    def get_token(self, *scopes: str, **_: Any) -> "AccessToken":
        if scopes != (_SCOPE,):
            from azure.core.exceptions import ClientAuthenticationError

            raise ClientAuthenticationError(f"Storage asked for a token that is not for {_SCOPE}")
        return self._credential.get_token(_SCOPE)


def _checked(address: str, name: str) -> str:
    try:
        check_address(address, name=name, example="https://contoso.queue.core.windows.net", allow_http=True)
    except ValueError as error:
        raise SettingsError(f"the application setting {error}") from None
    return address


def _retries(policy: Callable[..., Any]) -> Any:
    return policy(backoff=_BACKOFF_SECONDS, retry_total=_RETRIES, random_jitter_range=_BACKOFF_SECONDS)


def _transport() -> "RequestsTransport":
    from azure.core.pipeline.transport import RequestsTransport
    from requests import Session
    from requests.adapters import HTTPAdapter

    session = Session()
    session.mount(
        "https://", HTTPAdapter(pool_maxsize=CONNECTIONS)
    )  # the retry policy retries, not the transport
    return RequestsTransport(session=session, **_CALL_SECONDS)


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turn the errors of the Storage libraries into `StorageUnavailable`.

    `ValueError` is included, because msal raises a `JSONDecodeError` if the identity endpoint answers without
    JSON.

    Args:
        doing: What failed, as in "the delivery cannot be parked in the queue updraft-parked".

    Raises:
        StorageUnavailable: With the status and the service's error code.
    """
    from azure.core.exceptions import AzureError

    try:
        yield
    except (AzureError, ValueError) as exc:
        status = getattr(exc, "status_code", None)
        code = getattr(exc, "error_code", None)
        facts = ", ".join(str(fact) for fact in (type(exc).__name__, status, code) if fact)
        raise StorageUnavailable(
            f"{doing} ({facts}): check that the account can be reached, and that the app's identity has the "
            "roles Storage Queue Data Contributor and Storage Blob Data Contributor on it"
        ) from exc


def create_if_missing(create: Callable[[], object], act: Callable[[], object]) -> None:
    """Do something in a queue or container; if it is missing, create it and try again.

    The usual case needs no extra call. Two instances may create it at the same time.
    """
    from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

    try:
        act()
    except ResourceNotFoundError:
        with suppress(ResourceExistsError):  # another instance created it meanwhile
            create()
        act()
