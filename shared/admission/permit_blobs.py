"""Permits as leases on blobs of the app's Storage account, one blob for each permit.

A lease is exclusive and expires, and the app needs its Storage account anyway
(https://learn.microsoft.com/rest/api/storageservices/lease-blob). The requests use azure-core, which the
identity has imported already: azure.storage.blob would add 0.2 s to a cold start.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from shared.admission.permit_store import LEASE_SECONDS, View
from shared.azure.storage_account import storage_errors
from shared.errors import CredentialError, StorageUnavailable

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from azure.core import PipelineClient
    from azure.core.credentials import TokenCredential
    from azure.core.rest import HttpRequest, HttpResponse

PERMITS_CONTAINER: Final = "updraft-permits"
LONGEST_WAIT: Final = 7200.0
"""Seconds after which the ticket of a waiting instance is deleted: the instance has probably ended."""
_SCOPE: Final = "https://storage.azure.com/.default"
_API_VERSION: Final = "2021-12-02"
_OK, _CREATED, _ACCEPTED, _NOT_FOUND, _CONFLICT, _PRECONDITION = 200, 201, 202, 404, 409, 412
_LEASED: Final = frozenset({"leased", "breaking"})
_NOT_IN_A_NAME: Final = re.compile(r"[^a-z0-9.-]")


def permits_of(url: str) -> str:
    """Return the name of an Airflow's permits; connections to the same address share it.

    Args:
        url: The connection's address.
    """
    whole = url.rstrip("/").lower()
    host = _NOT_IN_A_NAME.sub("-", urlsplit(whole).hostname or "airflow")
    return f"{host}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


class PermitBlobs:
    """The permits of one Airflow; used by one thread at a time.

    Args:
        address: Returns the address of the account's blob service; raises `SettingsError` if it is missing.
        credential: Returns the process's Azure credential.
        name: The folder of the blobs, from `permits_of`.
        places: The number of permits.
        container: The container's name.
        lease_seconds: The duration of a lease; shorter in tests.
    """

    def __init__(
        self,
        address: Callable[[], str],
        credential: "Callable[[], TokenCredential]",
        *,
        name: str,
        places: int,
        container: str = PERMITS_CONTAINER,
        lease_seconds: int = LEASE_SECONDS,
    ) -> None:
        self._address = address
        self._credential = credential
        self._name = name
        self._tickets = f"{name}/line/"
        self._ticket = f"{self._tickets}{_unique()}"
        self._first: str | None = None
        self._places = places
        self._container = container
        self._lease_seconds = lease_seconds
        self._lock = threading.Lock()
        self._pipeline: PipelineClient[HttpRequest, HttpResponse] | None = None
        self._asked_for: dict[int, str] = {}

    def acquire(self, index: int) -> str | None:
        """Acquire a permit; see `PermitStore`.

        A call without a response may have acquired it: the next call has the same lease id, and succeeds.
        """
        lease = self._asked_for.setdefault(index, _unique())
        headers = {
            "x-ms-lease-action": "acquire",
            "x-ms-lease-duration": str(self._lease_seconds),
            "x-ms-proposed-lease-id": lease,
        }
        status = self._lease(index, headers, (_CREATED, _OK, _CONFLICT, _NOT_FOUND))
        if status == _NOT_FOUND:
            self._make(index)
            status = self._lease(index, headers, (_CREATED, _OK, _CONFLICT))
        del self._asked_for[index]
        return None if status == _CONFLICT else lease

    def renew(self, index: int, lease: str) -> bool:
        """Renew a lease; see `PermitStore`."""
        headers = {"x-ms-lease-action": "renew", "x-ms-lease-id": lease}
        return self._lease(index, headers, (_OK, _CONFLICT, _NOT_FOUND, _PRECONDITION)) == _OK

    def release(self, index: int, lease: str) -> None:
        """Release a permit; see `PermitStore`."""
        headers = {"x-ms-lease-action": "release", "x-ms-lease-id": lease}
        self._lease(index, headers, (_OK, _CONFLICT, _NOT_FOUND, _PRECONDITION))

    def look(self) -> View:
        """Return the free permits and the wait queue; see `PermitStore`."""
        query = f"restype=container&comp=list&prefix={quote(self._name + '/', safe='')}"
        response = self._send("GET", f"{self._container}?{query}", {}, (_OK, _NOT_FOUND))
        if response.status_code == _NOT_FOUND:
            return View(frozenset(range(self._places)))
        from xml.etree import ElementTree as ET

        blobs = list(ET.fromstring(response.content).iter("Blob"))  # noqa: S314 - from the app's own account
        leased = {_name(blob) for blob in blobs if blob.findtext("Properties/LeaseState") in _LEASED}
        queue = self._tickets_of(blobs, now=parsedate_to_datetime(response.headers["Date"]))
        self._first = queue[0] if queue else None
        mine = self._ticket in queue
        return View(
            free=frozenset(index for index in range(self._places) if self._blob(index) not in leased),
            ahead=queue.index(self._ticket) if mine else len(queue),
            waiting=len(queue) - mine,
            queued=mine,
        )

    def join(self) -> None:
        """Join the wait queue; see `PermitStore`. Storage records the time."""
        status = self._put(self._ticket, (_CREATED, _NOT_FOUND))
        if status == _NOT_FOUND:
            self._make_container()
            self._put(self._ticket, (_CREATED,))

    def leave(self) -> None:
        """Leave the wait queue; see `PermitStore`."""
        self._delete(self._ticket)

    def drop_first(self) -> None:
        """Remove the first instance from the wait queue; see `PermitStore`."""
        if self._first is not None:
            self._delete(self._first)

    def _tickets_of(self, blobs: "Iterable[Element]", *, now: datetime) -> list[str]:
        """Return the tickets of the wait queue in order; old ones are deleted."""
        tickets = []
        for blob in blobs:
            name = _name(blob)
            if not name.startswith(self._tickets):
                continue
            since = parsedate_to_datetime(blob.findtext("Properties/Last-Modified", ""))
            if (now - since).total_seconds() > LONGEST_WAIT:
                self._delete(name)
            else:
                tickets.append((since, name))
        return [name for _, name in sorted(tickets)]

    def _lease(self, index: int, headers: dict[str, str], expected: tuple[int, ...]) -> int:
        path = f"{self._container}/{quote(self._blob(index))}?comp=lease"
        return self._send("PUT", path, headers, expected).status_code

    def _make(self, index: int) -> None:
        """Create a permit's blob and the container; other instances may do the same at this moment."""
        self._make_container()
        self._put(self._blob(index), (_CREATED, _CONFLICT, _PRECONDITION), **{"If-None-Match": "*"})

    def _make_container(self) -> None:
        self._send("PUT", f"{self._container}?restype=container", {}, (_CREATED, _CONFLICT))

    def _put(self, blob: str, expected: tuple[int, ...], **headers: str) -> int:
        path = f"{self._container}/{quote(blob)}"
        return self._send("PUT", path, {"x-ms-blob-type": "BlockBlob", **headers}, expected).status_code

    def _delete(self, blob: str) -> None:
        self._send("DELETE", f"{self._container}/{quote(blob)}", {}, (_ACCEPTED, _NOT_FOUND))

    def _blob(self, index: int) -> str:
        return f"{self._name}/{index:02}"

    def _send(
        self, method: str, path: str, headers: dict[str, str], expected: tuple[int, ...]
    ) -> "HttpResponse":
        from azure.core.rest import HttpRequest

        doing = f"the permits in the container {self._container} cannot be reached"
        try:
            with storage_errors(doing):
                client = self._client()
                request = HttpRequest(
                    method,
                    f"{self._address().rstrip('/')}/{path}",
                    headers={
                        "x-ms-version": _API_VERSION,
                        "x-ms-date": format_datetime(datetime.now(UTC), usegmt=True),
                        "Content-Length": "0",
                        **headers,
                    },
                )
                response: HttpResponse = client.send_request(request)
        except CredentialError as exc:
            raise StorageUnavailable(f"{doing}: {exc}") from exc
        if response.status_code not in expected:
            code = response.headers.get("x-ms-error-code", "")
            raise StorageUnavailable(
                f"{doing} (HTTP {response.status_code} {code}): the app's identity needs the role "
                "Storage Blob Data Contributor on the account"
            )
        return response

    def _client(self) -> "PipelineClient[HttpRequest, HttpResponse]":
        with self._lock:
            if self._pipeline is None:
                from azure.core import PipelineClient
                from azure.core.pipeline.policies import BearerTokenCredentialPolicy

                from shared.azure.credential import short_transport

                policies = [BearerTokenCredentialPolicy(self._credential(), _SCOPE)]
                transport = short_transport()
                self._pipeline = PipelineClient(self._address(), policies=policies, transport=transport)
            return self._pipeline


def _unique() -> str:
    from uuid import uuid4

    return str(uuid4())


def _name(blob: "Element") -> str:
    return blob.findtext("Name", "")
