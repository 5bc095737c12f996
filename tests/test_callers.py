import threading
from collections.abc import Callable, Iterator

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from local.identity_endpoint import Identity, IdentityEndpoint
from local.loopback_server import Reply, Request
from shared.callers import Rates, SigningKeys, TokenPolicy, TokenVerifier, fits, tenant_issuers
from shared.callers.permissions import MOST_BUCKETS, check_conf, start_entry
from shared.callers.signing_keys import A_DAY, AN_HOUR, KeysUnavailable, UnknownKey
from shared.callers.verifier import LONGEST_TOKEN
from shared.callers.verifier import Identity as Caller
from shared.gate import Gate
from shared.json_types import Json, JsonObject
from shared.rules.callers import CallerSpec
from shared.web import CallRefused

pytestmark = pytest.mark.slow

AUDIENCE = "api://updraft"
GUID = "00000000-0000-4000-8000-00000000000a"
OTHER = "00000000-0000-4000-8000-00000000000b"


class Authority(IdentityEndpoint):
    """An authority whose key set a test can change."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Json] | None = None
        self.jwks_uri: Json = None

    def handle(self, request: Request) -> Reply:
        """Answer with the test's own documents where it has some."""
        if self.entries is not None and request.path.endswith("/keys"):
            return Reply(body={"keys": self.entries})
        reply = super().handle(request)
        if self.jwks_uri is not None and request.path.endswith("openid-configuration"):
            assert isinstance(reply.body, dict)
            return Reply(body={**reply.body, "jwks_uri": self.jwks_uri})
        return reply

    def entry(self, **changes: Json) -> JsonObject:
        """Return the key's entry, changed."""
        return {name: value for name, value in (self._published_key() | changes).items() if value is not None}

    def fetches(self) -> int:
        """Return how often the key set was fetched."""
        return len([seen for seen in self.seen if seen.path.endswith("/keys")])


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def authority() -> Iterator[Authority]:
    """A running authority."""
    with Authority() as authority:
        yield authority


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture
def keys(authority: Authority, clock: Clock) -> SigningKeys:
    """The authority's keys."""
    issuers = tenant_issuers(authority.url, authority.tenant_id)
    return SigningKeys(authority.url, authority.tenant_id, issuers=issuers, clock=clock)


@pytest.fixture
def verifier(authority: Authority, keys: SigningKeys) -> TokenVerifier:
    """A verifier of the authority's tokens."""
    issuers = tenant_issuers(authority.url, authority.tenant_id)
    return TokenVerifier(TokenPolicy(authority.tenant_id, issuers, frozenset({AUDIENCE})), keys)


def refusal(call: Callable[[], object]) -> CallRefused:
    """Return how a call is refused."""
    with pytest.raises(CallRefused) as caught:
        call()
    return caught.value


def spec(**changes: object) -> CallerSpec:
    """Return an entry of `callers`."""
    return CallerSpec.model_validate({"name": "one", "object_id": GUID, "dags": ["a"], **changes})


class TestSigningKeys:
    """The tenant's keys."""

    def test_the_key_set_is_fetched_once(self, authority: Authority, keys: SigningKeys) -> None:
        """Within the hour nobody asks again."""
        for _ in range(5):
            assert keys.key(authority.key_id).key_size == 2048
        assert authority.fetches() == 1

    def test_an_unknown_key_is_looked_for_once_a_minute(
        self, authority: Authority, keys: SigningKeys, clock: Clock
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
        self, authority: Authority, keys: SigningKeys, clock: Clock
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
        self, authority: Authority, keys: SigningKeys, clock: Clock
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
        self, authority: Authority, keys: SigningKeys, clock: Clock
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
        self, authority: Authority, keys: SigningKeys, answer: dict[str, object]
    ) -> None:
        """Redirects, pages, endless answers and closed connections mean that there are no keys."""
        authority.inject(**answer)  # type: ignore[arg-type] # the cases name the method's own arguments
        with pytest.raises(KeysUnavailable):
            keys.key(authority.key_id)

    def test_a_set_without_keys_is_none(self, authority: Authority, keys: SigningKeys) -> None:
        """An empty key set does not take the place of a good one."""
        authority.entries = []
        with pytest.raises(KeysUnavailable):
            keys.key(authority.key_id)


