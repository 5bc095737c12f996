"""The application settings that this app reads, each read once and named when it is missing.

Settings hold addresses and names only; what is secret lies in Key Vault and is read as the app's identity.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import SettingsError

RULES_FILE: Final = "UPDRAFT_RULES"
KEY_VAULT_URI: Final = "UPDRAFT_KEY_VAULT_URI"

_APP_ROOT: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process.

    Attributes:
        rules_file: The rules; `UPDRAFT_RULES`, by default `rules.yaml` beside `function_app.py`.
        environment: All application settings: rules.yaml may name any of them as `%NAME%`.
    """

    rules_file: Path
    environment: Mapping[str, str]

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings from `environment`, which on Azure is the process's own.

        A relative path counts from the app's root, because the platform promises no working directory.
        """
        return cls(
            rules_file=_APP_ROOT / (environment.get(RULES_FILE) or "rules.yaml"),
            environment=dict(environment),
        )

    def key_vault_uri(self) -> str:
        """Return the vault's address; asked for only when a connection names a secret.

        Raises:
            SettingsError: It is not set, or not an https address: the vault's tokens travel on it.
        """
        uri = self.environment.get(KEY_VAULT_URI, "").strip()
        if not uri:
            raise SettingsError(
                f"the application setting {KEY_VAULT_URI} is missing, and a connection in "
                f"{self.rules_file.name} names a Key Vault secret; set it to https://<vault>.vault.azure.net"
            )
        if not uri.startswith("https://"):
            raise SettingsError(
                f"the application setting {KEY_VAULT_URI} is {uri!r}; it has to begin with https://, "
                "because secrets and tokens travel there"
            )
        return uri

    def read_rules(self) -> str:
        """Return the text of the rules file.

        Raises:
            SettingsError: The file is missing or cannot be read as UTF-8 text.
        """
        try:
            return self.rules_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"the rules file {self.rules_file.name} cannot be read ({error.__class__.__name__}); it has "
                f"to lie beside function_app.py, or the application setting {RULES_FILE} names another path"
            ) from error
