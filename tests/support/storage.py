"""Fixtures: the product's Storage on the session's real Azurite, as the stand-in's managed identity."""

import uuid

import pytest

from local.servers.azurite import Azurite
from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from shared.azure.credential import azure_credential
from shared.azure.storage_account import Storage


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
    """The beginning of names for a queue and containers that nobody else uses, and that do not exist yet."""
    return f"t{uuid.uuid4().hex[:12]}"
