"""Fixtures: the product's Storage on the session's real Azurite, as the stand-in's managed identity."""

import uuid
from collections.abc import Iterator

import pytest
from azure.core.exceptions import ResourceNotFoundError

from local.servers.azurite import Azurite
from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from shared.azure.credential import azure_credential
from shared.azure.storage_account import DEAD_LETTERS_CONTAINER, Storage
from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE, poison_queue


@pytest.fixture
def storage(
    azurite: Azurite, certificates: Certificates, identity: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch
) -> Storage:
    """The product's Storage, reached as the managed identity that `identity` has put into the environment."""
    assert identity.url
    for name, value in certificates.environment().items():
        monkeypatch.setenv(name, value)
    return Storage(azurite.environment(), azure_credential)


@pytest.fixture
def prefix() -> str:
    """The prefix of the names of a queue and containers that do not exist and that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def own_container(storage: Storage, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """The app's own container and queues, as the command finds them; empty before and after."""
    for name, value in azurite.environment().items():
        monkeypatch.setenv(name, value)

    def empty() -> None:
        for queue in (EVENT_QUEUE, PARKED_QUEUE, poison_queue(EVENT_QUEUE), poison_queue(PARKED_QUEUE)):
            try:
                storage.queue(queue).clear_messages()
            except ResourceNotFoundError:
                continue
        container = storage.container(DEAD_LETTERS_CONTAINER)
        if container.exists():
            for blob in container.list_blobs():
                container.delete_blob(blob.name)

    empty()
    yield storage
    empty()
