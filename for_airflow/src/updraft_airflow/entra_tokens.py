"""Verifies Entra access tokens for this Airflow; without I/O, except in the key source.

The checks, in this order: form and size; header (RS256, a key id, no member that names a key of the sender's
choice); signature by the tenant's keys; `exp`, `nbf`, `iat`; `aud`; `iss` in both formats of the tenant;
`tid`; that it is an access token; that an application acts in its own name, or a user is allowed; an app
role; `oid`. Source: "Access tokens in the Microsoft identity platform" and "Secure applications and APIs by
validating claims".

The function app verifies its callers' tokens by the same rules (`shared/callers/verifier.py`), and both are
tested with one table of attacks (`tests/security/attack_tokens.py`).
"""

import json
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from updraft_airflow.signing_keys import KeySource, KeysUnavailable, UnknownKey

LONGEST_TOKEN = 16384
"""The most characters of a token. Entra's have 1,000 to 4,000, or some more with many roles and groups."""

_NAMES_OWN_KEY = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64", "zip"})
"""Header members that Entra never sends, and with which a sender could choose the key."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LATEST = 253_402_300_799
"""The last second of the year 9999; a later value is not a time."""
_KEY_ID = re.compile(r"[A-Za-z0-9_=-]{1,128}")
"""Entra's key ids are thumbprints in URL-safe Base64; no key set is fetched for any other id."""


class Refused(Exception):
    """This token or identity is not accepted. The message is for the log and never holds the token."""


class Expired(Refused):
    """The token is valid but has expired."""


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """The required claims of a token.

    Attributes:
        tenant_id: The one tenant's GUID, in lower case.
        issuers: The tenant's issuers, exactly as in tokens.
        audiences: This Airflow's names: the app registration's client id (v2) and its URI (v1).
        app_roles: The token must carry at least one of these.
        user_scopes: A user's token must carry at least one of these; empty: no user is allowed.
        user_clients: The client ids that users may use, in lower case; empty: any.
        leeway: Seconds that two clocks may differ.
    """

    tenant_id: str
    issuers: frozenset[str]
    audiences: frozenset[str]
    app_roles: frozenset[str]
    user_scopes: frozenset[str] = frozenset()
    user_clients: frozenset[str] = frozenset()
    leeway: float = 60.0

    def __post_init__(self) -> None:
        for name in ("tenant_id", "issuers", "audiences", "app_roles"):
            if not getattr(self, name):
                raise ValueError(f"{name} must not be empty: an empty list would check nothing")


@dataclass(frozen=True, slots=True)
class EntraIdentity:
    """The identity of a verified token.

    Attributes:
        object_id: The service principal's (or user's) object id in the tenant, in lower case.
        app_id: The client id of the application that asked for the token.
        app_roles: The app roles that the token carries.
        expires_at: Seconds since the epoch.
    """

    object_id: str
    app_id: str
    app_roles: frozenset[str]
    expires_at: float

    @property
    def seconds_left(self) -> float:
        """Seconds until the token expires, by this machine's clock."""
        return self.expires_at - time.time()


def tenant_issuers(authority: str, tenant_id: str) -> frozenset[str]:
    """Return the issuers of a tenant's v1 and v2 tokens (only v1's ends with a slash).

    The issuer's name alone proves nothing: the keys come from the authority.
    """
    authorities = {"https://login.microsoftonline.com", authority.rstrip("/")}
    return frozenset(
        {f"https://sts.windows.net/{tenant_id}/"} | {f"{base}/{tenant_id}/v2.0" for base in authorities}
    )


def unverified_issuer(token: str) -> str | None:
    """Return `iss` without verification, to find the claimed issuer; None if it is missing."""
    parts = token.split(".")
    if len(token) > LONGEST_TOKEN or len(parts) != 3:
        return None
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else None


