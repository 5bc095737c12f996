"""The application settings that this app reads; an error names the setting that is missing.

Settings hold addresses and names only. Secrets are in Key Vault, which the app's identity reads.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from shared.errors import SettingsError, UnusableValue
from shared.values.app_settings import setting, setting_names
from shared.values.guids import is_guid
from shared.values.hook_settings import GITHUB_SECRET, hook_rate
from shared.values.invisible import trimmed
from shared.values.text_files import file_text
from shared.values.urls import check_address, check_no_path, check_vault_address

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
    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings from `environment`, which on Azure is the process's own.

        A relative path starts at the app's root, because the platform does not define the working directory.
        """
        return cls(
            rules_file=_APP_ROOT / (setting(environment, RULES_FILE) or "rules.yaml"),
            environment=dict(environment),
        )

    def key_vault_uri(self) -> str:
        """Return the vault's address; it is needed only if a connection names a secret.

        Raises:
            SettingsError: It is missing, or is not the https address of a vault.
        """
        uri = setting(self.environment, KEY_VAULT_URI)
        if not uri:
            raise SettingsError(
                f"the application setting {KEY_VAULT_URI} is missing, and a connection in "
                f"{self.rules_file.name} names a Key Vault secret; set it to https://<vault>.vault.azure.net"
            )
        return _checked(KEY_VAULT_URI, uri, check_vault_address)

    def read_rules(self) -> str:
        """Return the text of the rules file.

        Raises:
            SettingsError: The file is missing or cannot be read as UTF-8 text.
        """
        try:
            return file_text(self.rules_file.read_bytes())
        except UnusableValue as error:
            raise SettingsError(f"the rules file {self.rules_file.name}: {error}") from error
        except OSError as error:
            raise SettingsError(
                f"the rules file {self.rules_file.name} cannot be read ({error.__class__.__name__}); put it "
                f"beside function_app.py, or set the application setting {RULES_FILE} to its path"
            ) from error


TENANT_ID: Final = "UPDRAFT_TENANT_ID"


AUDIENCE: Final = "UPDRAFT_AUDIENCE"


AUTHORITY: Final = "UPDRAFT_AUTHORITY"


PUBLIC_URL: Final = "UPDRAFT_URL"


CALLBACK_KEY_SECRET: Final = "UPDRAFT_CALLBACK_KEY_SECRET"  # noqa: S105 - the name of a setting, which holds a name


OUTCOMES_PATH: Final = "/api/outcomes"


_HOST_NAME: Final = "WEBSITE_HOSTNAME"  # App Service sets it


_PUBLIC_CLOUD: Final = "https://login.microsoftonline.com"


_DEFAULT_KEY_SECRET: Final = "updraft-callback-key"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True)
class InboundSettings:
    """The settings about callers; each is read when it is first needed.

    Attributes:
        environment: All application settings.
    """

    environment: Mapping[str, str] = field(repr=False)

    def tenant_id(self) -> str:
        """Return the GUID of the one tenant whose tokens are accepted, in lower case.

        Raises:
            SettingsError: It is missing, or is not a GUID.
        """
        value = self._needed(
            TENANT_ID, "callers sign in with Entra tokens; set it to the tenant's GUID"
        ).lower()
        if not is_guid(value):
            raise SettingsError(f"the application setting {TENANT_ID} is {value[:60]!r}, which is not a GUID")
        return value

    def audiences(self) -> frozenset[str]:
        """Return this app's names in tokens: client id, Application ID URI, or both with a space between.

        Raises:
            SettingsError: It is missing.
        """
        remedy = "set it to the client id and the Application ID URI of this app's registration"
        return frozenset(map(trimmed, self._needed(AUDIENCE, remedy).replace(",", " ").split()))

    def authority(self) -> str:
        """Return the address of Entra, by default the public cloud's.

        Raises:
            SettingsError: It is neither https nor http to this machine, or it includes a tenant.
        """
        authority = _address(AUTHORITY, self._value(AUTHORITY) or _PUBLIC_CLOUD)
        return _checked(AUTHORITY, authority, check_no_path)

    def outcomes_url(self) -> str:
        """Return the address that runs report to; it is also this app's name in run tokens.

        Raises:
            SettingsError: Neither the setting nor the platform has this app's address.
        """
        url = self._value(PUBLIC_URL)
        if not url:
            host = self._value(_HOST_NAME)
            if not host:
                raise SettingsError(
                    f"the application settings {PUBLIC_URL} and {_HOST_NAME} (App Service's) are missing; "
                    f"set {PUBLIC_URL} to the https address of this app"
                )
            url = f"https://{host}"
        return _address(PUBLIC_URL, url.rstrip("/").removesuffix(OUTCOMES_PATH)) + OUTCOMES_PATH

    def callback_key_secret(self) -> str:
        """Return the name of the Key Vault secret that signs run tokens."""
        return self._value(CALLBACK_KEY_SECRET) or _DEFAULT_KEY_SECRET

    def github_secret(self) -> str:
        """Return the name of the Key Vault secret that verifies GitHub's deliveries.

        Raises:
            SettingsError: It is missing.
        """
        return self._needed(
            GITHUB_SECRET, "GitHub's deliveries are signed; set it to the secret's name in Key Vault"
        )

    def hook_rate(self) -> str:
        """Return how many deliveries of each kind of hook an instance accepts, as in `600/m`."""
        return hook_rate(self.environment)

    def _value(self, name: str) -> str:
        return setting(self.environment, name)

    def _needed(self, name: str, remedy: str) -> str:
        value = self._value(name)
        if not value:
            raise SettingsError(f"the application setting {name} is missing: {remedy}")
        return value


def _address(name: str, url: str) -> str:
    check = partial(check_address, example="https://contoso.azurewebsites.net")
    return _checked(name, url, check).rstrip("/")


def _checked(name: str, url: str, check: Callable[..., None]) -> str:
    for other in setting_names(url):
        raise SettingsError(
            f"the application setting {name} names another setting, `%{other}%`; write its value"
        )
    try:
        check(url, name=name)
    except ValueError as error:
        raise SettingsError(f"the application setting {error}") from None
    return url
