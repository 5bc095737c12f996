"""The vaults of one process: the app's own by its setting, others by their names in rules.yaml."""

from typing import TYPE_CHECKING

import pytest

from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.key_vault import LocalKeyVault
from shared.azure.credential import azure_credential
from shared.azure.key_vault import Vaults
from shared.errors import SettingsError
from shared.settings import KEY_VAULT_URI, Settings

if TYPE_CHECKING:
    from tests.support.endpoints import Watch


def test_each_connection_reads_from_the_vault_that_it_names(
    vault: LocalKeyVault, identity: IdentityEndpoint, certificates: Certificates, watch: "Watch"
) -> None:
    """One name means two secrets in two vaults, and each vault is made once."""
    with LocalKeyVault(certificates, identity) as theirs:
        vault.set("password", "made-up-own-password")
        theirs.set("password", "made-up-password-of-theirs")
        vaults = Vaults(Settings.of({KEY_VAULT_URI: vault.url}), azure_credential)
        named = {"partner": theirs.url}
        assert vaults.named(None, named).get("password") == "made-up-own-password"
        assert vaults.named("partner", named).get("password") == "made-up-password-of-theirs"
        assert vaults.named("partner", named) is vaults.named("partner", named)
        vault.set("password", "made-up-new-password")
        assert vaults.own.refresh("password") == "made-up-new-password"
        assert str(vaults.own) == vault.url


def test_an_app_without_a_vault_is_told_when_it_needs_one() -> None:
    """The error with the setting's name is raised at the first secret, and not before."""
    own = Vaults(Settings.of({}), azure_credential).own
    with pytest.raises(SettingsError, match=KEY_VAULT_URI):
        own.get("password")
