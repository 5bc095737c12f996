"""The two kinds with a user name and a password: Airflow 3's login, and Airflow 2's basic authentication."""

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.airflow.auth.cached_token import CachedHeader
from shared.airflow.auth.token_endpoint import OPAQUE_LIFE, TokenEndpointHeader
from shared.azure.refreshing import Fetched

if TYPE_CHECKING:
    from shared.azure.key_vault import Secrets
    from shared.rules import AirflowAuth, BasicAuth, Connection


class AirflowLogin(TokenEndpointHeader):
    """`kind: airflow`: a user name and a password, exchanged at Airflow's own `/auth/token`.

    The Simple and the FAB auth manager answer 201 with a JWT that lives 24 hours by default
    (`[api_auth] jwt_expiration_time`); neither refreshes one
    (https://airflow.apache.org/docs/apache-airflow/stable/security/api.html).

    Args:
        connection: The Airflow.
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
        super().__init__(
            connection,
            f"{connection.url.rstrip('/')}/auth/token",
            needs="kind: airflow needs Airflow 3 with the Simple or the FAB auth manager",
            clock=clock,
        )
        self._auth = auth
        self._secrets = secrets

    def grant(self, *, fresh: bool) -> dict[str, str]:
        """Return the login; see `TokenEndpointHeader`."""
        username, password = _login(self._auth, self._secrets, fresh=fresh)
        return {"username": username, "password": password}

    def refusal(self) -> str:
        """Name the user and the secret; see `TokenEndpointHeader`."""
        auth = self._auth
        user = f"user {auth.username!r}" if auth.username else f"the user of secret {auth.username_secret!r}"
        return (
            f"it refuses {user} with the password of secret {auth.password_secret!r} of {self._secrets}, "
            "read just now; set the secret to that password"
        )


class BasicLogin(CachedHeader):
    """`kind: basic`: user name and password with every request (RFC 7617).

    Args:
        connection: The Airflow.
        auth: The user name, or the secret that holds it, and the password's secret.
        secrets: Where those are read.
        clock: Returns Unix seconds.
    """

    def __init__(
        self, connection: "Connection", auth: "BasicAuth", *, secrets: "Secrets", clock: Callable[[], float]
    ) -> None:
        super().__init__(connection.name, clock=clock)
        self._auth = auth
        self._secrets = secrets

    def fetch(self, refused: str | None) -> Fetched[str]:
        """Read the login; past what is held where it was refused."""
        username, password = _login(self._auth, self._secrets, fresh=refused is not None)
        encoded = base64.b64encode(f"{username}:{password}".encode()).decode()
        return self.lease(f"Basic {encoded}", self.clock() + OPAQUE_LIFE)


def _login(auth: "AirflowAuth | BasicAuth", secrets: "Secrets", *, fresh: bool) -> tuple[str, str]:
    read = secrets.refresh if fresh else secrets.get
    username = read(auth.username_secret) if auth.username_secret else auth.username
    return username or "", read(auth.password_secret)
