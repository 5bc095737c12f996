"""The public keys of Entra's tokens: found by discovery, cached, and fetched again for unknown ids.

A key set is used for `refresh_seconds`. Then one thread fetches the next one while the others use the old
one, for up to `longest_age` seconds if the endpoint is down. An unknown key id causes a fetch too, at most
once a minute, so that clients cannot overload Entra. Unauthenticated clients can use up that fetch. So until
the next one an unknown key id is not refused: its sender has to try again. Source of the rotation rules:
"Signing key rollover in the Microsoft identity platform".
"""

import json
import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm

from updraft_airflow.wire import WireError, checked_url, origin, send

log = logging.getLogger(__name__)

SHORTEST_KEY = 2048
"""Bits: the minimum for RS256 (RFC 7518 section 3.3)."""

FETCH_TIMEOUT = 5.0
"""Seconds for each of the two requests of a fetch."""

UNKNOWN_KEY_INTERVAL = 60.0
"""Seconds between two fetches for unknown key ids."""

COLD_RETRY_INTERVAL = 5.0
"""Seconds between two tries while no key set is usable."""


MOST_WAITING = 1
"""The most threads that wait for another thread's fetch; the auth manager has four, two for known keys."""

BUSY = 2.0
"""Seconds until a sender may try again if too many threads wait."""


class KeysUnavailable(Exception):
    """No key set can be fetched now, or may be fetched yet; a later try may succeed.

    Attributes:
        retry_after: Whole seconds until the next try.
    """

    def __init__(self, message: str, *, retry_after: float = COLD_RETRY_INTERVAL) -> None:
        super().__init__(message)
        self.retry_after = max(1, math.ceil(retry_after))


class UnknownKey(Exception):
    """The key set was fetched after the token arrived, and does not have the key."""


class KeySource(Protocol):
    """The issuer's public keys."""

    def key(self, key_id: str) -> RSAPublicKey:
        """Return the key with this id.

        Raises:
            UnknownKey: The issuer has no such key.
            KeysUnavailable: The issuer's keys cannot be fetched, or may not be fetched again yet.
        """
        ...


