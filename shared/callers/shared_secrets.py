"""Secrets that this app shares with senders: their form, shortest length, and rotation.

A Key Vault secret holds one value, or two with a space between them: the new one and the old one. The first
one signs, both are accepted. To rotate it, set the secret to `<new> <old>`, then give the sender the new
value, and set the secret to `<new>` when nothing signed with the old value can arrive any more.

A signature that no value matches may be of a value that was set just now. The secret is then read again, but
rarely, so that clients cannot overload the vault. Until it may be read again, the result is
`KeysUnavailable`, which is not a final refusal.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from shared.azure.refreshing import TooManyWaiting
from shared.callers.key_reads import BUSY, MOST_WAITING
from shared.errors import CredentialError, KeysUnavailable, SecretUnavailable
from shared.log import LOGGER
from shared.throttle import Throttle

if TYPE_CHECKING:
    from shared.azure.key_vault import Secrets

SHORTEST: Final = 32
"""The fewest characters of a value: HMAC with SHA-256 needs a key as long as its hash (RFC 7518 section 3.2,
RFC 2104 section 3)."""
REREAD_PAUSE: Final = 10.0
"""Seconds between two reads for unknown values; a sender with a new value may wait so long."""
_MOST_VALUES: Final = 2


def shared_values(text: str) -> tuple[str, ...] | None:
    """Return the values in the text of a secret, the newest first; None if it is not usable.

    A blank, short or third value makes all of them unusable. So does an invisible character, which the
    sender's value would not have.
    """
    values = tuple(text.split())
    fits = 1 <= len(values) <= _MOST_VALUES
    if not fits or any(len(value) < SHORTEST or not value.isprintable() for value in values):
        return None
    return values


class SharedSecret:
    """One shared secret in Key Vault; safe to use from any thread.

    Args:
        secrets: The vault that has it.
        name: Returns its name in the vault; may raise `SettingsError`.
        setting: The application setting that names it, for errors.
        clock: Unix seconds.
        monotonic: Monotonic seconds.
    """

    def __init__(
        self,
        secrets: "Secrets",
        name: Callable[[], str],
        *,
        setting: str,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secrets = secrets
        self._name = name
        self._setting = setting
        self._clock = clock
        self._reread = Throttle(REREAD_PAUSE, monotonic)
        self._away = Throttle(clock=monotonic)
        self._read_at = float("-inf")

    def values(self) -> tuple[str, ...]:
        """Return the values, the newest first; the first one signs.

        Raises:
            SecretUnavailable: The vault gives none, or the secret is not usable.
            SettingsError: A setting for the vault or the secret is missing.
        """
        name = self._name()
        return self._parsed(name, self._secrets.get(name))

    def find(self, fits: Callable[[str], bool], *, since: float | None = None) -> str | None:
        """Return the matching value.

        Args:
            fits: Compares one value, in constant time.
            since: When the signature arrived, in Unix seconds, if before this call: a later read of the
                secret is recent enough.

        Returns:
            None if the secret was read after the arrival and has no matching value.

        Raises:
            KeysUnavailable: The secret cannot be read, is not usable, or may not be read again yet.
            SettingsError: A setting for the vault or the secret is missing.
        """
        name = self._name()
        try:
            found = self._first(fits, name, self._secrets.get(name, waiters=MOST_WAITING))
            if found is not None or (since is not None and self._read_at > since):
                return found
            if not self._reread.enter():
                raise KeysUnavailable(
                    f"no value of the secret {name!r} matches, and it may not be read again yet",
                    retry_after=self._reread.opens_in(),
                )
            began = self._clock()
            found = self._first(fits, name, self._secrets.reread(name))
            self._read_at = began
        except TooManyWaiting as error:
            raise KeysUnavailable(str(error), retry_after=BUSY) from None
        except CredentialError as error:
            message = f"the secret that {self._setting} names cannot be used: {error}"
            if self._away.enter():
                LOGGER.error("senders cannot be verified: %s", message)
            raise KeysUnavailable(message, retry_after=REREAD_PAUSE) from None
        return found

    def _first(self, fits: Callable[[str], bool], name: str, text: str) -> str | None:
        return next((value for value in self._parsed(name, text) if fits(value)), None)

    def _parsed(self, name: str, text: str) -> tuple[str, ...]:
        values = shared_values(text)
        if values is None:
            raise SecretUnavailable(
                f"the secret {name!r} of {self._secrets}, which {self._setting} names, has to hold one value "
                f"or two (new and old) with a space between, each of at least {SHORTEST} visible characters; "
                "set it, for example to the output of: openssl rand -base64 48",
                permanent=True,
            )
        return values
