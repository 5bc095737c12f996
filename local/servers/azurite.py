"""Runs Azurite, Microsoft's emulator of Azure Storage, over HTTPS and with managed identities."""

import base64
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from azure.core.credentials import AccessToken

from local.paths import AZURITE_FOLDER
from local.processes.node import OLDEST, find_node
from local.processes.ports import LOOPBACK, free_port, listens
from local.processes.processes import Process, Processes, StackError
from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint

if TYPE_CHECKING:
    from azure.storage.queue import QueueServiceClient

ACCOUNT = "devstoreaccount1"
"""Azurite's default account."""


class _Signed:
    """A credential whose tokens the identity endpoint signs without a request."""

    def __init__(self, identity: IdentityEndpoint) -> None:
        self._identity = identity

    def get_token(self, *scopes: str, **_options: object) -> AccessToken:
        resource = scopes[0].removesuffix("/.default")
        expires = int(time.time() + self._identity.lifetime)
        return AccessToken(self._identity.issue(resource), expires)


class Azurite:
    """Azurite: an empty storage account at every start, unless it has a folder."""

    def __init__(
        self,
        processes: Processes,
        certificates: Certificates,
        *,
        folder: Path = AZURITE_FOLDER,
        data: Path | None = None,
        accounts: Sequence[str] = (ACCOUNT,),
        preferred_ports: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            processes: Starts it.
            certificates: Its TLS certificate; clients send bearer tokens only over HTTPS.
            folder: The folder with its `node_modules`.
            data: The folder of the account; None for in memory. Azurite writes it every few seconds and when
                it is stopped, so the last changes before a SIGKILL are lost.
            accounts: The names of its accounts; the first one is the account of `environment()`.
            preferred_ports: The ports of `blob`, `queue` and `table` that are taken if they are free.
        """
        self._processes = processes
        self._certificates = certificates
        self._data = data
        self._accounts = accounts
        self._program = folder / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
        services = ("blob", "queue", "table")
        self.ports = {service: free_port(preferred_ports.get(service, 0)) for service in services}
        self._process: Process | None = None

    @property
    def blob_url(self) -> str:
        """The account's blob service."""
        return self._url("blob")

    @property
    def queue_url(self) -> str:
        """The account's queue service."""
        return self._url("queue")

    def start(self) -> None:
        """Start it and return when it answers.

        Raises:
            StackError: Node.js or Azurite is missing, or it did not start; with the end of its log.
        """
        node = find_node()
        if node is None or not self._program.exists():
            raise StackError("azurite", f"needs Node.js {OLDEST} or newer and its packages; run `make setup`")
        options = {
            **{f"--{service}Port": port for service, port in self.ports.items()},
            "--oauth": "basic",
            "--cert": self._certificates.certificate,
            "--key": self._certificates.key,
        }
        # The SDKs send a newer API version than Azurite supports, and use nothing new of it.
        kept: list[str | Path] = ["--location", self._data] if self._data else ["--inMemoryPersistence"]
        switches = ("--skipApiVersionCheck", "--silent", "--disableTelemetry", *kept)
        words = [str(word) for option in options.items() for word in option]
        # An account needs a key, but every client has a token and no client uses the key. It is short,
        # because all accounts have to fit into one environment variable of 128 KiB.
        key = base64.b64encode(secrets.token_bytes(6)).decode()
        accounts = ";".join(f"{name}:{key}" for name in self._accounts)
        self._process = self._processes.start(
            "azurite", [node, self._program, *words, *switches], env={"AZURITE_ACCOUNTS": accounts}
        )
        self._processes.wait_until(
            lambda: all(listens(port) for port in self.ports.values()), (self._process,), seconds=60
        )

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop it; its content in memory is lost."""
        if self._process is not None:
            self._processes.stop(self._process)
            self._process = None

    def environment(self) -> dict[str, str]:
        """Return a function app's settings for this account, with its managed identity."""
        return {
            "AzureWebJobsStorage__blobServiceUri": self.blob_url,
            "AzureWebJobsStorage__queueServiceUri": self.queue_url,
            "AzureWebJobsStorage__credential": "managedidentity",
        }

    def queue_service(self, identity: IdentityEndpoint) -> "QueueServiceClient":
        """Return a client of the queue service for another service's identity, such as Event Grid's.

        Args:
            identity: Signs its tokens in this process, which therefore needs no environment.
        """
        from azure.storage.queue import QueueServiceClient

        return QueueServiceClient(
            self.queue_url, _Signed(identity), connection_verify=str(self._certificates.authority)
        )

    def _url(self, service: str) -> str:
        return f"https://{LOOPBACK}:{self.ports[service]}/{self._accounts[0]}"
