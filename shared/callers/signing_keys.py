"""The public keys of a tenant's tokens: found by discovery, cached, and fetched again for unknown ids.

A key set is used for an hour. Then one thread fetches the next one while the others use the old one, for up
to a day if the authority cannot be reached. An unknown key id causes a fetch too, at most once a minute, so
that clients cannot overload the authority
(https://learn.microsoft.com/entra/identity-platform/signing-key-rollover). Unauthenticated clients can use up
that fetch. So until the next one an unknown key id is not refused: its sender has to try again.
"""

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from shared.callers.errors import UnknownKey
from shared.callers.key_reads import BUSY, MOST_WAITING
from shared.errors import KeysUnavailable
from shared.log import LOGGER
from shared.throttle import ONCE_A_MINUTE, Throttle

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

AN_HOUR: Final = 3_600.0
A_DAY: Final = 86_400.0
SHORTEST_KEY: Final = 2_048
"""Bits: the minimum for RS256 (RFC 7518 section 3.3)."""

_COLD_PAUSE: Final = 5.0
_TIMEOUTS: Final = (3.0, 5.0)
_LONGEST_ANSWER: Final = 1_048_576
_OK: Final = 200
_READ_IN_TWO_WAYS: Final = re.compile(r"[^!-~]|[\\@]")
"""Characters that are not visible ASCII, or that programs read differently as user name or host."""


class SigningKeys:
    """The signing keys of one tenant; safe to use from any thread, and fetched when first needed.

    Args:
        authority: The address, as in `https://login.microsoftonline.com`.
        tenant_id: The tenant's GUID.
        issuers: The tenant's issuers; keys for other issuers are left out.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        authority: str,
        tenant_id: str,
        *,
        issuers: Collection[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._discovery_url = f"{authority}/{tenant_id}/v2.0/.well-known/openid-configuration"
        self._tenant_id = tenant_id
        self._issuers = frozenset(issuers)
        self._clock = clock
        self._fetching = threading.Lock()
        self._seats = threading.BoundedSemaphore(1 + MOST_WAITING)
        self._cold, self._unknown = Throttle(_COLD_PAUSE, clock), Throttle(ONCE_A_MINUTE, clock)
        self._keys: Mapping[str, RSAPublicKey] = {}
        self._fetched_at = float("-inf")

    def key(self, key_id: str) -> "RSAPublicKey":
        """Return the key with this id.

        Raises:
            UnknownKey: The tenant has no such key.
            KeysUnavailable: The tenant's keys cannot be fetched, or may not be fetched again yet.
        """
        age = self._clock() - self._fetched_at
        found = self._keys.get(key_id) if age < A_DAY else None
        if found is not None and age < AN_HOUR:
            return found
        # With a cached key no thread waits: one thread refreshes, the others use the cached keys.
        fetched = self._fetch_alone(key_id) if found is not None else self._fetch_or_wait(key_id)
        if self._clock() - self._fetched_at >= A_DAY:
            raise KeysUnavailable(
                f"no signing keys could be fetched from {self._discovery_url}",
                retry_after=self._cold.opens_in(),
            )
        try:
            return self._keys[key_id]
        except KeyError:
            if fetched:
                raise UnknownKey("the tenant has no signing key of that id") from None
            raise KeysUnavailable(
                "the key id is unknown, and the key set may not be fetched again yet",
                retry_after=self._unknown.opens_in(),
            ) from None

    def _fetch_alone(self, key_id: str) -> bool:
        """Fetch the key set, unless another thread fetches it; return whether this thread did."""
        if not self._fetching.acquire(blocking=False):
            return False
        try:
            return self._fetch_if_due(key_id)
        finally:
            self._fetching.release()

    def _fetch_or_wait(self, key_id: str) -> bool:
        """Fetch the key set after other threads' fetches; return whether this thread did.

        Raises:
            KeysUnavailable: Too many threads wait already.
        """
        if not self._seats.acquire(blocking=False):
            raise KeysUnavailable(f"{MOST_WAITING} threads wait for the key set already", retry_after=BUSY)
        try:
            with self._fetching:
                return self._fetch_if_due(key_id)
        finally:
            self._seats.release()

    def _fetch_if_due(self, key_id: str) -> bool:
        age = self._clock() - self._fetched_at
        if key_id in self._keys and age < AN_HOUR:
            return False  # another thread has just fetched it
        if not (self._unknown if age < A_DAY else self._cold).enter():
            return False
        try:
            self._keys = self._fetch()
        except (OSError, ValueError, RecursionError) as error:  # every error of requests is an OSError
            level = logging.ERROR if age >= A_DAY else logging.WARNING
            LOGGER.log(level, "no signing keys from %s: %s", self._discovery_url, _in_words(error))
            return False
        self._fetched_at = self._clock()
        return True

    def _fetch(self) -> "Mapping[str, RSAPublicKey]":
        keys_url = _document(self._discovery_url).get("jwks_uri")
        if not isinstance(keys_url, str) or not _is_at(keys_url, self._discovery_url):
            raise ValueError("the discovery document's jwks_uri is not at the authority")
        listed = _document(keys_url).get("keys")
        keys: dict[str, RSAPublicKey] = {}
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict) and self._signs_for_tenant(entry):
                keys |= _public_key(entry)
        if not keys:
            raise ValueError("the key set holds no usable RSA key")
        return keys

    def _signs_for_tenant(self, entry: Mapping[str, Any]) -> bool:
        """Compare the issuer that Entra publishes with a key ("validate the signing key issuer")."""
        issuer = entry.get("issuer")
        if issuer is None:
            return True
        return isinstance(issuer, str) and issuer.replace("{tenantid}", self._tenant_id) in self._issuers


def _document(url: str) -> dict[str, Any]:
    import requests

    with requests.get(
        url, headers={"Accept": "application/json"}, timeout=_TIMEOUTS, allow_redirects=False, stream=True
    ) as answer:
        if answer.status_code != _OK:
            raise ValueError(f"{url} answered {answer.status_code}")
        content = answer.raw.read(_LONGEST_ANSWER + 1, decode_content=True)
    if len(content) > _LONGEST_ANSWER:
        raise ValueError(f"{url} answered with more than {_LONGEST_ANSWER} bytes")
    try:
        document = json.loads(content)
    except RecursionError:
        raise ValueError(f"{url} is nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError(f"{url} is not a JSON object")  # noqa: TRY004 - content, not a caller's type
    return document


def _is_at(url: str, authority: str) -> bool:
    """Return whether an address has the authority's origin, for every parser.

    `requests` ends the host at a backslash, and `urlsplit` reads it as a part of a user name.
    """
    return not _READ_IN_TWO_WAYS.search(url) and _origin(url) == _origin(authority)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _public_key(entry: Mapping[str, Any]) -> "dict[str, RSAPublicKey]":
    """Return the key of one member of a key set; an unusable member gives none and does not affect others."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from jwt import InvalidKeyError
    from jwt.algorithms import RSAAlgorithm

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
    except (InvalidKeyError, KeyError, TypeError, ValueError) as error:
        LOGGER.warning(
            "the signing key %.80r is left out: it cannot be read (%s)", key_id, type(error).__name__
        )
        return {}
    if not isinstance(key, RSAPublicKey) or key.key_size < SHORTEST_KEY:
        LOGGER.warning("the signing key %.80r is left out: it has fewer than %d bits", key_id, SHORTEST_KEY)
        return {}
    return {key_id: key}


def _in_words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