class EntraKeys:
    """The signing keys of one tenant, by OpenID Connect discovery; thread-safe."""

    def __init__(
        self,
        authority: str,
        tenant_id: str,
        *,
        issuers: Collection[str],
        refresh_seconds: float = 3600.0,
        longest_age: float = 86400.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make an empty cache.

        Args:
            authority: The address, as in "https://login.microsoftonline.com".
            tenant_id: The tenant's GUID.
            issuers: The tenant's issuers; keys for other issuers are left out.
            refresh_seconds: How long a key set is used before it is fetched again.
            longest_age: How long a key set is used at most, if the fetch fails.
            clock: Monotonic seconds.
        """
        base = checked_url(authority, what="the authority").rstrip("/")
        self._discovery_url = f"{base}/{tenant_id}/v2.0/.well-known/openid-configuration"
        self._tenant_id = tenant_id
        self._issuers = frozenset(issuers)
        self._refresh_seconds = refresh_seconds
        self._longest_age = longest_age
        self._clock = clock
        self._fetching = threading.Lock()
        self._seats = threading.BoundedSemaphore(1 + MOST_WAITING)
        self._keys: Mapping[str, RSAPublicKey] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")

    def key(self, key_id: str) -> RSAPublicKey:
        """Return the key with this id; see `KeySource`."""
        age = self._clock() - self._fetched_at
        found = self._keys.get(key_id) if age < self._longest_age else None
        if found is not None and age < self._refresh_seconds:
            return found
        # With a cached key no thread waits: one thread refreshes, the others use the cached keys.
        fetched = self._fetch_alone() if found is not None else self._fetch_or_wait(key_id)
        if self._clock() - self._fetched_at >= self._longest_age:
            raise KeysUnavailable(
                f"no signing keys from {self._discovery_url}", retry_after=self._wait(COLD_RETRY_INTERVAL)
            )
        try:
            return self._keys[key_id]
        except KeyError:
            if fetched:
                raise UnknownKey(f"the tenant has no signing key {key_id[:80]!r}") from None
            raise KeysUnavailable(
                f"the signing key {key_id[:80]!r} is unknown, and the keys may not be fetched again yet",
                retry_after=self._wait(UNKNOWN_KEY_INTERVAL),
            ) from None

    def _fetch_alone(self) -> bool:
        """Fetch the key set, unless another thread fetches it; return whether this thread did."""
        if not self._fetching.acquire(blocking=False):
            return False
        try:
            return self._fetch_if_due()
        finally:
            self._fetching.release()

    def _fetch_or_wait(self, key_id: str) -> bool:
        """Fetch the key set after another thread's fetch; return whether this thread did.

        Raises:
            KeysUnavailable: Too many threads wait already.
        """
        if not self._seats.acquire(blocking=False):
            raise KeysUnavailable("other threads wait for the signing keys already", retry_after=BUSY)
        try:
            with self._fetching:
                age = self._clock() - self._fetched_at
                known = key_id in self._keys and age < self._refresh_seconds
                return not known and self._fetch_if_due()
        finally:
            self._seats.release()

    def _wait(self, interval: float) -> float:
        """Return the seconds until the next fetch."""
        return self._tried_at + interval - self._clock()

    def _fetch_if_due(self) -> bool:
        now = self._clock()
        usable = now - self._fetched_at < self._longest_age
        if now - self._tried_at < (UNKNOWN_KEY_INTERVAL if usable else COLD_RETRY_INTERVAL):
            return False
        self._tried_at = now
        try:
            self._keys = self._fetch()
        except (WireError, ValueError, RecursionError) as exc:
            log.warning("Signing keys could not be fetched from %s: %s", self._discovery_url, exc)
            return False
        self._fetched_at = self._clock()
        return True

    def _fetch(self) -> Mapping[str, RSAPublicKey]:
        keys_url = _document(self._discovery_url).get("jwks_uri")
        if not isinstance(keys_url, str):
            raise ValueError("the discovery document names no jwks_uri")  # noqa: TRY004 - content, not a caller's type
        checked_url(keys_url, what="jwks_uri")
        if origin(keys_url) != origin(self._discovery_url):
            raise ValueError(f"jwks_uri {keys_url[:200]!r} is not at the authority")
        listed = _document(keys_url).get("keys")
        keys: dict[str, RSAPublicKey] = {}
        for entry in listed if isinstance(listed, list) else []:
            if isinstance(entry, dict) and self._signs_for_tenant(entry):
                keys |= _public_key(entry)
        if not keys:
            raise ValueError(f"{keys_url[:200]!r} holds no usable RSA key")
        return keys

    def _signs_for_tenant(self, entry: Mapping[str, Any]) -> bool:
        """Compare the issuer that Entra publishes with a key ("validate the signing key issuer")."""
        issuer = entry.get("issuer")
        if issuer is None:
            return True
        return isinstance(issuer, str) and issuer.replace("{tenantid}", self._tenant_id) in self._issuers


def _document(url: str) -> dict[str, Any]:
    answer = send("GET", url, timeout=FETCH_TIMEOUT, headers={"Accept": "application/json"})
    if answer.status != 200:
        raise WireError(f"{url[:200]!r} answered {answer.status}")
    try:
        document = json.loads(answer.body)
    except RecursionError:
        raise ValueError(f"{url[:200]!r} is nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError(f"{url[:200]!r} is not a JSON object")  # noqa: TRY004 - content, not a caller's type
    return document


def _public_key(entry: Mapping[str, Any]) -> dict[str, RSAPublicKey]:
    """Return the key of one member of a key set; an unusable member gives none and does not affect others."""
    key_id = entry.get("kid")
    fits = (
        entry.get("kty") == "RSA"
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", "RS256") == "RS256"
    )
    if not fits or not isinstance(key_id, str):
        return {}
    try:
        key = RSAAlgorithm.from_jwk({name: entry[name] for name in ("kty", "n", "e")})
    except Exception as exc:  # noqa: BLE001 - the library raises several kinds for what is only an unusable key
        log.warning("Signing key %.80r is left out: %s", key_id, exc)
        return {}
    if not isinstance(key, RSAPublicKey) or key.key_size < SHORTEST_KEY:
        log.warning("Signing key %.80r is left out: shorter than %d bits", key_id, SHORTEST_KEY)
        return {}
    return {key_id: key}
