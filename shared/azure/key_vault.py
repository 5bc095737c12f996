"""Reads secrets from Key Vault with the app's identity, and caches them.

Blanks and line ends at the ends of a value are removed, because files and shells add them (azure-cli issue
27500). A value is cached for about ten minutes, with jitter, so that not all instances ask at the same time.
While the vault cannot be reached, an old value is used for a limited time, with a warning. If the vault
refuses a secret permanently (disabled, deleted, expired, no role), its value is dropped at once. A value is
never logged and never part of an error.
"""

import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from shared.azure.credential import fetch_token, short_timeouts
from shared.azure.refreshing import Fetched, RefreshingValue
from shared.errors import SecretUnavailable, SettingsError, TokenUnavailable
from shared.values.invisible import trimmed
from shared.values.urls import check_vault_address

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential
    from azure.core.exceptions import HttpResponseError
    from azure.keyvault.secrets import KeyVaultSecret, SecretClient

    from shared.settings import Settings

TEN_MINUTES: Final = 600.0
AN_HOUR: Final = 3600.0

_NAME: Final = re.compile(r"[0-9A-Za-z-]{1,127}(/[0-9A-Za-z]{1,64})?")
_TRANSIENT: Final = {408, 429}
_NO_VAULT: Final = "the answer was not one of Key Vault; check that the address is a vault's"
_FORBIDDEN: Final = {
    "ForbiddenByRbac": "the identity has no Key Vault Secrets User role on the vault: assign it",
    "AccessDenied": "the vault's access policy gives the identity no Get on secrets: add it, or use roles",
    "ForbiddenByFirewall": "the vault's firewall blocks this app: allow its subnet or its "
    "outbound addresses, or give the vault a private endpoint in the app's network",
    "SecretDisabled": "this version is disabled: enable it, or set a new one",
}


class Secrets(Protocol):
    """A source of secrets by name; `str()` names it in errors."""

    def get(self, name: str, *, waiters: int | None = None) -> str:
        """Return a secret's value, which may be some minutes old; raises `SecretUnavailable`.

        At most `waiters` threads wait for a read of another thread; further ones get the error.
        """

    def refresh(self, name: str) -> str:
        """Read a secret again because its value was refused; raises `SecretUnavailable`."""

    def reread(self, name: str) -> str:
        """Read a secret again; the cached value stays usable if the vault does not answer.

        Raises:
            SecretUnavailable: It cannot be read.
        """


