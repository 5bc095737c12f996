"""What every kind of token source shares: the header's value kept, fetched once, renewed in time."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from shared.azure.refreshing import Fetched, RefreshingValue
from shared.errors import SettingsError, TokenUnavailable

RENEW_BEFORE: Final = 240.0
"""Seconds before expiry at which one thread fetches a new token; less for short-lived ones.

Below the 300 s from which msal no longer gives out a token of its own cache, so that the request is made.
"""
_LAST_SECONDS: Final = 10.0


class CachedHeader(ABC):
    """A token source that keeps its token; a kind of authentication says how one is fetched.

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
            refused: The header's value that Airflow refused; None where the old one was only old.

        Raises:
            CredentialError: With the hop that failed and the remedy. It takes a bounded time.
            SettingsError: A setting that it needs is missing or unusable.
        """

    def _fetch(self, refused: str | None) -> Fetched[str]:
        try:
            return self.fetch(refused)
        except SettingsError as exc:
            # To whoever wants a token, a missing setting is one more reason why there is none.
            raise TokenUnavailable(f"no token for connection {self._name!r}: {exc}", permanent=True) from exc

    def value(self) -> str:
        """Return the header's value, fetching one only when there is none or it is about to expire.

        Raises:
            CredentialError: There is no usable one, with the hop that failed and the remedy.
        """
        return self._kept.get()

    def claims_text(self) -> str:
        """Return the text in which `updraft doctor` looks for claims: the header's value.

        Raises:
            CredentialError: As `value`.
        """
        return self.value()

    def renew(self, refused: str) -> str:
        """Return another value than `refused`, or the one that another thread got since.

        The result may equal `refused`, where there is no other to be had.

        Raises:
            CredentialError: None could be had.
        """
        return self._kept.renew(refused)

    def lease(self, value: str, expires_at: float) -> Fetched[str]:
        """Return a lease on the header's value that ends shortly before the token does.

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
