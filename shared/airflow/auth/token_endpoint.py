"""The base of the kinds that send a credential to a token endpoint and get a token.

The credential is a password, a client's secret, or a token of the managed identity. If the endpoint refuses
it, it is read again, and sent once more if it has changed. So a rotated secret works within one event, and
the same credential is never sent twice.
"""

import json
import re
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from shared.airflow.auth.cached_token import CachedHeader
from shared.azure.refreshing import Fetched
from shared.errors import TokenUnavailable
from shared.log import LOGGER

if TYPE_CHECKING:
    from requests import Response

    from shared.rules import Connection
    from shared.values.json_text import JsonObject

OPAQUE_LIFE: Final = 300.0
"""Seconds for which a token without a lifetime is cached."""

TRANSIENT: Final = {408, 425, 429}
"""Statuses below 500 after which a later try may succeed."""
_REFUSED: Final = {401, 403}
_SUCCESS: Final = range(200, 300)
_OAUTH_REFUSALS: Final = {"invalid_client", "invalid_grant", "unauthorized_client"}
_PASSING: Final = {"server_error", "slow_down", "temporarily_unavailable"}
"""Transient errors of OAuth, with any status (RFC 6749, 8628)."""
_LONGEST_LIFE: Final = 86_400.0
"""Seconds; a token with a longer lifetime is renewed after a day."""
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


class CredentialRefused(Exception):
    """The endpoint does not accept the credential; has the status and the error code."""


class TokenEndpointHeader(CachedHeader):
    """Tokens that an endpoint grants for a credential.

    Args:
        connection: The connection, for its name and its time-outs in seconds.
        url: The token endpoint.
        needs: What this kind requires, for error messages.
        clock: Returns Unix seconds.
    """

    form = False
    """Whether the request is a form (RFC 6749) and not JSON."""
    accept = "application/json"
    """The header Accept."""

    def __init__(self, connection: "Connection", url: str, *, needs: str, clock: Callable[[], float]) -> None:
        super().__init__(connection.name, clock=clock)
        self._url = url
        self.needs = needs
        self._timeout = (connection.connect_timeout, connection.read_timeout)

    @abstractmethod
    def grant(self, *, fresh: bool) -> dict[str, str]:
        """Return the request's body with the credential.

        Args:
            fresh: Read the credential again, because the last one was refused.

        Raises:
            CredentialError: It is not available.
        """

    @abstractmethod
    def refusal(self) -> str:
        """Return what was refused, and the fix."""

    def fetch(self, refused: str | None) -> Fetched[str]:  # noqa: ARG002 - each grant gives another token
        """Request a token; if the credential is refused, read it again and try a changed one once."""
        grant = self.grant(fresh=False)
        try:
            return self._ask(grant)
        except CredentialRefused as exc:
            words = str(exc)
        newer = self.grant(fresh=True)
        if newer != grant:
            LOGGER.info(
                "the credential for %s was refused and has been read again: it had changed", self._url
            )
            try:
                return self._ask(newer)
            except CredentialRefused as exc:
                words = str(exc)
        raise self.unavailable(f"{self.refusal()} ({words})", permanent=True)

    def _ask(self, grant: dict[str, str]) -> Fetched[str]:
        import requests

        try:
            response = requests.post(
                self._url,
                data=grant if self.form else None,
                json=None if self.form else grant,
                headers={"Accept": self.accept},
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.exceptions.SSLError as exc:
            untrusted = "CERTIFICATE_VERIFY_FAILED" in str(exc)
            reason = (
                "its TLS certificate is not one that this app trusts" if untrusted else "TLS failed there"
            )
            raise self.unavailable(f"{reason}; check that the address is right", permanent=untrusted) from exc
        except requests.exceptions.Timeout as exc:
            raise self.unavailable(f"it did not answer in time ({type(exc).__name__})") from exc
        except requests.exceptions.RequestException as exc:
            raise self.unavailable(f"it could not be reached ({type(exc).__name__})") from exc
        return self.judge(response)

    def judge(self, response: "Response") -> Fetched[str]:
        """Return the token of a response.

        Raises:
            CredentialRefused: The endpoint does not accept the credential.
            TokenUnavailable: There is no token for another reason.
        """
        status = response.status_code
        answer = _json_object(response.content)
        code = str(answer.get("error", ""))
        answered = f"{status}, {code}" if _CODE.fullmatch(code) else str(status)
        if code in _PASSING and status not in _SUCCESS:
            raise self.unavailable(f"it answered {answered}")
        if status in _REFUSED or (status == 400 and code in _OAUTH_REFUSALS):
            raise CredentialRefused(answered)
        if status in _SUCCESS:
            token = answer.get("access_token")
            if isinstance(token, str) and token:
                return self.lease(f"Bearer {token}", self._expiry(token, answer))
            reason = "the response has no access_token: a login page or a proxy may have answered"
        elif status in TRANSIENT or status >= 500:
            raise self.unavailable(f"it answered {answered}")
        else:
            reason = f"it answered {answered}; {self.needs}"
        raise self.unavailable(reason, permanent=True)

    def _expiry(self, token: str, answer: "JsonObject") -> float:
        """Return when a token expires by this machine's clock, from its lifetime."""
        life = _seconds(answer.get("expires_in"))
        if life is not None:
            return self.clock() + life
        import jwt

        try:
            claims = jwt.decode(token, options={"verify_signature": False, "verify_exp": False})
            life = _seconds(float(claims["exp"]) - float(claims.get("iat", self.clock())))
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
            life = None
        return self.clock() + (OPAQUE_LIFE if life is None else life)

    def unavailable(self, reason: str, *, permanent: bool = False) -> TokenUnavailable:
        """Return an error with the endpoint's address."""
        return TokenUnavailable(f"no token from {self._url}: {reason}", permanent=permanent)


def _seconds(value: object) -> float | None:
    """Return a token's lifetime: a number, or text with one (Entra's v1, the managed identity's endpoint)."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        life = float(value)
    except ValueError:
        return None
    except OverflowError:  # a whole number of more than 308 digits
        life = _LONGEST_LIFE
    return min(life, _LONGEST_LIFE) if life > 0 else None


def _json_object(body: bytes) -> "JsonObject":
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
