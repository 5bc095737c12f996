"""The keys of an authority: fetched when needed, cached, and never replaced by unusable ones."""

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import pytest

from local.stand_ins.loopback_server import Reply, Request
from shared.callers import SigningKeys
from shared.callers.errors import UnknownKey
from shared.callers.signing_keys import A_DAY, AN_HOUR, _in_words
from shared.errors import KeysUnavailable
from shared.values.json_text import Json
from tests.support.callers import Authority
from tests.support.clocks import UnixClock


class TestSigningKeys:
    """The tenant's keys."""

    def test_the_key_set_is_fetched_once(self, authority: Authority, keys: SigningKeys) -> None:
        """Within the hour there is no further fetch."""
        for _ in range(5):
            assert keys.key(authority.key_id).key_size == 2048
        assert authority.fetches() == 1

    def test_a_key_at_hand_waits_for_nobody(self, authority: Authority, keys: SigningKeys) -> None:
        """While one thread fetches, a key of the last hour is returned at once."""
        keys.key(authority.key_id)
        with ThreadPoolExecutor(1) as pool:
            with keys._fetching:
                found = pool.submit(keys.key, authority.key_id).exception(timeout=30)
            assert found is None

    def test_an_unknown_key_is_looked_for_once_a_minute(
        self, authority: Authority, keys: SigningKeys, clock: UnixClock
    ) -> None:
        """A rotated key is found at once; a made-up one causes one fetch a minute at most.

        Until the next fetch nobody knows whether it is made up, so it is not refused for good.
        """
        keys.key(authority.key_id)
        authority.rotate_key()
        assert keys.key(authority.key_id)
        assert authority.fetches() == 2
        clock.now += 20
        for _ in range(10):
            with pytest.raises(KeysUnavailable) as caught:
                keys.key("made-up")
            assert caught.value.retry_after == 40
        assert authority.fetches() == 2
        clock.now += 61
        with pytest.raises(UnknownKey):
            keys.key("made-up")
        assert authority.fetches() == 3

    def test_an_old_key_set_is_used_while_the_authority_is_away(
        self, authority: Authority, keys: SigningKeys, clock: UnixClock
    ) -> None:
        """After an hour it is fetched again; if that fails the old one is used for a day."""
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
        """A key that was removed from the set is refused within the hour."""
        old = authority.key_id
        keys.key(old)
        authority.rotate_key()
        clock.now += AN_HOUR + 1
        with pytest.raises(UnknownKey):
            keys.key(old)

    def test_one_thread_fetches_and_two_wait(self, authority: Authority, keys: SigningKeys) -> None:
        """A cold start with many calls makes one fetch, and only three threads wait.

        The other calls are asked to come again before the fetch has ended.
        """
        key_id = authority.key_id
        answer, handle = threading.Event(), authority.handle

        def slow(request: Request) -> Reply:
            answer.wait()
            return handle(request)

        authority.handle = slow  # type: ignore[method-assign] # the server of this test alone is slow: 13 calls end first
        with ThreadPoolExecutor(16) as pool:
            ended = as_completed([pool.submit(keys.key, key_id) for _ in range(16)])
            first_13 = [next(ended).exception() for _ in range(13)]
            answer.set()
            others = [call.exception() for call in ended]
        assert authority.fetches() == 1
        assert [type(error) for error in first_13] == [KeysUnavailable] * 13
        assert others == [None] * 3

    def test_a_known_key_never_waits_for_an_unknown_one(
        self, authority: Authority, keys: SigningKeys, clock: UnixClock
    ) -> None:
        """While unknown keys wait for a slow authority, other callers get their key at once."""
        key_id = authority.key_id
        keys.key(key_id)
        asked, answer, handle = threading.Event(), threading.Event(), authority.handle

        def slow(request: Request) -> Reply:
            asked.set()
            answer.wait()
            return handle(request)

        authority.handle = slow  # type: ignore[method-assign] # the server of this test alone is slow
        with ThreadPoolExecutor(31) as pool:
            strangers = [pool.submit(keys.key, f"made-up-{number}") for number in range(31)]
            asked.wait()
            assert keys.key(key_id)
            answer.set()
            errors = [stranger.exception() for stranger in strangers]
        assert sorted({type(error).__name__ for error in errors}) == ["KeysUnavailable", "UnknownKey"]

    def test_an_authority_that_is_away_refuses_nobody_for_good(
        self, authority: Authority, keys: SigningKeys, clock: UnixClock
    ) -> None:
        """A key id that could not be looked up does not count as unknown."""
        keys.key(authority.key_id)
        authority.inject(503)
        with pytest.raises(KeysUnavailable) as caught:
            keys.key("new")
        assert caught.value.retry_after == 60

    def test_without_an_authority_there_is_a_pause(
        self, authority: Authority, keys: SigningKeys, clock: UnixClock
    ) -> None:
        """During an outage there is one fetch in a few seconds, and the keys are found afterwards."""
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
        """An unusable member gives no key, and the others are used."""
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
        """A discovery document with an address at another server is refused."""
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
        """After redirects, pages, endless responses and closed connections no keys are available."""
        authority.inject(**answer)
        with pytest.raises(KeysUnavailable):
            keys.key(authority.key_id)

    def test_an_answer_may_be_a_mebibyte_long(
        self, authority: Authority, keys: SigningKeys, caplog: pytest.LogCaptureFixture
    ) -> None:
        """One byte more is refused with its bound, and the log has at most 300 characters of any reason."""
        for more, says in ((0, "jwks_uri is not at the authority"), (1, "more than 1048576 bytes")):
            caplog.clear()
            authority.inject(status=200, body=b"{}" + b" " * (1_048_576 - 2 + more))
            with pytest.raises(KeysUnavailable):
                SigningKeys(authority.url, authority.tenant_id, issuers=()).key("k")
            assert says in caplog.text
        assert _in_words(ValueError("x\n y" * 1_000)) == ("ValueError: " + "x y" * 1_000)[:300]
        assert (AN_HOUR, A_DAY) == (3_600, 86_400)

    def test_a_set_without_keys_is_none(self, authority: Authority, keys: SigningKeys) -> None:
        """An empty key set does not replace a usable one."""
        authority.entries = []
        with pytest.raises(KeysUnavailable):
            keys.key(authority.key_id)
