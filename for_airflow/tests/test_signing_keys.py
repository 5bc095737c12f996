"""The key cache against a loopback issuer: rotation, outages, and key sets that must not be believed."""

import threading
import time
from typing import Any

import pytest
from issuer import TENANT, V1, V2, Issuer, key, published, running_issuer
from jwt.algorithms import RSAAlgorithm

from updraft_airflow.signing_keys import EntraKeys, KeysUnavailable, UnknownKey
from updraft_airflow.wire import WireError


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def keys(issuer: Issuer, clock: Clock) -> EntraKeys:
    """A cold cache for the issuer's tenant."""
    return EntraKeys(issuer.url, TENANT, issuers={V1, V2}, refresh_seconds=600, longest_age=3000, clock=clock)


def fetches(issuer: Issuer) -> int:
    """Count the key sets that were asked for."""
    return issuer.asked.count("/keys")


def test_a_warm_cache_asks_nobody(issuer: Issuer, keys: EntraKeys) -> None:
    """One fetch by discovery, then none while the set is fresh."""
    for _ in range(5):
        assert keys.key("first").public_numbers() == key("first").public_key().public_numbers()
    assert issuer.asked == [f"/{TENANT}/v2.0/.well-known/openid-configuration", "/keys"]


def test_a_rotated_key_is_found_within_a_minute(issuer: Issuer, keys: EntraKeys, clock: Clock) -> None:
    """An unknown key id refreshes the set, at most once a minute, and the removed key goes.

    Until then its sender is asked to come again when the minute is over.
    """
    keys.key("first")
    issuer.entries = [published("second")]
    clock.now += 49
    with pytest.raises(KeysUnavailable, match="second") as caught:
        keys.key("second")
    assert caught.value.retry_after == 11
    assert fetches(issuer) == 1
    clock.now += 11
    assert keys.key("second")
    clock.now += 60
    with pytest.raises(UnknownKey):
        keys.key("first")


def test_unknown_key_ids_do_not_hammer_the_issuer(issuer: Issuer, keys: EntraKeys, clock: Clock) -> None:
    """A hundred tokens with made-up keys cost two fetches: the first, and one a minute."""
    clock.now += 100
    with pytest.raises(UnknownKey):
        keys.key("made-up")
    for number in range(99):
        with pytest.raises(KeysUnavailable):
            keys.key(f"made-up-{number}")
    clock.now += 60
    with pytest.raises(UnknownKey):
        keys.key("made-up")
    assert fetches(issuer) == 2


def test_a_stale_set_is_fetched_again(issuer: Issuer, keys: EntraKeys, clock: Clock) -> None:
    """A key that Entra has withdrawn is not used beyond the refresh interval."""
    keys.key("first")
    issuer.entries = [published("second")]
    clock.now += 600
    with pytest.raises(UnknownKey):
        keys.key("first")


def test_an_outage_is_bridged_for_a_bounded_time(issuer: Issuer, keys: EntraKeys, clock: Clock) -> None:
    """With the endpoint down the cached keys are used until their longest age, then no token is accepted."""
    keys.key("first")
    issuer.status = 503
    clock.now += 2999
    assert keys.key("first")
    clock.now += 1
    with pytest.raises(KeysUnavailable):
        keys.key("first")
    issuer.status = 200
    clock.now += 60
    assert keys.key("first")


def test_a_cold_cache_tries_every_few_seconds(issuer: Issuer, keys: EntraKeys, clock: Clock) -> None:
    """While there are no keys at all the issuer is asked once in 5 s, not with each token."""
    issuer.status = 500
    for _ in range(10):
        with pytest.raises(KeysUnavailable):
            keys.key("first")
    assert len(issuer.asked) == 1
    issuer.status = 200
    clock.now += 5
    assert keys.key("first")


