"""Verifies Entra access tokens, v1 or v2, and returns the caller's identity.

The checks are in Microsoft's "Secure applications and APIs by validating claims" and in RFC 8725: only RS256,
the tenant's published keys, issuer, tenant, audience and times. Before the signature is verified, a refused
caller gets no detail. Afterwards the token is known to be the tenant's, and its owner may see the wrong
claim.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from shared.callers.errors import (
    InvalidToken,
    TokenExpired,
    TokenNotYetValid,
    TokenRefused,
    WrongAudience,
)
from shared.callers.jws_header import read_header
from shared.errors import KeysUnavailable
from shared.values.guids import is_guid
from shared.values.json_text import JsonObject

if TYPE_CHECKING:
    from shared.callers.signing_keys import SigningKeys

LONGEST_TOKEN: Final = 16_384
"""The most characters of a token. Entra's have 1,000 to 4,000, or some more with many roles and groups."""
LEEWAY: Final = 60.0
"""Seconds that two clocks may differ."""

_NAMES_OWN_KEY: Final = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64", "zip"})
"""Header members that Entra never sends, and with which a sender could choose the key."""
_LATEST: Final = 253_402_300_799
"""The last second of the year 9999; a later value is not a time."""
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_=-]{1,128}")
"""Entra's key ids are thumbprints in URL-safe Base64; no key set is fetched for any other id."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a verified token.

    Attributes:
        object_id: The service principal's or user's object id in the tenant, in lower case.
        app_id: The client id of the application that asked for the token, in lower case.
        is_app: Whether the application acts in its own name; otherwise for the user with this object id.
        groups: Object ids of groups, in lower case, if the token lists them.
        roles: The app roles that the identity has on this app.
        scopes: The scopes that the user granted to the application; empty if `is_app`.
    """

    object_id: str
    app_id: str
    is_app: bool
    groups: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()

    def members(self) -> JsonObject:
        """Return the identity as JSON, for an event's stamp and a run's conf."""
        return {
            "kind": "application" if self.is_app else "user",
            "object_id": self.object_id,
            "app_id": self.app_id,
        }

    def __str__(self) -> str:
        who = "application" if self.is_app else "user"
        return f"the {who} with object id {self.object_id} (client id {self.app_id})"


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """The required claims of a token.

    Attributes:
        tenant_id: The one tenant's GUID, in lower case.
        issuers: The tenant's issuers, exactly as in tokens.
        audiences: This app's names: its client id (v2 tokens) and its Application ID URI (v1 tokens).
    """

    tenant_id: str
    issuers: frozenset[str]
    audiences: frozenset[str]


def tenant_issuers(authority: str, tenant_id: str) -> frozenset[str]:
    """Return the issuers of a tenant's v1 and v2 tokens; only v1's end with a slash.

    The issuer's name alone proves nothing: the keys come from the authority.
    """
    v1 = {"https://sts.windows.net", "https://sts.chinacloudapi.cn"}
    v2 = {"https://login.microsoftonline.com", authority}
    return frozenset({f"{base}/{tenant_id}/" for base in v1} | {f"{base}/{tenant_id}/v2.0" for base in v2})