class KeyVault:
    """The secrets of one vault; safe to use from any thread, and no request before the first `get`.

    Args:
        url: The vault's address, as in `https://contoso.vault.azure.net`.
        credential: Returns the process's credential; called at the first read.
        ttl: Seconds for which a value is cached, plus or minus a tenth.
        stale_for: Seconds for which an old value is used while the vault cannot be reached.
        clock: Returns Unix seconds.
        jitter: Returns a number from 0 to 1.

    Raises:
        SettingsError: The address is not https; the SDK would refuse it only after its retries.
    """

    def __init__(
        self,
        url: str,
        credential: Callable[[], "TokenCredential"],
        *,
        ttl: float = TEN_MINUTES,
        stale_for: float = AN_HOUR,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        try:
            check_vault_address(url, name="the Key Vault address")
        except ValueError as error:
            raise SettingsError(str(error)) from None
        self._url = url.rstrip("/")
        self._credential = credential
        self._ttl = ttl
        self._stale_for = stale_for
        self._clock = clock
        self._jitter = jitter
        self._lock = threading.Lock()
        self._client: SecretClient | None = None
        self._secrets: dict[str, RefreshingValue[str]] = {}

    @property
    def url(self) -> str:
        """The vault's address."""
        return self._url

    def __str__(self) -> str:
        return self._url

    def get(self, name: str, *, waiters: int | None = None) -> str:
        """Return a secret's value.

        Args:
            name: The secret's name, or `name/version` to pin a version.
            waiters: The most threads that wait for a read of another thread; None sets no limit.

        Raises:
            SecretUnavailable: With the hop that failed and the fix; permanent if another try cannot succeed.
        """
        return self._secret(name).get(waiters=waiters)

    def refresh(self, name: str) -> str:
        """Read a secret again because its value was refused; raises as `get`."""
        return self._secret(name).renew()

    def reread(self, name: str) -> str:
        """Read a secret again because it may have changed; the old value stays usable. Raises as `get`."""
        return self._secret(name).reread()

    def _secret(self, name: str) -> RefreshingValue[str]:
        secret = self._secrets.get(name)
        if secret is None:
            if not _NAME.fullmatch(name):
                raise SecretUnavailable(
                    f"{name!r} is not the name of a Key Vault secret: use letters, digits and hyphens, "
                    "and a slash before a version",
                    permanent=True,
                )
            with self._lock:
                secret = self._secrets.setdefault(
                    name,
                    RefreshingValue(
                        lambda _: self._read(name),
                        what=f"secret {name!r} of {self._url}",
                        drop_when_denied=True,
                        clock=self._clock,
                    ),
                )
        return secret

    def _read(self, name: str) -> Fetched[str]:
        from azure.core.exceptions import (
            AzureError,
            HttpResponseError,
            ServiceRequestError,
        )

        secret, _, version = name.partition("/")
        try:
            found = self._secret_client().get_secret(secret, version or None)
        except (TokenUnavailable, SettingsError) as exc:
            permanent = not isinstance(exc, TokenUnavailable) or exc.permanent
            raise self._unavailable(name, str(exc), permanent=permanent) from exc
        except HttpResponseError as exc:
            raise self._answered(name, exc) from exc
        except ServiceRequestError as exc:
            reason = "the vault could not be reached; check its name and the app's network"
            raise self._unavailable(name, reason) from exc
        except AzureError as exc:
            raise self._unavailable(name, f"the vault did not answer ({type(exc).__name__})") from exc
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as exc:
            raise self._unavailable(name, _NO_VAULT, permanent=True) from exc
        return self._lease(name, found)

    def _lease(self, name: str, found: "KeyVaultSecret") -> Fetched[str]:
        now = self._clock()
        expires_on = found.properties.expires_on
        # The vault still returns an expired secret: its readers have to check the attribute.
        expiry = expires_on.timestamp() if expires_on else float("inf")
        if expiry <= now:
            reason = f"it expired on {expires_on:%Y-%m-%d %H:%M} UTC; set a new version"
            raise self._unavailable(name, reason, permanent=True)
        value = trimmed(found.value or "")
        if not value:
            raise self._unavailable(name, "it is empty; set a value", permanent=True)
        renew_at = now + self._ttl * (0.9 + 0.2 * self._jitter())
        return Fetched(value, min(renew_at, expiry), min(renew_at + self._stale_for, expiry))

    def _answered(self, name: str, exc: "HttpResponseError") -> SecretUnavailable:
        """Return the error for a status (https://learn.microsoft.com/rest/api/keyvault#errors)."""
        status = exc.status_code or 0
        if status == 404:
            reason = "the vault has no such secret or version; set it, or correct the name in rules.yaml"
            return self._unavailable(name, reason, permanent=True)
        if status == 403:
            inner = getattr(getattr(exc, "error", None), "innererror", None) or {}
            code = str(inner.get("code", ""))
            reason = _FORBIDDEN.get(code, f"the vault refuses the identity ({code or 'no reason given'})")
            return self._unavailable(name, reason, permanent=True)
        if status == 401:
            reason = "the vault does not accept the identity's token; check that both are in the same tenant"
            return self._unavailable(name, reason, permanent=True)
        if 0 < status < 400:
            return self._unavailable(name, _NO_VAULT, permanent=True)
        reason = "the vault is throttling this app" if status == 429 else f"the vault answered {status}"
        transient = status in _TRANSIENT or status >= 500 or not status
        return self._unavailable(name, reason, permanent=not transient)

    def _unavailable(self, name: str, reason: str, *, permanent: bool = False) -> SecretUnavailable:
        return SecretUnavailable(f"no secret {name!r} from {self._url}: {reason}", permanent=permanent)

    def _secret_client(self) -> "SecretClient":
        with self._lock:
            if self._client is None:
                from azure.keyvault.secrets import SecretClient

                self._client = SecretClient(
                    self._url, _NamedHop(self._credential), permit_redirects=False, **short_timeouts()
                )
            return self._client


class _NamedHop:
    """A credential for the SDK whose failures name the identity endpoint and not the vault."""

    def __init__(self, credential: Callable[[], "TokenCredential"]) -> None:
        self._credential = credential

    def get_token(self, *scopes: str, claims: str | None = None, **_: Any) -> "AccessToken":
        (scope,) = scopes
        return fetch_token(self._credential(), scope, fresh=bool(claims))


class Vaults:
    """Vaults by name, each made once; safe to use from any thread, without any request.

    Args:
        settings: The application settings; they have the address of the app's own vault if it needs one.
        credential: Returns the process's credential.

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
            name: The name in a connection.
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

    def get(self, name: str, *, waiters: int | None = None) -> str:
        return self._at(self._settings.key_vault_uri()).get(name, waiters=waiters)

    def refresh(self, name: str) -> str:
        return self._at(self._settings.key_vault_uri()).refresh(name)

    def reread(self, name: str) -> str:
        return self._at(self._settings.key_vault_uri()).reread(name)

    def __str__(self) -> str:
        return self._settings.key_vault_uri()
