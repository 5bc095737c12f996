"""The base of all token sources: caches the header's value, and fetches and renews it."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from shared.azure.refreshing import Fetched, RefreshingValue
from shared.errors import SettingsError, TokenUnavailable

RENEW_BEFORE: Final = 240.0
"""Seconds before expiry when one thread fetches a new token; less for short-lived tokens.

It is less than 300 s: in the last 300 s msal does not return its cached token and makes the request.
"""
_LAST_SECONDS: Final = 10.0


class CachedHeader(ABC):
    """A token source with a cached token; each kind of authentication has its own `fetch`.

    Args:
        name: The connection's name, for the log.
        clock: Returns Unix seconds.
    """

    def __init__(self, name: str, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._name = name
        self._kept = RefreshingValue(self._fetch, what=f"the token of connection {name!r}", clock=clock)

    @abstractmethod
    def fetch(self, refused: str | None) -> Fetched[str]:
        """Fetch a token and return the header's value for it.

        Args:
            refused: The header's value that Airflow refused; None if the old one only expires.

        Raises:
            CredentialError: With the hop that failed and the fix, within a limited time.
            SettingsError: A setting that it needs is missing or unusable.
        """

    def _fetch(self, refused: str | None) -> Fetched[str]:
        try:
            return self.fetch(refused)
        except SettingsError as exc:
            # For the caller, a missing setting is one more reason for a missing token.
            raise TokenUnavailable(f"no token for connection {self._name!r}: {exc}", permanent=True) from exc

    def value(self) -> str:
        """Return the header's value; fetch it if it is missing or about to expire.

        Raises:
            CredentialError: There is no usable value; names the hop that failed and the fix.
        """
        return self._kept.get()

    def claims_text(self) -> str:
        """Return the text with the claims for `updraft doctor`: the header's value.

        Raises:
            CredentialError: As `value`.
        """
        return self.value()

    def renew(self, refused: str) -> str:
        """Return another value than `refused`, or the one that another thread has fetched since.

        The result may equal `refused` if there is no other value.

        Raises:
            CredentialError: None could be fetched.
        """
        return self._kept.renew(refused)

    def lease(self, value: str, expires_at: float) -> Fetched[str]:
        """Return the header's value for the cache; it expires shortly before the token.

        Args:
            value: The header's value.
            expires_at: When the token expires, in Unix seconds of this machine's clock.
        """
        life = max(0.0, expires_at - self.clock())
        return Fetched(
            value,
            renew_at=expires_at - min(RENEW_BEFORE, life / 5),
            expires_at=expires_at - min(_LAST_SECONDS, life / 20),
        )