class TestVerifier:
    """Tokens beyond those of the attack suite."""

    def test_an_identity_is_read(self, authority: Authority, verifier: TokenVerifier) -> None:
        """Object id, client id, groups and roles come from the claims; other types are ignored."""
        who = Identity()
        token = authority.issue(AUDIENCE, who, groups=[GUID.upper(), 7], roles=["Runs.Start"])
        assert verifier.verify(token) == Caller(
            who.object_id,
            who.client_id,
            is_app=True,
            groups=frozenset({GUID}),
            roles=frozenset({"Runs.Start"}),
        )

    def test_a_users_token_is_a_users(self, authority: Authority, verifier: TokenVerifier) -> None:
        """A token with a delegated scope speaks for the user, whichever application asked for it."""
        assert not verifier.verify(authority.issue(AUDIENCE, scp="user_impersonation")).is_app

    def test_a_token_has_a_longest_length(self, authority: Authority, verifier: TokenVerifier) -> None:
        """Beyond it nothing is decoded."""
        token = authority.issue(AUDIENCE, junk="x" * LONGEST_TOKEN)
        assert refusal(lambda: verifier.verify(token)).status == 401

    def test_clocks_may_be_a_minute_apart(self, authority: Authority, verifier: TokenVerifier) -> None:
        """A token that has expired, or begins, within the leeway is good."""
        import time  # noqa: PLC0415 - the wall clock, for this test alone

        now = int(time.time())
        assert verifier.verify(authority.issue(AUDIENCE, exp=now - 30))
        assert verifier.verify(authority.issue(AUDIENCE, nbf=now + 30, iat=now + 30))
        assert (
            refusal(lambda: verifier.verify(authority.issue(AUDIENCE, exp=now - 90))).code == "token_expired"
        )

    def test_without_keys_nobody_is_refused_for_good(
        self, authority: Authority, verifier: TokenVerifier
    ) -> None:
        """While the keys cannot be had the answer is 503 with a time to wait, and nobody gets in."""
        authority.inject(503, times=100)
        answer = refusal(lambda: verifier.verify(authority.issue(AUDIENCE)))
        assert (answer.status, answer.headers) == (503, {"Retry-After": "10"})

    @pytest.mark.parametrize(
        "key", [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)]
    )
    def test_another_key_is_not_ours(
        self,
        authority: Authority,
        verifier: TokenVerifier,
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    ) -> None:
        """A good signature of a foreign key, of whatever kind, is refused."""
        claims = jwt.decode(authority.issue(AUDIENCE), options={"verify_signature": False})
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        token = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": authority.key_id})
        assert refusal(lambda: verifier.verify(token)).code == "token_not_accepted"

    def test_sovereign_clouds_have_their_own_issuers(self) -> None:
        """The authority's own v2 issuer is one of the tenant's."""
        assert f"https://login.microsoftonline.us/{GUID}/v2.0" in tenant_issuers(
            "https://login.microsoftonline.us", GUID
        )


class TestPermissions:
    """What an entry is about, and what it allows."""

    def test_a_client_id_means_the_application_itself(self) -> None:
        """A user who came by way of the same application is somebody else."""
        entry = CallerSpec.model_validate({"name": "one", "app_id": GUID, "dags": ["a"]})
        assert fits(entry, Caller(OTHER, GUID, is_app=True))
        assert not fits(entry, Caller(OTHER, GUID, is_app=False))

    def test_the_first_entry_that_allows_counts(self) -> None:
        """Entries add up: what one does not allow another may."""
        entries = [spec(), spec(name="two", dags=["b*"], connection="main")]
        who = Caller(GUID, OTHER, is_app=True)
        assert start_entry(entries, who, dag_id="b1", connection=None).name == "two"
        assert start_entry(entries, who, dag_id="b1", connection="main").name == "two"
        assert refusal(lambda: start_entry(entries, who, dag_id="b1", connection="x")).status == 403
        assert refusal(lambda: start_entry(entries, who, dag_id="c", connection=None)).status == 403

    def test_conf_keys_are_listed(self) -> None:
        """Without `conf` no key is allowed, with `*` every one."""
        check_conf(spec(conf=["*"]), ["anything"])
        check_conf(spec(), [])
        assert "'a'" in refusal(lambda: check_conf(spec(), ["a"])).detail
        assert "and more" in refusal(lambda: check_conf(spec(), list("abcdef"))).detail


class TestRates:
    """Token buckets."""

    def test_a_bucket_fills_again(self, clock: Clock) -> None:
        """The rate is what a bucket holds, and what flows into it in its unit of time."""
        rates, who, entry = Rates(clock), Caller(GUID, OTHER, is_app=True), spec(rate="2/m")
        rates.take(entry, who, 2)
        answer = refusal(lambda: rates.take(entry, who))
        assert (answer.status, answer.headers["Retry-After"]) == (429, "31")
        clock.now += 31
        rates.take(entry, who)
        assert refusal(lambda: rates.take(entry, who)).status == 429

    def test_identities_have_buckets_of_their_own(self, clock: Clock) -> None:
        """One member of a group does not use up another's."""
        rates, entry = Rates(clock), spec(rate="1/h")
        rates.take(entry, Caller(GUID, OTHER, is_app=True))
        rates.take(entry, Caller(OTHER, OTHER, is_app=True))

    def test_what_never_fits_is_told_at_once(self, clock: Clock) -> None:
        """More than the bucket holds is 413, since waiting does not help."""
        who = Caller(GUID, OTHER, is_app=True)
        assert refusal(lambda: Rates(clock).take(spec(rate="2/s"), who, 3)).status == 413

    def test_memory_is_bounded(self, clock: Clock) -> None:
        """Only so many identities are remembered."""
        rates, entry = Rates(clock), spec(rate="1/h")
        for number in range(MOST_BUCKETS + 5):
            rates.take(entry, Caller(str(number), OTHER, is_app=True))
        assert len(rates._buckets) == MOST_BUCKETS


def test_a_gate_opens_after_its_pause(clock: Clock) -> None:
    """One gets through, and the next after the pause."""
    gate = Gate(60, clock)
    assert [gate.enter(), gate.enter()] == [True, False]
    clock.now += 60
    assert gate.enter()