def test_many_cold_threads_make_one_fetch(issuer: Issuer, keys: EntraKeys) -> None:
    """One thread fetches and one waits for it; the others are free again at once."""
    issuer.delay = 0.3
    found: list[object] = []

    def look() -> None:
        try:
            found.append(keys.key("first"))
        except KeysUnavailable as exc:
            found.append(exc)

    threads = [threading.Thread(target=look) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(each) for each in found[:14]] == [KeysUnavailable] * 14
    assert not any(isinstance(each, KeysUnavailable) for each in found[14:])
    assert len(found) == 16
    assert len(issuer.asked) == 2


def test_nobody_waits_for_a_refresh_who_has_a_key(issuer: Issuer, keys: EntraKeys, clock: Clock) -> None:
    """While one thread refreshes a stale set, another goes on with it at once."""
    keys.key("first")
    clock.now += 600
    issuer.delay = 0.5
    refreshing = threading.Thread(target=keys.key, args=("first",))
    refreshing.start()
    deadline = time.monotonic() + 5
    while not keys._fetching.locked() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert keys.key("first")
    assert refreshing.is_alive()
    refreshing.join()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100000,
        b'{"jwks_uri": 7}',
        b'{"jwks_uri": "file:///etc/passwd"}',
        b" " * 1100000,
    ],
)
def test_a_broken_discovery_document_lets_nobody_in(issuer: Issuer, keys: EntraKeys, raw: bytes) -> None:
    """Whatever the endpoint serves instead, there are no keys and no crash."""
    issuer.raw = raw
    with pytest.raises(KeysUnavailable):
        keys.key("first")


def test_a_key_set_elsewhere_is_not_fetched(issuer: Issuer, keys: EntraKeys) -> None:
    """A discovery document cannot send the verifier to another host."""
    with running_issuer() as attacker:
        issuer.keys_url = attacker.keys_url
        with pytest.raises(KeysUnavailable):
            keys.key("first")
        assert attacker.asked == []


def test_a_redirect_is_not_followed(issuer: Issuer, keys: EntraKeys) -> None:
    """A proxy's login page is an outage, not a key set."""
    issuer.status = 302
    with pytest.raises(KeysUnavailable):
        keys.key("first")
    assert len(issuer.asked) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "oct", "k": "AAAA"},
        {"use": "enc"},
        {"alg": "RS512"},
        {"issuer": "https://login.microsoftonline.com/99999999-1111-4111-8111-111111111111/v2.0"},
        {"issuer": 7},
        {"n": None},
        {"n": "AQAB"},
        {"n": 7},
        {"kid": None},
        {"kid": 7},
    ],
)
def test_an_unusable_entry_is_left_out_alone(
    issuer: Issuer, keys: EntraKeys, changes: dict[str, Any]
) -> None:
    """Its good neighbour still counts, and the entry itself never verifies anything."""
    issuer.entries = [published("first", **changes), "nonsense", published("second")]
    assert keys.key("second")
    with pytest.raises(KeysUnavailable):
        keys.key("first")


def test_a_short_key_is_left_out(issuer: Issuer, keys: EntraKeys) -> None:
    """A key below 2048 bits verifies nothing, even from the right place."""
    weak = RSAAlgorithm.to_jwk(key("weak", 1024).public_key(), as_dict=True)
    issuer.entries = [published("first", n=weak["n"])]
    with pytest.raises(KeysUnavailable):
        keys.key("first")


def test_an_issuer_template_is_filled_in(issuer: Issuer, keys: EntraKeys) -> None:
    """Entra publishes most keys with "{tenantid}" in their issuer."""
    issuer.entries = [published("first", issuer="https://login.microsoftonline.com/{tenantid}/v2.0")]
    assert keys.key("first")


@pytest.mark.parametrize(
    "authority", ["http://login.example", "ftp://x", "login.example", "https://u:p@login.example", ""]
)
def test_an_authority_must_be_https(authority: str) -> None:
    """Keys that came over plain HTTP would be anybody's."""
    with pytest.raises(WireError):
        EntraKeys(authority, TENANT, issuers={V1})
