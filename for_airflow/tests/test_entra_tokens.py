"""The verifier against good tokens of both formats and an attack suite."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from issuer import APP, CLIENT, OBJECT, ROLE, TENANT, URI, V1, V2, claims, key, sign

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
from updraft_airflow.signing_keys import KeysUnavailable, UnknownKey

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


def encoded(part: bytes | dict[str, Any]) -> str:
    """Write one part of a compact token."""
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def hmac_signed(secret: bytes, digest: Any, header: dict[str, Any]) -> str:  # noqa: ANN401 - a hashlib function
    """Sign a good payload with a shared secret, as an attacker who knows the public key would."""
    signing_input = f"{encoded(header)}.{encoded(claims())}"
    return f"{signing_input}.{encoded(hmac.new(secret, signing_input.encode(), digest).digest())}"


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
    """Whoever asks must know that waiting helps."""
    with pytest.raises(KeysUnavailable):
        VERIFIER.verify(sign(claims(), kid="down", signed_by="first"))


@pytest.mark.parametrize("attack", ["alg none", "HS256 with the public key", "RS512", "PS256"])
def test_another_algorithm_is_refused_before_any_key_is_looked_up(attack: str) -> None:
    """The token has no say in how it is verified."""
    with pytest.raises(Refused, match="is not RS256"):
        TokenVerifier(POLICY, None).verify(ATTACKS[attack]())  # type: ignore[arg-type] # none is needed


def test_whatever_breaks_on_the_way_is_a_refusal() -> None:
    """No error of a library opens the door, or becomes an internal error that tells more than it should."""
    with pytest.raises(Refused, match="ZeroDivisionError"):
        VERIFIER.verify(sign(claims(), kid="broken", signed_by="first"))


NOW = int(time.time())
ATTACKS: dict[str, Callable[[], str]] = {
    "alg none": lambda: f"{encoded({'alg': 'none', 'kid': 'first'})}.{encoded(claims())}.",
    "alg None": lambda: f"{encoded({'alg': 'None', 'kid': 'first'})}.{encoded(claims())}.",
    "no signature": lambda: sign(claims()).rpartition(".")[0] + ".",
    "other signature": lambda: sign(claims()).rpartition(".")[0] + "." + sign(claims(oid=APP)).split(".")[2],
    "changed payload": lambda: ".".join(
        [
            (parts := sign(claims(roles=["x"])).split("."))[0],
            encoded(claims()),
            parts[2],
        ]
    ),
    "HS256 with the public key": lambda: hmac_signed(
        key("first").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        hashlib.sha256,
        {"alg": "HS256", "kid": "first"},
    ),
    "HS512 with the public key": lambda: hmac_signed(
        key("first").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        hashlib.sha512,
        {"alg": "HS512", "kid": "first"},
    ),
    "HS256 that says RS256": lambda: hmac_signed(b"guess", hashlib.sha256, {"alg": "RS256", "kid": "first"}),
    "RS512": lambda: jwt.encode(claims(), key("first"), algorithm="RS512", headers={"kid": "first"}),
    "PS256": lambda: jwt.encode(claims(), key("first"), algorithm="PS256", headers={"kid": "first"}),
    "foreign kid": lambda: sign(claims(), kid="foreign"),
    "foreign key under a known kid": lambda: sign(claims(), kid="first", signed_by="foreign"),
    "no kid": lambda: sign(claims(), kid=None),
    "kid is a path": lambda: sign(claims(), kid="../../dev/null", signed_by="first"),
    "jku": lambda: sign(claims(), headers={"jku": "https://attacker.example/keys"}),
    "x5u": lambda: sign(claims(), headers={"x5u": "https://attacker.example/cert"}),
    "jwk": lambda: sign(claims(), headers={"jwk": {"kty": "RSA"}}),
    "x5c": lambda: sign(claims(), headers={"x5c": ["AAAA"]}),
    "crit": lambda: sign(claims(), headers={"crit": ["exp"]}),
    "unencoded payload": lambda: sign(claims(), headers={"b64": False}),
    "foreign issuer": lambda: sign(claims(iss="https://attacker.example/")),
    "issuer of another tenant": lambda: sign(claims(iss=V1.replace("1111-", "9999-", 1))),
    "issuer without its slash": lambda: sign(claims(iss=V1.rstrip("/"))),
    "issuer is a list": lambda: sign(claims(iss=[V2])),
    "no issuer": lambda: sign(claims(iss=None)),
    "another tenant under our issuer": lambda: sign(claims(tid=APP)),
    "no tenant": lambda: sign(claims(tid=None)),
    "another audience": lambda: sign(claims(aud="https://management.azure.com")),
    "audience as a list": lambda: sign(claims(aud=[CLIENT, "https://attacker.example"])),
    "audience begins alike": lambda: sign(claims(aud=URI + ".evil")),
    "no audience": lambda: sign(claims(aud=None)),
    "not yet valid": lambda: sign(claims(nbf=NOW + 9000)),
    "issued in the future": lambda: sign(claims(iat=NOW + 9000)),
    "no expiry": lambda: sign(claims(exp=None)),
    "no nbf": lambda: sign(claims(nbf=None)),
    "no iat": lambda: sign(claims(iat=None)),
    "expiry is infinite": lambda: sign(claims(exp=float("inf"))),
    "expiry is not a number": lambda: sign(claims(exp="never")),
    "no app role": lambda: sign(claims(roles=None)),
    "another app role": lambda: sign(claims(roles=["Airflow.Read"])),
    "app role as a string": lambda: sign(claims(roles=ROLE)),
    "app role inside a longer one": lambda: sign(claims(roles=[ROLE + ".Not"])),
    "scope instead of a role": lambda: sign(claims(roles=None, scp=ROLE)),
    "no oid": lambda: sign(claims(oid=None)),
    "oid is no GUID": lambda: sign(claims(oid="admin")),
    "oid is a list": lambda: sign(claims(oid=[OBJECT])),
    "an ID token": lambda: sign(claims(azp=None)),
    "oversized": lambda: sign(claims(groups=["g" * 100] * 200)),
    "deeply nested header": lambda: f"{encoded(b'[' * 5000)}.{encoded(claims())}.AAAA",
    "payload is a list": lambda: jwt.api_jws.encode(b"[]", key("first"), "RS256", headers={"kid": "first"}),
    "payload is no JSON": lambda: jwt.api_jws.encode(b"{", key("first"), "RS256", headers={"kid": "first"}),
    "five parts": lambda: "a.b.c.d.e",
    "no parts": lambda: "",
    "not ASCII": lambda: "é.ü.ß",
    "null bytes": lambda: "\0.\0.\0",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_attack_gets_through_or_into_the_log(attack: str) -> None:
    """Each is refused with a reason that does not repeat the token."""
    token = ATTACKS[attack]()
    with pytest.raises(Refused) as refusal:
        VERIFIER.verify(token)
    assert str(refusal.value)
    assert len(str(refusal.value)) <= 300
    assert len(token) < 10 or token not in str(refusal.value)
    assert not any(part in str(refusal.value) for part in token.split(".") if len(part) > 20)
    assert refusal.value.__cause__ is None


@given(st.text(max_size=400) | st.binary(max_size=300).map(lambda raw: f"{encoded(raw)}.{encoded(raw)}.AA"))
def test_garbage_is_refused_without_a_crash(token: str) -> None:
    """Whatever is sent as a token, the answer is a refusal, and the peek at the issuer copes too."""
    unverified_issuer(token)
    with pytest.raises(Refused):
        VERIFIER.verify(token)


@given(
    st.dictionaries(
        st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "tid", "oid", "roles", "azp"]),
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
    """The peek only decides who is to judge the token; what it cannot read is not ours."""
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
    """The public cloud's two names are always there, a national cloud's besides."""
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
