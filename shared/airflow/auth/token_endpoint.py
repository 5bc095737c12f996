"""What the kinds share that ask a token endpoint: a proof goes there, a token comes back.

A proof is a password, a client's secret, or a token of the managed identity. Where the endpoint refuses it,
it is read again, and tried once more if it has changed: so a rotated secret heals within one event, and the
same proof is never sent twice.
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
"""Seconds for which a token is kept that does not say how long it lives."""

TRANSIENT: Final = {408, 425, 429}
"""Statuses below 500 that mean that the same may do later."""
_REFUSED: Final = {401, 403}
_SUCCESS: Final = range(200, 300)
_OAUTH_REFUSALS: Final = {"invalid_client", "invalid_grant", "unauthorized_client"}
_PASSING: Final = {"server_error", "slow_down", "temporarily_unavailable"}
"""Errors of OAuth that pass by themselves, whatever status they come with (RFC 6749, 8628)."""
_LONGEST_LIFE: Final = 86_400.0
"""Seconds; a token that says that it lives longer is renewed after a day."""
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


class ProofRefused(Exception):
    """The endpoint does not accept the proof; says how it put that."""


class TokenEndpointHeader(CachedHeader):
    """Tokens that an endpoint grants for a proof.

    Args:
        connection: The connection, for its name and its time-outs in seconds.
        url: The token endpoint.
        needs: What has to be there for this kind to work, for the error that says it is not.
        clock: Returns Unix seconds.
    """

    form = False
    """Whether the proof is sent as a form (RFC 6749) rather than as JSON."""
    accept = "application/json"
    """What the endpoint is asked to answer with."""

    def __init__(self, connection: "Connection", url: str, *, needs: str, clock: Callable[[], float]) -> None:
        super().__init__(connection.name, clock=clock)
        self._url = url
        self.needs = needs
        self._timeout = (connection.connect_timeout, connection.read_timeout)

    @abstractmethod
    def proof(self, *, fresh: bool) -> dict[str, str]:
        """Return the request's body.

        Args:
            fresh: Read what it is made of anew, because the last was refused.

        Raises:
            CredentialError: It cannot be had.
        """

    @abstractmethod
    def refusal(self) -> str:
        """Return, for a person, what was refused and the remedy."""

    def fetch(self, refused: str | None) -> Fetched[str]:  # noqa: ARG002 - each grant gives another token
        """Ask with the proof at hand; where it is refused, read it again and ask with the new one, once."""
        proof = self.proof(fresh=False)
        try:
            return self._ask(proof)
        except ProofRefused as exc:
            words = str(exc)
        newer = self.proof(fresh=True)
        if newer != proof:
            LOGGER.info("the proof for %s was refused and has been read again: it had changed", self._url)
            try:
                return self._ask(newer)
            except ProofRefused as exc:
                words = str(exc)
        raise self.unavailable(f"{self.refusal()} ({words})", permanent=True)

    def _ask(self, proof: dict[str, str]) -> Fetched[str]:
        import requests

        try:
            response = requests.post(
                self._url,
                data=proof if self.form else None,
                json=None if self.form else proof,
                headers={"Accept": self.accept},
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.exceptions.SSLError as exc:
            untrusted = "CERTIFICATE_VERIFY_FAILED" in str(exc)
            reason = (
                "its TLS certificate is not one that this app trusts" if untrusted else "TLS failed there"
            )
            raise self.unavailable(f"{reason}; see that the address is right", permanent=untrusted) from exc
        except requests.exceptions.Timeout as exc:
            raise self.unavailable(f"it did not answer in time ({type(exc).__name__})") from exc
        except requests.exceptions.RequestException as exc:
            raise self.unavailable(f"it could not be reached ({type(exc).__name__})") from exc
        return self.judge(response)

    def judge(self, response: "Response") -> Fetched[str]:
        """Return the token that an answer holds.

        Raises:
            ProofRefused: The endpoint does not accept the proof.
            TokenUnavailable: It gave none for another reason.
        """
        status = response.status_code
        answer = _json_object(response.content)
        code = str(answer.get("error", ""))
        told = f"{status}, {code}" if _CODE.fullmatch(code) else str(status)
        if code in _PASSING and status not in _SUCCESS:
            raise self.unavailable(f"it answered {told}")
        if status in _REFUSED or (status == 400 and code in _OAUTH_REFUSALS):
            raise ProofRefused(told)
        if status in _SUCCESS:
            token = answer.get("access_token")
            if isinstance(token, str) and token:
                return self.lease(f"Bearer {token}", self._expiry(token, answer))
            reason = "the answer holds no access_token: a login page or a proxy may be in the way"
        elif status in TRANSIENT or status >= 500:
            raise self.unavailable(f"it answered {told}")
        else:
            reason = f"it answered {told}; {self.needs}"
        raise self.unavailable(reason, permanent=True)

    def _expiry(self, token: str, answer: "JsonObject") -> float:
        """Return when a token expires by this machine's clock: its life counts, not the other's clock."""
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
        """Return the error that says why there is no token, naming the endpoint."""
        return TokenUnavailable(f"no token from {self._url}: {reason}", permanent=permanent)


def _seconds(value: object) -> float | None:
    """Read a token's life: a number, or one as text (Entra's v1, the managed identity's endpoint)."""
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
