"""`kind: airflow`: a user name and a password from Key Vault, exchanged at Airflow's own `/auth/token`.

The Simple and the FAB auth manager answer 201 with a JWT that lives 24 hours by default
(`[api_auth] jwt_expiration_time`); neither refreshes one
(https://airflow.apache.org/docs/apache-airflow/stable/security/api.html).
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from shared.cached import Lease
from shared.errors import TokenUnavailable
from shared.tokens.kept import CachedTokens

if TYPE_CHECKING:
    from requests import Response

    from shared.keyvault import Secrets
    from shared.rules import AirflowAuth, Connection

OPAQUE_LIFE: Final = 300.0
"""Seconds for which a token is kept that does not say how long it lives."""

_TRANSIENT: Final = {408, 425, 429}
_REFUSED: Final = {401, 403}
_SUCCESS: Final = range(200, 300)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Login:
    username: str = field(repr=False)
    password: str = field(repr=False)


class _LoginRefused(Exception):  # noqa: N818 - never leaves this module
    """Airflow does not accept the user name with this password."""


class AirflowLogin(CachedTokens):
    """Airflow tokens for one connection.

    Args:
        connection: The Airflow, with its time-outs in seconds.
        auth: The user name, or the secret that holds it, and the password's secret.
        secrets: Where those are read.
        clock: Returns Unix seconds.
    """

    def __init__(
        self,
        connection: "Connection",
        auth: "AirflowAuth",
        *,
        secrets: "Secrets",
        clock: Callable[[], float],
    ) -> None:
        super().__init__(connection.name, clock=clock)
        self._url = f"{str(connection.url).rstrip('/')}/auth/token"
        self._timeout = (connection.connect_timeout, connection.read_timeout)
        self._auth = auth
        self._secrets = secrets

    def fetch(self, refused: str | None) -> Lease[str]:  # noqa: ARG002 - each login gives another token
        """Log in; where the password is refused, read it again and log in with the new one, once."""
        login = self._read(self._secrets.get)
        try:
            return self._log_in(login)
        except _LoginRefused:
            newer = self._read(self._secrets.refresh)
        if newer != login:
            _log.info("the login for %s was refused and has been read again: it had changed", self._url)
            try:
                return self._log_in(newer)
            except _LoginRefused:
                pass
        auth = self._auth
        user = f"user {auth.username!r}" if auth.username else f"the user of secret {auth.username_secret!r}"
        raise TokenUnavailable(
            f"no token from {self._url}: it refuses {user} with the password of secret "
            f"{auth.password_secret!r} of {self._secrets}, read just now; set the secret to that password",
            permanent=True,
        )

    def _read(self, read: Callable[[str], str]) -> _Login:
        auth = self._auth
        username = read(auth.username_secret) if auth.username_secret else auth.username
        return _Login(username or "", read(auth.password_secret))

    def _log_in(self, login: _Login) -> Lease[str]:
        import requests  # noqa: PLC0415 - the Azure SDK has loaded it by now, to read the secret

        body = {"username": login.username, "password": login.password}
        try:
            response = requests.post(self._url, json=body, timeout=self._timeout, allow_redirects=False)
        except requests.exceptions.SSLError as exc:
            reason = "its TLS certificate is not one that this app trusts; see that the address is right"
            raise self._unavailable(reason, permanent="CERTIFICATE_VERIFY_FAILED" in str(exc)) from exc
        except requests.exceptions.Timeout as exc:
            raise self._unavailable(f"it did not answer in time ({type(exc).__name__})") from exc
        except requests.exceptions.RequestException as exc:
            raise self._unavailable(f"it could not be reached ({type(exc).__name__})") from exc
        return self._judge(response)

    def _judge(self, response: "Response") -> Lease[str]:
        status = response.status_code
        if status in _REFUSED:
            raise _LoginRefused
        if status in _SUCCESS:
            token = _access_token(response.content)
            if token is not None:
                return self.lease(f"Bearer {token}", self._expiry(token))
            reason = "the answer holds no access_token: a login page or a proxy may be in the way"
        elif status in _TRANSIENT or status >= 500:  # noqa: PLR2004 - HTTP's own number
            raise self._unavailable(f"it answered {status}")
        else:
            reason = (
                f"it answered {status}; kind: airflow needs Airflow 3 with the Simple or the FAB auth manager"
            )
        raise self._unavailable(reason, permanent=True)

    def _expiry(self, token: str) -> float:
        """Return when a token expires by this machine's clock: its life counts, not Airflow's clock."""
        import jwt  # noqa: PLC0415 - 20 ms, once a process, and only for this kind

        try:
            claims = jwt.decode(token, options={"verify_signature": False, "verify_exp": False})
            return self.clock() + (float(claims["exp"]) - float(claims.get("iat", self.clock())))
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
            return self.clock() + OPAQUE_LIFE

    def _unavailable(self, reason: str, *, permanent: bool = False) -> TokenUnavailable:
        return TokenUnavailable(f"no token from {self._url}: {reason}", permanent=permanent)


def _access_token(body: bytes) -> str | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    token = answer.get("access_token") if isinstance(answer, dict) else None
    return token if isinstance(token, str) and token else None
