"""Tokens that an attacker, or a mistake, could send: one table for both verifiers of Entra tokens.

The function app verifies its callers (`shared/callers/verifier.py`), and Airflow verifies the function app
(`for_airflow/src/updraft_airflow/entra_tokens.py`). Both test suites read this file and run all of it, so
that the two cannot differ. It imports nothing of this repository, because the tests of `for_airflow` load
it by its path.

Each token is tried in two settings: `apps`, in which only applications are accepted, and `users`, in which
users are accepted too, with one scope and one client. In both an identity needs one app role.
"""

import base64
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

APPS: Final = "apps"
USERS: Final = "users"
BOTH: Final = frozenset({APPS, USERS})
NOBODY: Final = frozenset[str]()
LONGEST: Final = 16_384
"""Characters that both verifiers take."""

SCOPE: Final = "Runs.Start"
PORTAL: Final = "9d0c1d4e-0000-4000-8000-0000000000c1"
"""The client by way of which users may come."""
STRANGER: Final = "9d0c1d4e-0000-4000-8000-0000000000c2"
"""The id of another identity or application."""

type Part = bytes | Mapping[str, Any]
type Sign = Callable[[bytes], bytes]


@dataclass(frozen=True, kw_only=True)
class World:
    """The tenant, the application and the identity of the tokens.

    Attributes:
        tenant_id: The tenant's GUID.
        client_id: The audience of v2 tokens.
        uri: The audience of v1 tokens.
        object_id: The identity that is accepted.
        app_id: Its application.
        role: The app role that it needs.
        key: The tenant's signing key.
        key_id: Its id.
    """

    tenant_id: str
    client_id: str
    uri: str
    object_id: str
    app_id: str
    role: str
    key: rsa.RSAPrivateKey
    key_id: str

    @property
    def v1(self) -> str:
        """The issuer of v1 tokens."""
        return f"https://sts.windows.net/{self.tenant_id}/"

    @property
    def v2(self) -> str:
        """The issuer of v2 tokens."""
        return f"https://login.microsoftonline.com/{self.tenant_id}/v2.0"

    def header(self, **changes: Any) -> dict[str, Any]:
        """Return a good header, changed; None leaves a member out."""
        return _without_none({"typ": "JWT", "alg": "RS256", "kid": self.key_id} | changes)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a good app-only v2 token, changed; None leaves a claim out."""
        now = int(time.time())
        good = {
            "aud": self.client_id,
            "iss": self.v2,
            "iat": now,
            "nbf": now,
            "exp": now + 3_600,
            "tid": self.tenant_id,
            "oid": self.object_id,
            "sub": self.object_id,
            "azp": self.app_id,
            "azpacr": "2",
            "roles": [self.role],
            "ver": "2.0",
        }
        return _without_none(good | changes)

    def v1_claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a good app-only v1 token, changed."""
        client = {"azp": None, "azpacr": None, "appid": self.app_id, "appidacr": "2"}
        return self.claims(**{"aud": self.uri, "iss": self.v1, "ver": "1.0"} | client | changes)

    def user(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a user's token that the setting `users` accepts, with changes."""
        return self.claims(**{"azp": PORTAL, "azpacr": "0", "scp": SCOPE, "sub": "pairwise"} | changes)

    def sign(self, signing_input: bytes) -> bytes:
        """Sign as the tenant does."""
        return self.key.sign(signing_input, padding.PKCS1v15(), SHA256())

    def issued(self, claims: Part, **header: Any) -> str:
        """Return a token with these claims and a good signature of the tenant."""
        return compact(self.header(**header), claims, self.sign)


@dataclass(frozen=True)
class Attack:
    """A token, and the settings in which it is accepted.

    Attributes:
        token: The token.
        opens: The settings that accept it.
        unknown_key: Whether it names a key that the tenant does not have: a verifier may then ask its sender
            to try again.
    """

    token: str
    opens: frozenset[str] = NOBODY
    unknown_key: bool = False


@dataclass(frozen=True)
class PublishedKey:
    """An entry of the tenant's key set, and a token that its key signed."""

    entry: Mapping[str, Any]
    token: str


def attacks(world: World) -> dict[str, Attack]:
    """Return the table, by attack; its valid tokens show that the others fail only because of the attack."""
    table: dict[str, Attack] = {}
    for rows in (
        _good,
        _forms,
        _algorithms,
        _key_ids,
        _headers,
        _payloads,
        _claims,
        _times,
        _rights,
        _actors,
    ):
        for name, attack in rows(world):
            full = f"{rows.__name__.strip('_')}: {name}"
            assert full not in table
            table[full] = attack
    return table


def compact(header: Part, payload: Part, sign: Sign) -> str:
    """Return a token in compact form; parts that are bytes are not changed."""
    signing_input = f"{segment(header)}.{segment(payload)}"
    return f"{signing_input}.{segment(sign(signing_input.encode()))}"


def segment(part: Part) -> str:
    """Return one part of a token in Base64url."""
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@cache
def foreign_key(bits: int = 2_048) -> rsa.RSAPrivateKey:
    """Return a key that the tenant does not have."""
    return rsa.generate_private_key(65_537, bits)


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _rsa(key: rsa.RSAPrivateKey, digest: HashAlgorithm | None = None, *, pss: bool = False) -> Sign:
    digest = digest or SHA256()
    how = padding.PSS(padding.MGF1(digest), digest.digest_size) if pss else padding.PKCS1v15()
    return lambda signing_input: key.sign(signing_input, how, digest)


def _hmac(secret: bytes, digest: str = "sha256") -> Sign:
    return lambda signing_input: hmac.new(secret, signing_input, digest).digest()


def _good(world: World) -> Iterator[tuple[str, Attack]]:
    now = int(time.time())
    both = {
        "v2": world.claims(),
        "v1": world.v1_claims(),
        "idtyp": world.claims(idtyp="app"),
        "client's credential unknown": world.claims(azpacr=None),
        "proved by a secret": world.claims(azpacr="1"),
        "role among others": world.claims(roles=["Other", world.role, 7, None, [world.role]]),
        "GUIDs in capitals": world.claims(
            tid=world.tenant_id.upper(), oid=world.object_id.upper(), azp=world.app_id.upper()
        ),
        "just expired": world.claims(exp=now - 30),
        "almost valid": world.claims(nbf=now + 30, iat=now + 30),
        "times with fractions": world.claims(exp=now + 3_600.5, nbf=now - 0.5, iat=now - 0.5),
        "one client, named twice": world.claims(appid=world.app_id),
        "empty appid beside azp": world.claims(appid=""),
        "group overage": world.claims(
            hasgroups=True,
            _claim_names={"groups": "src1"},
            _claim_sources={"src1": {"endpoint": "https://x"}},
        ),
        "unknown claims": world.claims(wids=[], xms_cc=["cp1"], rh="x", nested={"a": [[[1]]]}),
    }
    yield from ((name, Attack(world.issued(claims), BOTH)) for name, claims in both.items())
    yield "unknown header members", Attack(world.issued(world.claims(), x5t=world.key_id, nonce="x"), BOTH)
    doubled = json.dumps(world.claims()).encode().replace(b'"roles": ', b'"roles": [], "roles": ')
    # What the tenant signed is read as the library reads it: nobody else can write such a token.
    yield "role twice, the good one last", Attack(world.issued(doubled), BOTH)
    text = json.dumps(world.claims())
    yield "claims in UTF-16", Attack(world.issued(text.encode("utf-16")), BOTH)
    yield "claims behind a byte order mark", Attack(world.issued(text.encode("utf-8-sig")), BOTH)
    users = {
        "a user's": world.user(),
        "a user's v1": world.v1_claims(appid=PORTAL, appidacr="0", scp=SCOPE),
        "a user's, idtyp": world.user(idtyp="user"),
        "a user's, confidential client": world.user(azpacr="1"),
        "a user's, scope among others": world.user(scp=f"Profile.Read  {SCOPE} openid"),
    }
    yield from ((name, Attack(world.issued(claims), frozenset({USERS}))) for name, claims in users.items())


def _forms(world: World) -> Iterator[tuple[str, Attack]]:
    good = world.issued(world.claims())
    header, payload, signature = good.split(".")

    def signed_text(first: str, second: str) -> str:
        return f"{first}.{second}.{segment(world.sign(f'{first}.{second}'.encode()))}"

    other_signature = world.issued(world.claims(oid=STRANGER)).rpartition(".")[2]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = alphabet[alphabet.index(signature[-1]) ^ 1]
    standard = base64.b64encode(json.dumps(world.claims(junk="~?" * 9)).encode()).decode().rstrip("=")
    assert {"+", "/"} & {*standard}
    json_form = {"payload": payload, "signatures": [{"protected": header, "signature": signature}]}
    flattened = {"payload": payload, "protected": header, "signature": signature}
    for name, token in {
        "nothing": "",
        "a word": "x",
        "dots": "..",
        "more dots": "....",
        "header alone": header,
        "two parts": f"{header}.{payload}",
        "no signature": f"{header}.{payload}.",
        "no payload": f"{header}..{signature}",
        "no header": f".{payload}.{signature}",
        "four parts": f"{good}.{signature}",
        "five parts": f"{good}.{signature}.{signature}",
        "twice": f"{good}.{good}",
        "twice without a dot": good + good,
        "twice with a comma": f"{good},{good}",
        "cut off": good[:-1],
        "half of the signature": good[: -len(signature) // 2],
        "one character more": f"{good}A",
        "first character gone": good[1:],
        "payload cut off": f"{header}.{payload[:-4]}.{signature}",
        "signature of another token": f"{header}.{payload}.{other_signature}",
        "payload of another token": f"{header}.{segment(world.claims(oid=STRANGER))}.{signature}",
        "signature of zeros": f"{header}.{payload}.{segment(bytes(256))}",
        "short signature": f"{header}.{payload}.{segment(b'x')}",
        "blank before": f" {good}",
        "blank behind": f"{good} ",
        "line end behind": f"{good}\n",
        "tab behind": f"{good}\t",
        "blank within": f"{header}. {payload}.{signature}",
        "line end within the signature": f"{header}.{payload}.{signature[:9]}\n{signature[9:]}",
        "padding behind": f"{good}==",
        "padding within the signature": f"{header}.{payload}.{signature[:8]}=={signature[8:]}",
        "header with padding, signed": signed_text(f"{header}==", payload),
        "payload with padding, signed": signed_text(header, f"{payload}=="),
        "header with a blank, signed": signed_text(f"{header} ", payload),
        "payload with a line end, signed": signed_text(header, f"{payload}\r\n"),
        "payload in the standard alphabet, signed": signed_text(header, standard),
        "signature in the standard alphabet": _in_standard_alphabet(world),
        "another spelling of the signature": f"{header}.{payload}.{signature[:-1]}{spare}",
        "full-width letter": f"{header}.{payload}.\uff21{signature[1:]}",
        "letter of another script": f"{header}.{payload}.\u0410{signature[1:]}",
        "digits of another script": f"{header}.{payload}.\u0661{signature[1:]}",
        "invisible character": f"{good}\u200b",
        "byte order mark": f"\ufeff{good}",
        "NUL behind": f"{good}\0",
        "NUL bytes": "\0.\0.\0",
        "half a surrogate pair": f"{good}\ud800",
        "percent-encoded dots": good.replace(".", "%2E"),
        "other dots": good.replace(".", "\u3002"),
        "in quotes": f'"{good}"',
        "with the scheme": f"Bearer {good}",
        "lower case": good.lower(),
        "JSON serialization": json.dumps(json_form),
        "flattened JSON serialization": json.dumps(flattened),
        "too long": world.issued(world.claims(junk="x" * LONGEST)),
        "many groups": world.issued(world.claims(groups=[STRANGER] * 400)),
        "endless": "A" * 1_000_000,
        "endless dots": "." * 100_000,
        "long header": compact(world.header(junk="x" * LONGEST), world.claims(), world.sign),
    }.items():
        yield name, Attack(token)


def _in_standard_alphabet(world: World) -> str:
    """Return a good token whose signature is written with `+` and `/`."""
    while True:
        rest, _, signature = world.issued(world.claims(jti=secrets.token_hex())).rpartition(".")
        if {"-", "_"} & {*signature}:
            return f"{rest}.{signature.replace('-', '+').replace('_', '/')}"


def _algorithms(world: World) -> Iterator[tuple[str, Attack]]:
    public = world.key.public_key()
    numbers = public.public_numbers()
    modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    shared = {
        "the public key": pem,
        "the public key without its line end": pem.strip(),
        "the public key in PKCS 1": public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        "the public key in DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "the modulus": modulus,
        "the modulus as text": segment(modulus).encode(),
        "the key's entry": json.dumps({"kty": "RSA", "n": segment(modulus), "e": "AQAB"}).encode(),
        "nothing": b"",
        "the key id": world.key_id.encode(),
        "the tenant": world.tenant_id.encode(),
        "the word null": b"null",
    }
    claims = world.claims()
    for name, secret in shared.items():
        for alg in ("HS256", "HS384", "HS512"):
            sign = _hmac(secret, f"sha{alg[2:]}")
            yield f"{alg} with {name}", Attack(compact(world.header(alg=alg), claims, sign))
        yield f"RS256 that is HMAC with {name}", Attack(compact(world.header(), claims, _hmac(secret)))
    for alg in (
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        "rs256",
        "RS256 ",
        " RS256",
        "RS256\0",
        "HS256",
        "ES256K",
        "dir",
    ):
        signed = compact(world.header(alg=alg), claims, world.sign)
        yield f"alg {alg!r}, signed", Attack(signed)
        yield f"alg {alg!r}, without a signature", Attack(signed.rpartition(".")[0] + ".")
        yield f"alg {alg!r}, with one character", Attack(signed.rpartition(".")[0] + ".AA")
    for odd in (["RS256"], {"RS256": 1}, 256, True, 0, "RSA-OAEP", "A256GCM"):
        yield f"alg {odd!r}", Attack(compact(world.header(alg=odd), claims, world.sign))
    yield "no alg", Attack(compact(world.header(alg=None), claims, world.sign))
    for alg, digest, pss in (
        ("RS384", SHA384(), False),
        ("RS512", SHA512(), False),
        ("PS256", SHA256(), True),
        ("PS384", SHA384(), True),
        ("PS512", SHA512(), True),
    ):
        sign = _rsa(world.key, digest, pss=pss)
        yield f"{alg} of the tenant's key", Attack(compact(world.header(alg=alg), claims, sign))
        yield f"{alg} that says RS256", Attack(compact(world.header(), claims, sign))
    curve, edwards = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    for alg, sign in {
        "ES256": lambda signing_input: curve.sign(signing_input, ec.ECDSA(SHA256())),
        "EdDSA": edwards.sign,
    }.items():
        yield f"{alg} of a foreign key", Attack(compact(world.header(alg=alg), claims, sign))
        yield f"{alg} of a foreign key that says RS256", Attack(compact(world.header(), claims, sign))
    for bits in (2_048, 1_024):
        signed = compact(world.header(), claims, _rsa(foreign_key(bits)))
        yield f"foreign key of {bits} bits under our kid", Attack(signed)


def _key_ids(world: World) -> Iterator[tuple[str, Attack]]:
    foreign = _rsa(foreign_key())
    for kid in (
        "not-a-key",
        "../../dev/null",
        "..\\..\\keys",
        "/proc/self/environ",
        "' OR 1=1 --",
        "x\r\nX-Evil: y",
        "x\0",
        "https://attacker.example/keys",
        "{{7*7}}",
        "x" * 9_000,
        f"{world.key_id} ",
        f" {world.key_id}",
        f"{world.key_id}\0",
        f"{world.key_id}=",
        world.key_id.swapcase(),
        "__proto__",
        "0",
        "None",
    ):
        for who, sign in {"a foreign key": foreign, "the tenant": world.sign}.items():
            token = compact(world.header(kid=kid), world.claims(), sign)
            yield f"{kid[:40]!r} of {len(kid)} characters, signed by {who}", Attack(token, unknown_key=True)
    for odd in ("", 0, 7, True, False, [], [world.key_id], {}, {"kid": world.key_id}, 1e400):
        yield f"{odd!r}", Attack(compact(world.header(kid=odd), world.claims(), world.sign))
    yield "null", Attack(compact(world.header() | {"kid": None}, world.claims(), world.sign))
    yield "none", Attack(compact(world.header(kid=None), world.claims(), world.sign))
    thumbprint = world.header(kid=None, x5t=world.key_id)
    yield "thumbprint in another member", Attack(compact(thumbprint, world.claims(), world.sign))


def _headers(world: World) -> Iterator[tuple[str, Attack]]:
    claims, attacker = world.claims(), foreign_key()
    numbers = attacker.public_key().public_numbers()
    entry = {"kty": "RSA", "e": "AQAB", "n": segment(numbers.n.to_bytes(256)), "kid": world.key_id}
    members: dict[str, dict[str, Any]] = {
        "jku": {"jku": "https://attacker.example/keys"},
        "jku of the tenant": {"jku": "https://login.microsoftonline.com/common/discovery/v2.0/keys"},
        "jku that is null": {"jku": None},
        "jwk": {"jwk": entry},
        "empty jwk": {"jwk": {}},
        "symmetric jwk": {"jwk": {"kty": "oct", "k": "AA"}},
        "x5u": {"x5u": "https://attacker.example/cert"},
        "x5c": {"x5c": ["AAAA"]},
        "crit": {"crit": ["exp"]},
        "empty crit": {"crit": []},
        "crit that is not a list": {"crit": "exp"},
        "crit and b64": {"crit": ["b64"], "b64": False},
        "b64": {"b64": False},
        "b64 that is true": {"b64": True},
        "zip": {"zip": "DEF"},
    }
    for name, more in members.items():
        for who, sign in {"the tenant": world.sign, "a foreign key": _rsa(attacker)}.items():
            token = compact(world.header() | more, claims, sign)
            yield f"{name}, signed by {who}", Attack(token)
    unencoded = json.dumps(claims)
    first = segment(world.header() | {"crit": ["b64"], "b64": False})
    detached = segment(world.sign(f"{first}.{unencoded}".encode()))
    yield "unencoded payload", Attack(f"{first}.{unencoded}.{detached}")
    yield "detached payload", Attack(f"{first}..{detached}")
    good = json.dumps(world.header()).encode()
    for name, raw in {
        "a list": b"[]",
        "a text": b'"RS256"',
        "a number": b"7",
        "null": b"null",
        "true": b"true",
        "empty": b"",
        "an empty object": b"{}",
        "a list of the header": b"[" + good + b"]",
        "nested deeply": b'{"alg":"RS256","kid":' + b"[" * 5_000 + b"}",
        "nested objects": b'{"a":' * 3_000 + b"1" + b"}" * 3_000,
        "cut off": good[:-1],
        "something behind": good + b"x",
        "another object behind": good + good,
        "single quotes": good.replace(b'"', b"'"),
        "a comment": good + b"/**/",
        "a trailing comma": good.replace(b"}", b",}"),
        "UTF-16": good.decode().encode("utf-16"),
        "byte order mark": b"\xef\xbb\xbf" + good,
        "not UTF-8": good.replace(b"JWT", b"\xff\xfe"),
        "a huge number": good.replace(b"}", b', "x": ' + b"9" * 5_000 + b"}"),
        "alg twice": good.replace(b'"alg"', b'"alg": "none", "alg"'),
        "alg twice, the bad one last": good.replace(b"}", b', "alg": "none"}'),
        "kid twice": good.replace(b'"kid"', b'"kid": "x", "kid"'),
        "alg twice in another spelling": good.replace(b'"alg"', b'"\\u0061lg": "none", "alg"'),
        "NUL in a name": good.replace(b'"alg"', b'"alg\\u0000"'),
        "names in capitals": good.replace(b'"alg"', b'"ALG"'),
    }.items():
        yield f"header is {name}", Attack(compact(raw, claims, world.sign))


def _payloads(world: World) -> Iterator[tuple[str, Attack]]:
    good = json.dumps(world.claims()).encode()
    for name, raw in {
        "a list": b"[]",
        "a list of claims": b"[" + good + b"]",
        "a text": b'"claims"',
        "a number": b"7",
        "null": b"null",
        "empty": b"",
        "an empty object": b"{}",
        "cut off": good[:-1],
        "something behind": good + b"x",
        "two objects": good + good,
        "single quotes": good.replace(b'"', b"'"),
        "nested deeply": b"[" * 9_000,
        "nested objects": b'{"a":' * 1_500 + b"1" + b"}" * 1_500,
        "UTF-32": json.dumps({"aud": world.client_id}).encode("utf-32"),
        "not UTF-8": good.replace(b'"2.0"', b'"\xff\xfe"'),
        "a huge number": good.replace(b"}", b', "x": ' + b"9" * 5_000 + b"}"),
        "role twice, the bad one last": good.replace(b"}", b', "roles": []}'),
        "audience twice, the bad one last": good.replace(b"}", b', "aud": "api://another"}'),
        "tenant twice, the bad one last": good.replace(b"}", f', "tid": "{STRANGER}"}}'.encode()),
        "scope twice, text last": good.replace(b"}", b', "scp": [], "scp": "x"}'),
        "a JSON Web Token": world.issued(world.claims()).encode(),
    }.items():
        yield f"payload is {name}", Attack(world.issued(raw))


def _claims(world: World) -> Iterator[tuple[str, Attack]]:
    odd: dict[str, list[Any]] = {
        "iss": [
            world.v1.replace(world.tenant_id, STRANGER),
            world.v2.replace(world.tenant_id, STRANGER),
            world.v1.rstrip("/"),
            f"{world.v2}/",
            f"{world.v2} ",
            world.v2.upper(),
            world.v2.replace("https", "http"),
            f"https://attacker.example/{world.tenant_id}/v2.0",
            f"https://login.microsoftonline.com.attacker.example/{world.tenant_id}/v2.0",
            "https://login.microsoftonline.com/{tenantid}/v2.0",
            "https://login.microsoftonline.com/common/v2.0",
            [world.v2],
            {"iss": world.v2},
            "",
            0,
            True,
            None,
        ],
        "aud": [
            "https://management.azure.com",
            f"{world.uri}.evil",
            f"{world.uri}/",
            f"x{world.uri}",
            f" {world.client_id}",
            world.uri.upper(),
            f"{world.client_id} {world.uri}",
            [world.client_id],
            [world.client_id, "https://attacker.example"],
            [],
            {"aud": world.client_id},
            {world.client_id: 1},
            "",
            0,
            True,
            None,
        ],
        "tid": [
            STRANGER,
            "common",
            "",
            [world.tenant_id],
            {"tid": 1},
            0,
            True,
            None,
            *_other_spellings(world.tenant_id),
        ],
        "oid": [
            "admin",
            "",
            [world.object_id],
            {"oid": 1},
            0,
            True,
            None,
            *_other_spellings(world.object_id),
        ],
        "sub": [7, [world.object_id], {}],
        "azp": ["portal", [world.app_id], {}, 7, True, None, "", *_other_spellings(world.app_id)],
    }
    for claim, values in odd.items():
        for value in values:
            changed = world.claims() | {claim: value}
            if value is None:
                del changed[claim]
                yield f"{claim} null", Attack(world.issued(world.claims() | {claim: None}))
            yield f"{claim} {value!r}", Attack(world.issued(changed))
    yield "an ID token", Attack(world.issued(world.claims(azp=None, azpacr=None, nonce="n", name="A")))
    yield "an ID token, v1", Attack(world.issued(world.v1_claims(appid=None, appidacr=None, name="A")))
    yield "two clients", Attack(world.issued(world.claims(appid=STRANGER)))
    yield "a client, and one that is not a GUID", Attack(world.issued(world.claims(appid=["x"])))


def _other_spellings(guid: str) -> list[str]:
    """Return texts that readers of GUIDs take for this one, and texts that begin or end with it."""
    arabic = guid.translate({ord("0") + digit: 0x660 + digit for digit in range(10)})
    wide = guid.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
    return [
        arabic,
        wide,
        f"{{{guid}}}",
        f"urn:uuid:{guid}",
        guid.replace("-", ""),
        f"{guid} ",
        f"{guid}\n",
        f"{guid}\0",
        f"{guid}{guid}",
        guid[:-1],
    ]


def _times(world: World) -> Iterator[tuple[str, Attack]]:
    now = int(time.time())
    of_any_time: list[Any] = [
        "soon",
        "",
        str(now),
        str(now + 3_600),
        f"{now + 3_600}\u0660",
        "".join(chr(0x660 + int(digit)) for digit in str(now)),
        f" {now} ",
        True,
        False,
        [],
        [now],
        {},
        -1,
        -(10**30),
        10**30,
        10**400,
        1e308,
        float("inf"),
        float("-inf"),
        float("nan"),
    ]
    for claim, values in {
        "exp": [*of_any_time, 0, now - 90, now - 3_600, now - 86_400],
        "nbf": [*of_any_time, now + 90, now + 3_600],
        "iat": [*of_any_time, now + 90, now + 3_600],
    }.items():
        for number, value in enumerate(values):
            name = f"{claim} {number}, {type(value).__name__}"
            yield name, Attack(world.issued(world.claims() | {claim: value}))
        yield f"{claim} null", Attack(world.issued(world.claims() | {claim: None}))
        yield f"no {claim}", Attack(world.issued(world.claims(**{claim: None})))


def _rights(world: World) -> Iterator[tuple[str, Attack]]:
    role = world.role
    for number, roles in enumerate(
        [
            None,
            [],
            [""],
            ["Other"],
            [f"{role}.Not"],
            [role[:-1]],
            [role.lower()],
            [role.upper()],
            [f"{role} "],
            [f"{role}\0"],
            [f"Other,{role}"],
            [f"Other {role}"],
            role,
            f"{role},Other",
            [[role]],
            [[[role]]],
            [{"value": role}],
            {role: role},
            {"0": role},
            7,
            True,
            ["*"],
        ]
    ):
        yield f"roles {number}: {roles!r}", Attack(world.issued(world.claims(roles=roles)))
    for name, claims in {
        "in scp": world.claims(roles=None, scp=role),
        "in groups": world.claims(roles=None, groups=[role]),
        "in wids": world.claims(roles=None, wids=[role]),
        "in role": world.claims(roles=None, role=role),
        "in Roles": world.claims(roles=None, Roles=[role]),
        "overage of roles": world.claims(
            roles=None, _claim_names={"roles": "src1"}, _claim_sources={"src1": {"endpoint": "https://x"}}
        ),
        "overage of groups": world.claims(roles=None, hasgroups=True),
    }.items():
        yield f"role {name}", Attack(world.issued(claims))


def _actors(world: World) -> Iterator[tuple[str, Attack]]:
    scopes: list[Any] = [
        "",
        " ",
        "   ",
        "Profile.Read",
        "user_impersonation",
        ".default",
        f"{SCOPE}.All",
        f"Not.{SCOPE}",
        SCOPE[:-1],
        SCOPE.lower(),
        SCOPE.upper(),
        f"Other,{SCOPE}",
        f"Other\t{SCOPE}",
        f"Other\n{SCOPE}",
        f"Other\u00a0{SCOPE}",
        f"{SCOPE}\0",
        f"{SCOPE}\u200b",
        f"api://updraft/{SCOPE}",
        "*",
        [SCOPE],
        [],
        [[SCOPE]],
        {SCOPE: True},
        7,
        0,
        True,
        False,
    ]
    for number, scp in enumerate(scopes):
        yield f"scp {number}: {scp!r}", Attack(world.issued(world.user() | {"scp": scp}))
        by_ours = world.claims() | {"scp": scp}
        yield f"scp {number}: {scp!r} by way of our application", Attack(world.issued(by_ours))
    yield "scp null", Attack(world.issued(world.claims() | {"scp": None}))
    for name, claims in {
        "another client": world.user(azp=STRANGER),
        "our application as client": world.user(azp=world.app_id),
        "v1, another client": world.v1_claims(appid=STRANGER, appidacr="0", scp=SCOPE),
        "the known client and another one": world.user(appid=STRANGER),
        "no client": world.user(azp=None),
        "no role": world.user(roles=None),
        "idtyp app beside scp": world.user(idtyp="app"),
        "idtyp device beside scp": world.user(idtyp="device"),
        "idtyp user without scp": world.claims(idtyp="user", azp=PORTAL),
        "idtyp user by way of our application": world.claims(idtyp="user"),
        "idtyp device": world.claims(idtyp="device"),
        "idtyp empty": world.claims(idtyp=""),
        "idtyp in capitals": world.claims(idtyp="App"),
        "idtyp with a blank": world.claims(idtyp="app "),
        "idtyp a list": world.claims(idtyp=["app"]),
        "idtyp a number": world.claims(idtyp=0),
        "idtyp true": world.claims(idtyp=True),
        "idtyp an object": world.claims(idtyp={"app": 1}),
        "public client in its own name": world.claims(azpacr="0"),
        "public client in its own name, v1": world.v1_claims(appidacr="0"),
        "public client in its own name, in the other claim": world.claims(appidacr="0"),
    }.items():
        yield name, Attack(world.issued(claims))


def published(key: rsa.RSAPrivateKey, kid: str) -> dict[str, Any]:
    """Return a key's entry in the tenant's key set, shaped like Entra's: without `alg`."""
    numbers = key.public_key().public_numbers()
    modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8)
    return {"kty": "RSA", "use": "sig", "kid": kid, "x5t": kid, "n": segment(modulus), "e": "AQAB"}


def good_published_key(world: World) -> PublishedKey:
    """Return a second key that the tenant may publish, and a token that it signed."""
    token = compact(world.header(kid="published"), world.claims(), _rsa(foreign_key()))
    return PublishedKey(published(foreign_key(), "published"), token)


def bad_published_keys(world: World) -> dict[str, PublishedKey]:
    """Return entries of a key set that are not keys for RS256, each with a token that its key signed."""
    key, kid = foreign_key(), "published"
    entry = published(key, kid)
    secret = b"a made-up secret of 32 characters"
    curve = ec.generate_private_key(ec.SECP256R1())
    point = curve.public_key().public_numbers()
    header, claims = world.header(kid=kid), world.claims()
    by_key = compact(header, claims, _rsa(key))
    without = {
        name: PublishedKey({member: value for member, value in entry.items() if member != name}, by_key)
        for name in ("kty", "kid", "n", "e")
    }
    changed: dict[str, dict[str, Any]] = {
        "use enc": {"use": "enc"},
        "use in capitals": {"use": "SIG"},
        "alg RS512": {"alg": "RS512"},
        "alg PS256": {"alg": "PS256"},
        "alg HS256": {"alg": "HS256"},
        "alg none": {"alg": "none"},
        "kty oct": {"kty": "oct", "k": segment(secret)},
        "kty EC": {"kty": "EC"},
        "kid a number": {"kid": 7},
        "kid a list": {"kid": [kid]},
        "n empty": {"n": ""},
        "n short": {"n": "AQAB"},
        "n a number": {"n": 7},
        "e empty": {"e": ""},
        "issuer of another tenant": {"issuer": world.v2.replace(world.tenant_id, STRANGER)},
        "issuer a number": {"issuer": 7},
    }
    weak = foreign_key(1_024)
    return {
        **{f"no {name}": each for name, each in without.items()},
        **{name: PublishedKey(entry | change, by_key) for name, change in changed.items()},
        "1024 bits": PublishedKey(published(weak, kid), compact(header, claims, _rsa(weak))),
        "symmetric": PublishedKey(
            {"kty": "oct", "kid": kid, "use": "sig", "k": segment(secret)},
            compact(header | {"alg": "HS256"}, claims, _hmac(secret)),
        ),
        "symmetric that says RS256": PublishedKey(
            {"kty": "oct", "kid": kid, "use": "sig", "alg": "RS256", "k": segment(secret)},
            compact(header, claims, _hmac(secret)),
        ),
        "elliptic": PublishedKey(
            {
                "kty": "EC",
                "crv": "P-256",
                "kid": kid,
                "use": "sig",
                "x": segment(point.x.to_bytes(32)),
                "y": segment(point.y.to_bytes(32)),
            },
            compact(header | {"alg": "ES256"}, claims, lambda text: curve.sign(text, ec.ECDSA(SHA256()))),
        ),
    }
