"""`kind: entra_exchange`: an Entra token, exchanged for Airflow's own at `/auth/token`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from shared.credential import credential_of, fetch_token
from shared.tokens.granted import GrantedTokens

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from shared.rules import Connection, EntraExchangeAuth

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class EntraExchange(GrantedTokens):
    """Airflow tokens for one connection, by the grant of RFC 7523 section 2.1.

    The Entra auth manager of `for_airflow/` takes the request, and so does Keycloak's (provider 0.11 and
    later), with a token that Keycloak trusts.

    Args:
        connection: The Airflow.
        auth: The Entra token's scope and, where the connection has an identity of its own, its client id.
        credential: Gives the process's credential.
        clock: Returns Unix seconds.
    """

    def __init__(
        self,
        connection: "Connection",
        auth: "EntraExchangeAuth",
        *,
        credential: Callable[[], "TokenCredential"],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(
            connection,
            f"{connection.url.rstrip('/')}/auth/token",
            needs="kind: entra_exchange needs Airflow 3 with updraft-airflow's auth manager, or Keycloak's",
            clock=clock,
        )
        self._scope = auth.scope
        self._credential = credential_of(auth.client_id, credential)

    def proof(self, *, fresh: bool) -> dict[str, str]:
        """Return the grant with an Entra token; see `GrantedTokens`."""
        token = fetch_token(self._credential(), self._scope, fresh=fresh)
        return {"grant_type": JWT_BEARER, "assertion": token.token}

    def refusal(self) -> str:
        """Name the identity's missing role; see `GrantedTokens`."""
        return (
            f"it refuses the managed identity's token for {self._scope}; see that the identity has the app "
            "role that this Airflow asks for, and that its tenant and audience are the ones that it takes"
        )