class TokenVerifier:
    """Verifies tokens; safe to use from any thread.

    Args:
        policy: The required claims.
        keys: The tenant's keys.
    """

    def __init__(self, policy: TokenPolicy, keys: "SigningKeys") -> None:
        self._policy = policy
        self._keys = keys
        self._issuers = sorted(policy.issuers)
        self._audiences = sorted(policy.audiences)

    def verify(self, token: str) -> Identity:
        """Verify one token.

        Args:
            token: The compact form, without "Bearer ".

        Raises:
            TokenRefused: It is not accepted.
            KeysUnavailable: It cannot be verified now.
        """
        import jwt

        header = read_header(token, longest=LONGEST_TOKEN)
        if header is None:
            raise _refused("its form is not a token's")
        try:
            return self._identity(self._signed_claims(token, header))
        except (TokenRefused, KeysUnavailable):
            raise
        except jwt.ExpiredSignatureError as error:
            raise TokenExpired(str(error)) from None
        except jwt.ImmatureSignatureError as error:
            raise TokenNotYetValid(str(error)) from None
        except jwt.InvalidAudienceError as error:
            raise WrongAudience(str(error)) from None
        except jwt.InvalidTokenError as error:
            raise _refused(f"{type(error).__name__}: {error}") from None
        except Exception as error:  # noqa: BLE001 - whatever a hostile token does to a parser, it is not let in
            raise _refused(f"it cannot be read ({type(error).__name__})") from None

    def _signed_claims(self, token: str, header: Mapping[str, Any]) -> dict[str, Any]:
        import jwt

        if header.get("alg") != "RS256":
            raise _refused(f"its algorithm is {header.get('alg')!r}")
        if forbidden := sorted(_NAMES_OWN_KEY & header.keys()):
            raise _refused(f"its header has {', '.join(forbidden)}")
        key_id = header.get("kid")
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
            raise _refused("its header has no key id in Entra's form")
        claims: dict[str, Any] = jwt.decode(
            token,
            self._keys.key(key_id),
            algorithms=["RS256"],
            audience=self._audiences,
            issuer=self._issuers,
            leeway=LEEWAY,
            options={"require": ["exp", "nbf", "iat", "aud", "iss"]},
        )
        return claims

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        if not isinstance(claims["aud"], str):
            raise _refused("its audience is a list, and Entra's is a text")
        if _guid(claims, "tid") != self._policy.tenant_id:
            raise _refused("its tenant is another one")
        for name in ("exp", "nbf", "iat"):
            _check_time(claims, name)
        is_app, scopes = _actor(claims)
        return Identity(
            object_id=_guid(claims, "oid"),
            app_id=_client(claims),
            is_app=is_app,
            groups=frozenset(group.lower() for group in _texts(claims.get("groups"))),
            roles=_texts(claims.get("roles")),
            scopes=scopes,
        )


def _refused(reason: str) -> InvalidToken:
    """Return the refusal of a token that is not the tenant's for this app; a long reason is cut off."""
    return InvalidToken(reason[:200])


def _actor(claims: Mapping[str, Any]) -> tuple[bool, frozenset[str]]:
    """Return whether an application acts in its own name, or otherwise the scopes that a user granted.

    Only users' tokens have `scp`; `idtyp` is an optional claim, which a tenant may switch on; and a client
    that was not authenticated (`azpacr` and `appidacr` of `0`) cannot act in its own name
    (https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference). A token with
    contradictory claims is refused.
    """
    kind, scopes = claims.get("idtyp"), claims.get("scp")
    if "scp" in claims and not isinstance(scopes, str):
        raise _refused("its scopes are not text")
    if kind not in (None, "app", "user") or (kind == "app" and "scp" in claims):
        raise _refused("it has no claim that shows whether it is a user's or an application's")
    if kind == "user" or "scp" in claims:
        return False, frozenset((scopes or "").split(" ")) - {""}
    if "0" in (claims.get("azpacr"), claims.get("appidacr")):
        raise _refused("its client was not authenticated, and it has no user")
    return True, frozenset()


def _client(claims: Mapping[str, Any]) -> str:
    """Return the client's id: `azp` in v2 tokens, `appid` in v1 tokens.

    An ID token for this app has its audience and roles, but no client id.
    """
    named = {_guid(claims, name) for name in ("azp", "appid") if claims.get(name) not in (None, "")}
    if len(named) != 1:
        raise _refused("it names no client, or two: it is not an access token")
    return named.pop()


def _check_time(claims: Mapping[str, Any], name: str) -> None:
    """Refuse a time that is not a number: the library also accepts text, and reads `true` as 1."""
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:
        raise _refused(f"its claim {name} is not a time")


def _guid(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not is_guid(value):
        raise _refused(f"its claim {name} is not a GUID")
    return value.lower()


def _texts(value: object) -> frozenset[str]:
    return (
        frozenset(each for each in value if isinstance(each, str)) if isinstance(value, list) else frozenset()
    )
