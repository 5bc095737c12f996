"""The Key Vaults of a command, read as this process's identity."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.azure.key_vault import Vaults


def key_vaults(environment: Mapping[str, str]) -> "Vaults":
    """Return the Key Vaults.

    Args:
        environment: The application settings.
    """
    from shared.azure.credential import azure_credential
    from shared.azure.key_vault import Vaults
    from shared.settings import Settings

    return Vaults(Settings.of(environment), azure_credential)
