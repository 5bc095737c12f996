"""The verifier: good tokens of both formats, and the table of attacks that the function app has too."""

import base64
import contextlib
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from attack_table import (
    APPS,
    PORTAL,
    SCOPE,
    USERS,
    World,
    attacks,
    bad_published_keys,
    good_published_key,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from hypothesis import given
from hypothesis import strategies as st
from issuer import (
    APP,
    CLIENT,
    OBJECT,
    ROLE,
    TENANT,
    URI,
    V1,
    V2,
    Issuer,
    claims,
    key,
    published,
    sign,
)

from updraft_airflow.entra_tokens import (
    LONGEST_TOKEN,
    EntraIdentity,
    Expired,
    Refused,
    TokenPolicy,
    TokenVerifier,
    tenant_issuers,
    unverified_issuer,
)
from updraft_airflow.signing_keys import EntraKeys, KeysUnavailable, UnknownKey

POLICY = TokenPolicy(
    tenant_id=TENANT,
    issuers=tenant_issuers("https://login.microsoftonline.com", TENANT),
    audiences=frozenset({CLIENT, URI}),
    app_roles=frozenset({ROLE, "Airflow.Operate"}),
    leeway=60,
)


class Keys:
    """The issuer's one key."""

    def key(self, key_id: str) -> RSAPublicKey:
        """Give it."""
        if key_id == "down":
            raise KeysUnavailable("down")
        if key_id == "broken":
            raise ZeroDivisionError
        if key_id != "first":
            raise UnknownKey(f"the tenant has no signing key {key_id!r}")
        return key("first").public_key()


VERIFIER = TokenVerifier(POLICY, Keys())
VERIFIERS = {
    APPS: VERIFIER,
    USERS: TokenVerifier(
        replace(POLICY, user_scopes=frozenset({SCOPE}), user_clients=frozenset({PORTAL})), Keys()
    ),
}
WORLD = World(
    tenant_id=TENANT,
    client_id=CLIENT,
    uri=URI,
    object_id=OBJECT,
    app_id=APP,
    role=ROLE,
    key=key("first"),
    key_id="first",
)
TABLE = attacks(WORLD)


def encoded(part: bytes | dict[str, Any]) -> str:
    """Write one part of a compact token."""
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize("version", [1, 2])
def test_a_good_token_of_either_format_gives_the_identity(version: int) -> None:
    """Both issuers, audiences and names of the client claim lead to the same identity."""
    payload = claims(version)
    assert VERIFIER.verify(sign(payload)) == EntraIdentity(OBJECT, APP, frozenset({ROLE}), payload["exp"])


def test_ids_are_compared_without_regard_to_case() -> None:
    """A GUID in capitals is the same identity, so it cannot become a second user."""
    assert VERIFIER.verify(sign(claims(oid=OBJECT.upper(), tid=TENANT.upper()))).object_id == OBJECT


def test_any_of_the_app_roles_will_do() -> None:
    """The token needs one of the roles; what else it carries is kept for the role mapping."""
    identity = VERIFIER.verify(sign(claims(roles=["Other", "Airflow.Operate", 7])))
    assert identity.app_roles == {"Other", "Airflow.Operate"}


def test_clocks_may_differ_by_the_leeway() -> None:
    """A token that is just expired, or not quite valid yet, passes within the leeway."""
    now = int(time.time())
    VERIFIER.verify(sign(claims(exp=now - 30)))
    VERIFIER.verify(sign(claims(nbf=now + 30, iat=now + 30)))


def test_an_expired_token_is_told_apart() -> None:
    """Airflow says 401 for it, and the client gets a new one."""
    with pytest.raises(Expired):
        VERIFIER.verify(sign(claims(exp=int(time.time()) - 61)))


def test_keys_that_cannot_be_had_are_no_refusal() -> None:
    """The error has a time to wait."""
    with pytest.raises(KeysUnavailable):
        VERIFIER.verify(sign(claims(), kid="down", signed_by="first"))


@pytest.mark.parametrize(
    "attack",
    [
        "alg 'none', signed",
        "HS256 with the public key",
        "RS512 of the tenant's key",
        "PS256 of the tenant's key",
    ],
)
def test_another_algorithm_is_refused_before_any_key_is_looked_up(attack: str) -> None:
    """The token has no say in how it is verified."""
    token = TABLE[f"algorithms: {attack}"].token
    with pytest.raises(Refused, match="is not RS256"):
        TokenVerifier(POLICY, None).verify(token)  # type: ignore[arg-type] # none is needed


def test_whatever_breaks_on_the_way_is_a_refusal() -> None:
    """An error of a library is a refusal, and never an acceptance or an internal error."""
    with pytest.raises(Refused, match="ZeroDivisionError"):
        VERIFIER.verify(sign(claims(), kid="broken", signed_by="first"))


@pytest.mark.parametrize("name", TABLE)
def test_the_table_of_attacks_opens_what_it_says(name: str) -> None:
    """Each token is accepted as in the table, and otherwise refused for a reason that does not show it."""
    attack = TABLE[name]
    for mode, verifier in VERIFIERS.items():
        if mode in attack.opens:
            assert verifier.verify(attack.token).object_id == OBJECT
            continue
        with pytest.raises(Refused) as refusal:
            verifier.verify(attack.token)
        told = str(refusal.value)
        assert told
        assert len(told) <= 300
        assert len(attack.token) < 10 or attack.token not in told
        assert not any(part in told for part in attack.token.split(".") if len(part) > 20)
        assert refusal.value.__cause__ is None


def test_the_peek_at_the_issuer_withstands_the_table() -> None:
    """For any text the result is whether this tenant is named, and nothing is raised."""
    for attack in TABLE.values():
        if attack.opens:
            assert VERIFIER.claims_tenant(attack.token)
        else:
            unverified_issuer(attack.token)


def test_a_published_key_that_is_not_for_tokens_is_not_used(issuer: Issuer) -> None:
    """An entry of the key set that is weak, for another use or of another kind verifies nothing."""
    opened = set()
    for name, each in {"good": good_published_key(WORLD), **bad_published_keys(WORLD)}.items():
        issuer.entries = [dict(each.entry), 7, published("first")]
        verifier = TokenVerifier(POLICY, EntraKeys(issuer.url, TENANT, issuers=POLICY.issuers))
        with contextlib.suppress(Refused):
            verifier.verify(each.token)
            opened.add(name)
    assert opened == {"good"}


@given(st.text(max_size=400) | st.binary(max_size=300).map(lambda raw: f"{encoded(raw)}.{encoded(raw)}.AA"))
def test_garbage_is_refused_without_a_crash(token: str) -> None:
    """Whatever is sent as a token, the answer is a refusal, and the peek at the issuer copes too."""
    unverified_issuer(token)
    with pytest.raises(Refused):
        VERIFIER.verify(token)


@given(
    st.dictionaries(
        st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "tid", "oid", "roles", "azp", "scp", "idtyp"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=5)
        | st.lists(st.text(max_size=3), max_size=2),
        min_size=1,
    )
)
def test_signed_nonsense_never_crashes(changes: dict[str, Any]) -> None:
    """Even a token that Entra signed, with claims of any type, ends in an identity or a refusal."""
    try:
        identity = VERIFIER.verify(sign(claims(**changes)))
    except Refused:
        return
    assert identity.object_id == OBJECT
    assert identity.app_roles & POLICY.app_roles