class TokenVerifier:
    """Verifies tokens, or refuses them with the reason. Thread-safe."""

    def __init__(self, policy: TokenPolicy, keys: KeySource) -> None:
        self._policy = policy
        self._keys = keys
        self._issuers = sorted(policy.issuers)
        self._audiences = sorted(policy.audiences)

    def claims_tenant(self, token: str) -> bool:
        """Return whether a token claims that this tenant issued it; nothing is verified."""
        return unverified_issuer(token) in self._policy.issuers

    def verify(self, token: str) -> EntraIdentity:
        """Verify one token.

        Args:
            token: The compact form, without "Bearer ".

        Raises:
            Expired: It is valid but has expired.
            Refused: It is not accepted for another reason.
            KeysUnavailable: It cannot be verified, because the tenant's keys cannot be fetched.
        """
        try:
            claims = self._signed_claims(token)
            return self._identity(claims)
        except (Refused, KeysUnavailable):
            raise
        except jwt.ExpiredSignatureError:
            raise Expired("the token has expired") from None
        except jwt.InvalidTokenError as exc:
            raise Refused(f"{type(exc).__name__}: {exc}"[:300]) from None
        except UnknownKey as exc:
            raise Refused(str(exc)[:300]) from None
        except Exception as exc:  # noqa: BLE001 - whatever a hostile token does to a parser, it is not let in
            raise Refused(f"the token cannot be read ({type(exc).__name__})") from None

    def _signed_claims(self, token: str) -> dict[str, Any]:
        if len(token) > LONGEST_TOKEN:
            raise Refused(f"the token has {len(token)} characters, more than {LONGEST_TOKEN}")
        header = _header(token)
        if header.get("alg") != "RS256":
            raise Refused(f"algorithm {str(header.get('alg'))[:40]!r} is not RS256")
        if forbidden := sorted(_NAMES_OWN_KEY & header.keys()):
            raise Refused(f"the header has {', '.join(forbidden)}, which Entra never sends")
        key_id = header.get("kid")
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
            raise Refused("the header has no key id in Entra's form")
        claims: dict[str, Any] = jwt.decode(
            token,
            self._keys.key(key_id),
            algorithms=["RS256"],
            audience=self._audiences,
            issuer=self._issuers,
            leeway=self._policy.leeway,
            options={"require": ["exp", "nbf", "iat", "aud", "iss"]},
        )
        return claims

    def _identity(self, claims: Mapping[str, Any]) -> EntraIdentity:
        if not isinstance(claims["aud"], str):
            raise Refused("the audience is a list, and Entra's is a text")
        if _guid(claims, "tid") != self._policy.tenant_id:
            raise Refused(f"tenant {str(claims['tid'])[:40]!r} is not this Airflow's")
        for name in ("exp", "nbf", "iat"):
            _check_time(claims, name)
        app_id = _client(claims)
        self._check_actor(claims, app_id)
        app_roles = _texts(claims.get("roles"))
        if not app_roles & self._policy.app_roles:
            raise Refused(
                f"app {app_id[:40]!r} has none of the app roles {', '.join(sorted(self._policy.app_roles))}:"
                " assign one to its identity"
            )
        return EntraIdentity(_guid(claims, "oid"), app_id, app_roles, float(claims["exp"]))

    def _check_actor(self, claims: Mapping[str, Any], app_id: str) -> None:
        """Refuse a user's token, unless its scope and its client are allowed for users.

        Only users' tokens have `scp`; `idtyp` is an optional claim, which a tenant may switch on; a client
        that was not authenticated (`azpacr` and `appidacr` of `0`) cannot act in its own name. Source:
        "Access token claims reference".
        """
        kind, scopes = claims.get("idtyp"), claims.get("scp")
        if "scp" in claims and not isinstance(scopes, str):
            raise Refused("scp is not text")
        if kind not in (None, "app", "user") or (kind == "app" and "scp" in claims):
            raise Refused("the token has no claim that shows whether it is a user's or an application's")
        if kind != "user" and "scp" not in claims:
            if "0" in (claims.get("azpacr"), claims.get("appidacr")):
                raise Refused("the client was not authenticated, and the token has no user")
            return
        if not self._policy.user_scopes:
            raise Refused("it is a user's token, and user_scopes is empty, which allows no user")
        if self._policy.user_scopes.isdisjoint((scopes or "").split(" ")):
            wanted = ", ".join(sorted(self._policy.user_scopes))
            raise Refused(f"a user's token needs one of the scopes {wanted}")
        if self._policy.user_clients and app_id not in self._policy.user_clients:
            raise Refused(f"users may not use the client {app_id}: user_clients does not name it")


def _header(token: str) -> dict[str, Any]:
    """Return the header of a token in compact form (RFC 7515 section 7.1), with each member once."""
    if not _COMPACT.fullmatch(token):
        raise Refused("its form is not a token's")
    first, _, signature = token.split(".")
    if urlsafe_b64encode(_decoded(signature)).rstrip(b"=").decode() != signature:
        raise Refused("the signature is not in its canonical encoding")
    header = json.loads(_decoded(first).decode(), object_pairs_hook=_each_once)
    if not isinstance(header, dict):
        raise Refused("the header is not a JSON object")
    return header


def _decoded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Refused("a member of the header is used twice")
    return members


def _client(claims: Mapping[str, Any]) -> str:
    """Return the client's id: `azp` in v2 tokens, `appid` in v1 tokens.

    An ID token for the same app registration has our audience and roles, but no client id.
    """
    named = {_guid(claims, name) for name in ("azp", "appid") if claims.get(name) not in (None, "")}
    if len(named) != 1:
        raise Refused("neither azp nor appid, or two clients: this is not an access token")
    return named.pop()


def _check_time(claims: Mapping[str, Any], name: str) -> None:
    """Refuse a time that is not a number: the library also accepts text, and reads `true` as 1."""
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _LATEST:
        raise Refused(f"the claim {name} is not a time")


def _guid(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not _GUID.fullmatch(value):
        raise Refused(f"the claim {name} is not a GUID")
    return value.lower()


def _texts(value: object) -> frozenset[str]:
    members: Collection[object] = value if isinstance(value, list) else ()
    return frozenset(member for member in members if isinstance(member, str))
