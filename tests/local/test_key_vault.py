"""The stand-in for Key Vault, with the unchanged azure-keyvault-secrets."""

import time

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.key_vault import LocalKeyVault


@pytest.fixture
def client(vault: LocalKeyVault) -> SecretClient:
    """The SDK's own client, with its default checks."""
    return SecretClient(vault.url, ManagedIdentityCredential(), retry_total=0)


def test_the_default_challenge_check_passes(client: SecretClient, vault: LocalKeyVault) -> None:
    """A secret is read through the challenge, with no switch on the client; later reads need none."""
    version = vault.set("airflow-password", "first-value")
    assert client.get_secret("airflow-password").value == "first-value"
    assert client.get_secret("airflow-password", version).properties.version == version
    assert [seen.status for seen in vault.seen] == [401, 200, 200]


def test_the_newest_version_is_the_current_one(client: SecretClient, vault: LocalKeyVault) -> None:
    """A rotation changes the current value, and the old version stays readable by its id."""
    old = vault.set("airflow-password", "first-value")
    vault.set("airflow-password", "second-value")
    assert client.get_secret("AIRFLOW-password").value == "second-value"
    assert client.get_secret("airflow-password", old).value == "first-value"


def test_an_expired_secret_is_still_given_out(client: SecretClient, vault: LocalKeyVault) -> None:
    """The expiry is an attribute for the reader, as in the service."""
    vault.set("airflow-password", "first-value")
    vault.expire("airflow-password", time.time() - 60)
    found = client.get_secret("airflow-password")
    assert found.properties.expires_on is not None
    assert found.properties.expires_on.timestamp() < time.time()


def test_a_missing_secret_and_a_missing_version_are_not_found(
    client: SecretClient, vault: LocalKeyVault
) -> None:
    """Both are SecretNotFound."""
    vault.set("there", "first-value")
    vault.set("gone", "other-value")
    vault.delete("gone")
    for name, version in (("gone", None), ("there", "0" * 32)):
        with pytest.raises(ResourceNotFoundError) as caught:
            client.get_secret(name, version)
        assert caught.value.error is not None
        assert caught.value.error.code == "SecretNotFound"


def test_refusals_carry_their_inner_code(client: SecretClient, vault: LocalKeyVault) -> None:
    """A disabled secret and a missing role differ only in the inner code."""
    vault.set("airflow-password", "first-value")
    vault.disable("airflow-password")
    with pytest.raises(HttpResponseError) as disabled:
        client.get_secret("airflow-password")
    vault.deny("ForbiddenByRbac")
    with pytest.raises(HttpResponseError) as denied:
        client.get_secret("airflow-password")
    inner = [caught.value.error.innererror for caught in (disabled, denied) if caught.value.error]
    assert inner == [{"code": "SecretDisabled"}, {"code": "ForbiddenByRbac"}]


def test_a_token_for_another_resource_is_refused(
    vault: LocalKeyVault, identity: IdentityEndpoint, certificates: Certificates
) -> None:
    """Only a token with the tenant's key, for this vault, is accepted."""
    vault.set("airflow-password", "first-value")
    url = f"{vault.url}/secrets/airflow-password/?api-version=2026-04-01"
    for token in (identity.issue("https://storage.azure.com"), "junk"):
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.get(url, headers=headers, verify=str(certificates.authority), timeout=10)
        assert answer.status_code == 401
        assert vault.resource in answer.headers["WWW-Authenticate"]


def test_only_reads_of_secrets_are_served(vault: LocalKeyVault, identity: IdentityEndpoint) -> None:
    """A write or another path is a bad request."""
    headers = {"Authorization": f"Bearer {identity.issue(vault.resource)}"}
    assert requests.put(f"{vault.url}/secrets/a/", headers=headers, timeout=10).status_code == 400
    assert requests.get(f"{vault.url}/keys/a/", headers=headers, timeout=10).status_code == 400


def test_the_servers_key_is_for_its_owner_alone(certificates: Certificates) -> None:
    """The private key's file is closed to others."""
    assert certificates.key.stat().st_mode & 0o077 == 0
