"""The Key Vaults of one process: the app's own, and those that rules.yaml names."""

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from shared.azure.key_vault import KeyVault, Secrets

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from shared.settings import Settings


class Vaults:
    """Vaults by name, each made once; safe to use from any thread, and nothing is asked here.

    Args:
        settings: Where the address of the app's own vault stands; an app that needs no secret has none.
        credential: Gives the process's credential.

    Attributes:
        own: The app's own vault, whose address is looked for when it is asked for its first secret.
    """

    def __init__(self, settings: "Settings", credential: Callable[[], "TokenCredential"]) -> None:
        self._credential = credential
        self._lock = threading.Lock()
        self._made: dict[str, KeyVault] = {}
        self.own: Secrets = _OwnVault(settings, self._at)

    def named(self, name: str | None, vaults: Mapping[str, str]) -> Secrets:
        """Return a vault; None means the app's own.

        Args:
            name: As a connection names it.
            vaults: The addresses by name, as in rules.yaml.

        Raises:
            SettingsError: The address is not https.
        """
        return self.own if name is None else self._at(vaults[name])

    def _at(self, url: str) -> KeyVault:
        with self._lock:
            if url not in self._made:
                self._made[url] = KeyVault(url, self._credential)
            return self._made[url]


class _OwnVault:
    """The vault that the settings name."""

    def __init__(self, settings: "Settings", at: Callable[[str], KeyVault]) -> None:
        self._settings = settings
        self._at = at

    def get(self, name: str) -> str:
        return self._at(self._settings.key_vault_uri()).get(name)

    def refresh(self, name: str) -> str:
        return self._at(self._settings.key_vault_uri()).refresh(name)

    def __str__(self) -> str:
        return self._settings.key_vault_uri()
