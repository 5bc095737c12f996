"""The keys of an authority: fetched when they are needed, kept, and never replaced by worse ones."""

import threading
from typing import Any

import pytest

from shared.callers import SigningKeys
from shared.callers.signing_keys import A_DAY, AN_HOUR, KeysUnavailable, UnknownKey
from shared.values.json_text import Json
from tests.support.callers import Authority
from tests.support.clocks import UnixClock


class TestSigningKeys:
    """The tenant's keys."""

    def test_the_key_set_is_fetched_once(self, authority: Authority, keys: SigningKeys) -> None:
        """Within the hour nobody asks again."""
        for _ in range(5):
            assert keys.key(authority.key_id).key_size == 2048
        assert authority.fetches() == 1

    def test_an_unknown_key_is_looked_for_once_a_minute(
        self, authority: Authority, keys: SigningKeys, clock: UnixClock
    ) -> None:
        """A rotated key is found at once; a made-up one causes one fetch a minute at most."""
        keys.key(authority.key_id)
        authority.rotate_key()
        assert keys.key(authority.key_id)
        assert authority.fetches() == 2
        for _ in range(10):
            with pytest.raises(UnknownKey):
                keys.key("made-up")
        assert authority.fetches() == 2
        clock.now += 61
        with pytest.raises(UnknownKey):
            keys.key("made-up")
        assert authority.fetches() == 3

    def test_an_old_key_set_is_used_while_the_authority_is_away(
        self, authority: Authority, keys: SigningKeys, clock: UnixClock
    ) -> None:
        """After an hour it is fetched anew; if that fails the old one is good for a day, and no longer."""
        key_id = authority.key_id
        keys.key(key_id)
        authority.inject(503, times=100)
        clock.now += AN_HOUR + 1
        assert keys.key(key_id)
        clock.now += A_DAY
        with pytest.raises(KeysUnavailable):
            keys.key(key_id)

    def test_it_is_refreshed_after_an_hour(
        self, authority: Authority, keys: SigningKeys, clock: UnixClock
    ) -> None:
        """A key that was taken out of the set stops being good within the hour."""
        old = authority.key_id
        keys.key(old)
        authority.rotate_key()
        clock.now += AN_HOUR + 1
        with pytest.raises(UnknownKey):
            keys.key(old)

    def test_one_thread_fetches_for_all(self, authority: Authority, keys: SigningKeys) -> None:
        """However many calls come at once, a cold start makes one fetch."""
        authority.inject(delay=0.05)
        key_id = authority.key_id
        threads = [threading.Thread(target=keys.key, args=(key_id,)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert authority.fetches() == 1

    def test_without_an_authority_there_is_a_pause(
        self, authority: Authority, keys: SigningKeys, clock: UnixClock
    ) -> None:
        """While nothing can be had it is asked once in a few seconds, and found when it is back."""
        authority.inject(503)
        for _ in range(3):
            with pytest.raises(KeysUnavailable):
                keys.key(authority.key_id)
        assert len(authority.seen) == 1
        clock.now += 6
        assert keys.key(authority.key_id)

    @pytest.mark.parametrize(
        "changes",
        [
            {"kty": "EC"},
            {"use": "enc"},
            {"alg": "RS512"},
            {"kid": None},
            {"kid": 7},
            {"n": None},
            {"n": "AQAB"},
            {"e": ""},
            {"issuer": "https://login.microsoftonline.com/another/v2.0"},
            {"issuer": 7},
        ],
    )
    def test_an_unusable_key_is_left_out(
        self, authority: Authority, keys: SigningKeys, changes: dict[str, Json]
    ) -> None:
        """It gives nothing, and its good neighbour is used."""
        good = authority.entry(issuer="https://login.microsoftonline.com/{tenantid}/v2.0")
        authority.entries = [authority.entry(**({"kid": "bad"} | changes)), 7, good]
        assert keys.key(authority.key_id)
        with pytest.raises(UnknownKey):
            keys.key("bad")

    @pytest.mark.parametrize(
        "uri", ["http://127.0.0.1:1/keys", "file:///etc/passwd", 7, "https://evil.example/discovery/keys"]
    )
    def test_keys_come_from_the_authority_alone(
        self, authority: Authority, keys: SigningKeys, uri: Json
    ) -> None:
        """A discovery document that leads elsewhere is not followed."""
        authority.jwks_uri = uri
        with pytest.raises(KeysUnavailable):
            keys.key(authority.key_id)

    @pytest.mark.parametrize(
        "answer",
        [
            {"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}},
            {"status": 200, "body": b"<html>"},
            {"status": 200, "body": b"[]"},
            {"status": 200, "body": b"[" * 100_000},
            {"status": 200, "body": b" " * 1_100_000},
            {"status": 0},
        ],
    )
    def test_whatever_the_authority_answers_is_bounded(
        self, authority: Authority, keys: SigningKeys, answer: dict[str, Any]
    ) -> None:
        """Redirects, pages, endless answers and closed connections mean that there are no keys."""
        authority.inject(**answer)
        with pytest.raises(KeysUnavailable):
            keys.key(authority.key_id)

    def test_a_set_without_keys_is_none(self, authority: Authority, keys: SigningKeys) -> None:
        """An empty key set does not take the place of a good one."""
        authority.entries = []
        with pytest.raises(KeysUnavailable):
            keys.key(authority.key_id)
