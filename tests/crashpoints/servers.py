"""The servers of one case, whose requests can have faults: Storage, Airflow, Key Vault, token endpoint."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Final, Self
from urllib.parse import urlencode

import urllib3

from local.servers.azurite import Azurite
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.key_vault import LocalKeyVault
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request
from tests.crashpoints.wire import Wire

PASSWORD: Final = "made-up-password"
KEY: Final = "made-up-callback-key-" + "k" * 43
GITHUB_SECRET: Final = "github-secret"
_HOP_BY_HOP: Final = frozenset(
    {"connection", "content-length", "date", "host", "keep-alive", "server", "transfer-encoding"}
)
_ONCE: Final = {"Connection": "close"}
"""Azurite closes a connection after 5 idle seconds, perhaps at the same time as the next request."""
_NAMES: Final = (
    (re.compile(r"/dagRuns/[^/]+$"), "/dagRuns/ID"),
    (re.compile(r"/dags/[^/]+"), "/dags/DAG"),
    (re.compile(r"/messages/[^/]+$"), "/messages/ID"),
    (re.compile(r"[0-9a-f]{16,}"), "HASH"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"/updraft-permits/.+"), "/updraft-permits/PERMIT"),
)


def kind_of(service: str, request: Request, *, account: str = "") -> str:
    """Return a request's kind: the same in every run of a scenario.

    Args:
        service: The server's name.
        request: The request.
        account: The Storage account, which is the first part of the path.
    """
    path = request.path.removeprefix(f"/{account}")
    for pattern, name in _NAMES:
        path = pattern.sub(name, path)
    parts = [service, request.method, path]
    parts += [request.query[name] for name in ("comp", "resource") if name in request.query]
    if action := request.headers.get("x-ms-lease-action"):
        parts.append(action)
    return " ".join(parts)


class _OnTheWire(LoopbackServer):
    """A server whose requests go through the wire first."""

    wire: Wire
    service: str
    account: str = ""

    def answer(self, request: Request) -> Reply | None:
        """Answer as the server does, unless the request has a fault."""
        kind = kind_of(self.service, request, account=self.account)
        return self.wire.carry(kind, lambda: super(_OnTheWire, self).answer(request))


class WiredIdentity(_OnTheWire, IdentityEndpoint):
    """The token endpoint."""

    service = "identity"


class WiredVault(_OnTheWire, LocalKeyVault):
    """Key Vault."""

    service = "vault"


class WiredAirflow(_OnTheWire, AirflowStub):
    """Airflow."""

    service = "airflow"


class StorageProxy(_OnTheWire):
    """A proxy in front of one service of Azurite.

    Args:
        service: `blob` or `queue`.
        account: The case's own account.
        upstream: The service's address, without the account.
        certificates: The proxy's certificate, and the CA to verify Azurite's.
    """

    def __init__(self, service: str, account: str, upstream: str, certificates: Certificates) -> None:
        super().__init__(tls=certificates.server_context())
        self.service = service
        self.account = account
        self._upstream = upstream
        self._pool = urllib3.PoolManager(
            maxsize=8, retries=False, ca_certs=str(certificates.authority), timeout=20
        )

    @property
    def address(self) -> str:
        """The account's address at this proxy."""
        return f"{self.url}/{self.account}"

    def handle(self, request: Request) -> Reply:
        """Send the request to Azurite, and return its answer."""
        query = f"?{urlencode(request.query)}" if request.query else ""
        answer = self._pool.request(
            request.method,
            f"{self._upstream}{request.path}{query}",
            body=request.body,
            headers=_end_to_end(request.headers) | _ONCE,
            decode_content=False,
            redirect=False,
        )
        return Reply(answer.status, answer.data, _end_to_end(answer.headers))


def _end_to_end(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}


class Servers:
    """All servers of one case; a context manager.

    Args:
        wire: The wire that requests go through.
        azurite: The session's Azurite.
        account: An account of it that no other case uses.
        certificates: For the servers that speak TLS.
        dags: The DAGs that Airflow has.
    """

    def __init__(
        self, wire: Wire, azurite: Azurite, account: str, certificates: Certificates, dags: tuple[str, ...]
    ) -> None:
        self._certificates = certificates
        self.identity = WiredIdentity()
        self.vault = WiredVault(certificates, self.identity)
        self.airflow = WiredAirflow(dags)
        self.blobs, self.queues = (
            StorageProxy(service, account, url.rpartition("/")[0], certificates)
            for service, url in (("blob", azurite.blob_url), ("queue", azurite.queue_url))
        )
        for server in self._all():
            server.wire = wire
        self.vault.set("airflow-password", PASSWORD)
        self.vault.set("updraft-callback-key", KEY)
        self.vault.set(GITHUB_SECRET, KEY)
        self.airflow.users["updraft"] = PASSWORD
        self._running = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as starting:
            for server in self._all():
                starting.enter_context(server)
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def settings(self) -> dict[str, str]:
        """Return the application settings of an instance."""
        return {
            **self._certificates.environment(),
            **self.identity.environment(),
            "AzureWebJobsStorage__blobServiceUri": self.blobs.address,
            "AzureWebJobsStorage__queueServiceUri": self.queues.address,
            "AzureWebJobsStorage__credential": "managedidentity",
            "UPDRAFT_KEY_VAULT_URI": self.vault.url,
            "UPDRAFT_AIRFLOW_URL": self.airflow.url,
            "UPDRAFT_URL": "https://updraft.example",
            "UPDRAFT_GITHUB_SECRET": GITHUB_SECRET,
        }

    def _all(self) -> Iterator[_OnTheWire]:
        yield from (self.identity, self.vault, self.airflow, self.blobs, self.queues)