@pytest.mark.parametrize(
    ("token", "issuer"),
    [
        (f"{encoded({'alg': 'none'})}.{encoded({'iss': V2})}.", V2),
        (f"x.{encoded({'iss': 7})}.x", None),
        (f"x.{encoded(b'[]')}.x", None),
        (f"x.{encoded(b'[' * 9000)}.x", None),
        (f"x.{encoded({'iss': V2})}", None),
        (f"x.{encoded({'iss': V2})}." + "x" * LONGEST_TOKEN, None),
        ("not.a.token", None),
    ],
)
def test_the_issuer_is_read_without_believing_it(token: str, issuer: str | None) -> None:
    """The claimed issuer only decides which verifier gets the token; an unreadable token goes to FAB."""
    assert unverified_issuer(token) == issuer
    assert VERIFIER.claims_tenant(token) is (issuer is not None)


@pytest.mark.parametrize("name", ["tenant_id", "issuers", "audiences", "app_roles"])
def test_a_policy_that_checks_nothing_is_refused(name: str) -> None:
    """An empty setting is a mistake, never a wildcard."""
    good = {
        "tenant_id": TENANT,
        "issuers": frozenset({V1}),
        "audiences": frozenset({URI}),
        "app_roles": frozenset({ROLE}),
    }
    with pytest.raises(ValueError, match=name):
        TokenPolicy(**(good | {name: type(good[name])()}))  # type: ignore[arg-type] # the point of the test


def test_the_issuers_follow_the_authority() -> None:
    """The public cloud's two names are always accepted, and also a national cloud's."""
    assert tenant_issuers("https://login.microsoftonline.com/", TENANT) == {V1, V2}
    assert tenant_issuers("https://login.partner.microsoftonline.cn", TENANT) == {
        V1,
        V2,
        f"https://login.partner.microsoftonline.cn/{TENANT}/v2.0",
    }


def test_the_seconds_left_count_down_from_the_expiry() -> None:
    """They bound the Airflow token that is given in exchange."""
    identity = VERIFIER.verify(sign(claims()))
    assert 0 < identity.seconds_left <= 3600
