"""Run tokens: with its token a run can only report its own end.

A token is a compact JWT (RFC 7519), signed with HS256 and a key of Key Vault that never leaves this app. It
names one run of one DAG on one connection, this app as its audience, and one scope. Every user of Airflow who
can read the run's conf can read the token, but can only report with it, once, how that run ended.

The key is a shared secret (`shared/callers/shared_secrets.py`): to rotate it, set the secret to
`<new> <old>`, and to `<new>` when the runs with the old one have ended.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from shared.callers.errors import InvalidToken, TokenExpired, TokenRefused
from shared.callers.jws_header import read_header
from shared.callers.shared_secrets import SharedSecret
from shared.errors import ConfigurationError, KeysUnavailable
from shared.runs.ref import RunRef
from shared.settings import CALLBACK_KEY_SECRET

if TYPE_CHECKING:
    from shared.azure.key_vault import Secrets

ALGORITHM: Final = "HS256"
TYPE: Final = "updraft-outcome+jwt"
"""The header's `typ`: tokens for another purpose are refused (RFC 8725 section 3.11)."""
SCOPE: Final = "outcome:write"
LONGEST_TOKEN: Final = 2_048
"""Characters; ours have about 1,500 at most."""

_KEY_ID: Final = re.compile(r"[0-9a-f]{16}")
_LEEWAY: Final = 60.0
_EVENT_KEPT: Final = 200


class InvalidRunToken(InvalidToken):
    """It is not a token of this app for a run."""


class RunTokenExpired(TokenExpired):
    """It is a run's token, and it has expired."""


class ReverseTokens:
    """Issues and verifies run tokens; safe to use from any thread.

    Args:
        secrets: The vault with the key.
        secret: The name of the key's secret.
        audience: This app's name in tokens: the address that reports are sent to.
        clock: Unix seconds.
        monotonic: Monotonic seconds.
    """

    def __init__(
        self,
        secrets: "Secrets",
        *,
        secret: str,
        audience: str,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = SharedSecret(
            secrets, lambda: secret, setting=CALLBACK_KEY_SECRET, clock=clock, monotonic=monotonic
        )
        self._audience = audience
        self._clock = clock

    def issue(self, run: RunRef, *, lifetime: float) -> str:
        """Return a token for a run.

        Args:
            run: The run.
            lifetime: Seconds for which it is valid.

        Raises:
            SecretUnavailable: The key cannot be read, or is not usable.
        """
        import jwt

        key = self._keys.values()[0]
        now = int(self._clock())
        claims = {
            "iss": self._audience,
            "aud": self._audience,
            "sub": str(run),
            "scope": SCOPE,
            "iat": now,
            "exp": now + int(lifetime),
        }
        if run.event_id and run.event_id.isascii():  # in JSON every other character takes six
            claims["event"] = run.event_id[:_EVENT_KEPT]
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": _key_id(key), "typ": TYPE})

    def verify(self, token: str) -> RunRef:
        """Return the run that a token is for.

        Raises:
            TokenRefused: It is not accepted.
            KeysUnavailable: It cannot be verified now.
            SettingsError: A setting for the vault or the secret is missing.
        """
        import jwt

        header = read_header(token, longest=LONGEST_TOKEN)
        if header is None:
            raise InvalidRunToken("its form is not a token's")
        try:
            claims = self._claims(token, header)
        except (TokenRefused, KeysUnavailable, ConfigurationError):
            raise
        except jwt.ExpiredSignatureError as error:
            raise RunTokenExpired(str(error)) from None
        except Exception as error:  # noqa: BLE001 - whatever a hostile token does to a parser, it is not let in
            raise InvalidRunToken(type(error).__name__) from None
        parts = str(claims["sub"]).split("/")
        if claims.get("scope") != SCOPE or len(parts) != 3:
            raise InvalidRunToken("its claims name no run")
        connection, dag_id, run_id = parts
        return RunRef(connection, dag_id, run_id, str(claims.get("event", "")))

    def _claims(self, token: str, header: dict[str, Any]) -> dict[str, Any]:
        import jwt

        if (
            header.get("alg") != ALGORITHM
            or header.get("typ") != TYPE
            or header.keys() - {"alg", "typ", "kid"}
        ):
            raise InvalidRunToken("its header is not one of a run token")
        claims: dict[str, Any] = jwt.decode(
            token,
            self._key(header.get("kid")),
            algorithms=[ALGORITHM],
            audience=self._audience,
            issuer=self._audience,
            leeway=_LEEWAY,
            options={"require": ["exp", "iat", "aud", "iss", "sub"]},
        )
        return claims

    def _key(self, key_id: object) -> str:
        """Return the key with this id; an unknown one may be new, so the secret is read again."""
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
            raise InvalidRunToken("its key id is not one of this app")
        found = self._keys.find(lambda key: hmac.compare_digest(_key_id(key), key_id))
        if found is None:
            raise InvalidRunToken("no key has its key id")
        return found


def _key_id(key: str) -> str:
    return hashlib.sha256(b"updraft-key:" + key.encode()).hexdigest()[:16]
