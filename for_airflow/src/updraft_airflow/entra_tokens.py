"""Decides whether an Entra access token is good for this Airflow; pure, but for the key source it is given.

What is checked, in this order: size; header (RS256, a key id, none of the members that name a key of the
sender's choice); signature by the tenant's own keys; `exp`, `nbf`, `iat`; `aud`; `iss`, both formats of the
one tenant; `tid`; that it is an access token; an app role; `oid`. Source: "Access tokens in the Microsoft
identity platform" and "Secure applications and APIs by validating claims".
"""

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt

from updraft_airflow.signing_keys import KeySource, KeysUnavailable, UnknownKey

LONGEST_TOKEN = 16384
"""Characters. Entra's own are 1 to 4 thousand; with many roles and groups a few more."""

_NAMES_OWN_KEY = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64", "zip"})
"""Header members that Entra never sends and that exist to talk a verifier into something."""


class Refused(Exception):  # noqa: N818 - it names an answer
    """This token, or this identity, is not let in. The text is for the log and never holds the token."""


class Expired(Refused):
    """The token was good once: a new one helps."""


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """What a token must say to be let in.

    Attributes:
        tenant_id: The one tenant's GUID, in lower case.
        issuers: The tenant's issuers, exactly as tokens spell them.
        audiences: This Airflow's names: the app registration's client id (v2) and its URI (v1).
        app_roles: The token must carry at least one of these.
        leeway: Seconds that two clocks may be apart.
    """

    tenant_id: str
    issuers: frozenset[str]
    audiences: frozenset[str]
    app_roles: frozenset[str]
    leeway: float = 60.0

    def __post_init__(self) -> None:
        for name in ("tenant_id", "issuers", "audiences", "app_roles"):
            if not getattr(self, name):
                raise ValueError(f"{name} must not be empty: nothing would be checked by it")


@dataclass(frozen=True, slots=True)
class EntraIdentity:
    """Who a verified token speaks for.

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
    """Name the issuers of a tenant's v1 and v2 tokens (only v1's ends with a slash).

    The names alone let nobody in: the keys are the authority's, whatever a token calls itself.
    """
    authorities = {"https://login.microsoftonline.com", authority.rstrip("/")}
    return frozenset(
        {f"https://sts.windows.net/{tenant_id}/"} | {f"{base}/{tenant_id}/v2.0" for base in authorities}
    )


def unverified_issuer(token: str) -> str | None:
    """Read `iss` without believing it, only to know whose token this claims to be; None if there is none."""
    parts = token.split(".")
    if len(token) > LONGEST_TOKEN or len(parts) != 3:  # noqa: PLR2004 - a JWS has three parts
        return None
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else None


class TokenVerifier:
    """Turns a token into an identity, or refuses it with the reason. Thread-safe."""

    def __init__(self, policy: TokenPolicy, keys: KeySource) -> None:
        self._policy = policy
        self._keys = keys
        self._issuers = sorted(policy.issuers)
        self._audiences = sorted(policy.audiences)

    def claims_tenant(self, token: str) -> bool:
        """Tell whether a token says that this tenant issued it; nothing is verified by this."""
        return unverified_issuer(token) in self._policy.issuers

    def verify(self, token: str) -> EntraIdentity:
        """Verify one token.

        Args:
            token: The compact form, as it follows "Bearer ".

        Raises:
            Expired: It would have been let in before.
            Refused: It is not let in, for any other reason.
            KeysUnavailable: It cannot be told, because the tenant's keys cannot be had.
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
            raise Refused(str(exc)) from None
        except Exception as exc:  # noqa: BLE001 - whatever a hostile token does to a parser, it is not let in
            raise Refused(f"the token cannot be read ({type(exc).__name__})") from None

    def _signed_claims(self, token: str) -> dict[str, Any]:
        if len(token) > LONGEST_TOKEN:
            raise Refused(f"the token has {len(token)} characters, more than {LONGEST_TOKEN}")
        header = jwt.get_unverified_header(token)
        if header.get("alg") != "RS256":
            raise Refused(f"algorithm {str(header.get('alg'))[:40]!r} is not RS256")
        if forbidden := sorted(_NAMES_OWN_KEY & header.keys()):
            raise Refused(f"the header has {', '.join(forbidden)}, which Entra never sends")
        key_id = header.get("kid")
        if not isinstance(key_id, str) or not key_id:
            raise Refused("the header names no key id")
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
            raise Refused("the audience is a list, which Entra's never is")
        if _guid(claims, "tid") != self._policy.tenant_id:
            raise Refused(f"tenant {str(claims['tid'])[:40]!r} is not ours")
        app_id = _text(claims, "azp") or _text(claims, "appid")
        if app_id is None:
            # An ID token for the same app registration has our audience and roles, but no client
            raise Refused("neither azp nor appid: this is not an access token")
        app_roles = _texts(claims.get("roles"))
        if not app_roles & self._policy.app_roles:
            raise Refused(
                f"app {app_id[:40]!r} has none of the app roles {', '.join(sorted(self._policy.app_roles))}:"
                " assign one to its identity"
            )
        return EntraIdentity(_guid(claims, "oid"), app_id, app_roles, float(claims["exp"]))


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value else None


def _guid(claims: Mapping[str, Any], name: str) -> str:
    try:
        return str(UUID(_text(claims, name)))
    except (TypeError, ValueError, AttributeError):
        raise Refused(f"the claim {name} is not a GUID") from None


def _texts(value: object) -> frozenset[str]:
    members: Collection[object] = value if isinstance(value, list) else ()
    return frozenset(member for member in members if isinstance(member, str))
