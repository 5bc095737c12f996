"""Exchanges a token that Airflow trusts for Airflow's own token, at `/auth/token`.

It is the grant of RFC 7523 section 2.1. The Entra auth manager of `for_airflow/` accepts an Entra token
(`kind: entra_exchange`). Keycloak's auth manager (provider 0.11 and later) accepts a Keycloak token
(`kind: oidc` with `exchange: true`).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from shared.airflow.auth.token_endpoint import TokenEndpointHeader
from shared.azure.credential import credential_of, fetch_token

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from shared.airflow.auth.oidc import OidcTokens
    from shared.rules import Connection, EntraExchangeAuth

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class _Exchange(TokenEndpointHeader):
    """Airflow tokens for one connection."""

    def __init__(self, connection: "Connection", *, clock: Callable[[], float]) -> None:
        super().__init__(
            connection,
            f"{connection.url.rstrip('/')}/auth/token",
            needs="the exchange needs Airflow 3 with updraft-airflow's auth manager, or Keycloak's 0.11",
            clock=clock,
        )


class EntraExchange(_Exchange):
    """Airflow tokens for the managed identity's tokens.

    Args:
        connection: The Airflow.
        auth: The Entra token's scope and, if the connection has its own identity, its client id.
        credential: Returns the process's credential.
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
        super().__init__(connection, clock=clock)
        self._scope = auth.scope
        self._credential = credential_of(auth.client_id, credential)

    def grant(self, *, fresh: bool) -> dict[str, str]:
        """Return the grant with an Entra token; see `TokenEndpointHeader`."""
        token = fetch_token(self._credential(), self._scope, fresh=fresh)
        return {"grant_type": JWT_BEARER, "assertion": token.token}

    def refusal(self) -> str:
        """Return the identity's missing role; see `TokenEndpointHeader`."""
        return (
            f"it refuses the managed identity's token for {self._scope}; check that the identity has the app "
            "role that this Airflow asks for, and that its tenant and audience are the ones that it takes"
        )


class OidcExchange(_Exchange):
    """Airflow tokens for tokens of an OAuth 2 server.

    Args:
        connection: The Airflow.
        tokens: The source of the server's tokens.
        clock: Returns Unix seconds.
    """

    def __init__(self, connection: "Connection", tokens: "OidcTokens", *, clock: Callable[[], float]) -> None:
        super().__init__(connection, clock=clock)
        self._tokens = tokens

    def grant(self, *, fresh: bool) -> dict[str, str]:
        """Return the grant with the server's token; see `TokenEndpointHeader`."""
        value = self._tokens.value()
        if fresh:
            value = self._tokens.renew(value)
        return {"grant_type": JWT_BEARER, "assertion": value.removeprefix("Bearer ")}

    def refusal(self) -> str:
        """Return the server's client; see `TokenEndpointHeader`."""
        return (
            f"it refuses the token of client {self._tokens.client_id!r}; check that this Airflow trusts that "
            "client (Keycloak: [keycloak_auth_manager] jwt_federated_client_ids)"
        )
