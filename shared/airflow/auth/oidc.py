"""`kind: oidc`: a token of an OAuth 2 server, for a client of that server (RFC 6749 section 4.4)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from shared.airflow.auth.token_endpoint import TokenEndpointHeader
from shared.azure.credential import credential_of, fetch_token

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from shared.azure.key_vault import Secrets
    from shared.rules import Connection, OidcAuth

ASSERTION_SCOPE: Final = "api://AzureADTokenExchange/.default"
"""The audience that Entra, and servers like it, expect in a federated identity's token."""
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class OidcTokens(TokenEndpointHeader):
    """Tokens by client credentials: the managed identity's token or a secret.

    Args:
        connection: The Airflow.
        auth: The server, the client and its credential.
        secrets: The vault with the client's secret, if it has one.
        credential: Returns the process's credential.
        clock: Returns Unix seconds.
    """

    form = True

    def __init__(
        self,
        connection: "Connection",
        auth: "OidcAuth",
        *,
        secrets: "Secrets",
        credential: Callable[[], "TokenCredential"],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(
            connection,
            auth.token_url,
            needs="check that token_url is the server's token endpoint, and that it has the client and scope",
            clock=clock,
        )
        self._auth = auth
        self._secrets = secrets
        self._credential = credential_of(auth.identity_client_id, credential)
        self._assertion_scope = auth.assertion_scope or ASSERTION_SCOPE

    @property
    def client_id(self) -> str:
        """The client's id at the server."""
        return self._auth.client_id

    def grant(self, *, fresh: bool) -> dict[str, str]:
        """Return the grant; see `TokenEndpointHeader`."""
        auth = self._auth
        grant = {"grant_type": "client_credentials", "client_id": auth.client_id}
        if auth.scope:
            grant["scope"] = auth.scope
        if auth.client_secret_secret:
            read = self._secrets.refresh if fresh else self._secrets.get
            return {**grant, "client_secret": read(auth.client_secret_secret)}
        token = fetch_token(self._credential(), self._assertion_scope, fresh=fresh)
        return {**grant, "client_assertion_type": _ASSERTION_TYPE, "client_assertion": token.token}

    def refusal(self) -> str:
        """Return the client and its credential; see `TokenEndpointHeader`."""
        auth = self._auth
        if auth.client_secret_secret:
            return (
                f"it refuses client {auth.client_id!r} with secret {auth.client_secret_secret!r} of "
                f"{self._secrets}, read just now; set the secret to the client's"
            )
        return (
            f"it refuses client {auth.client_id!r} with the managed identity's token for "
            f"{self._assertion_scope}; let the client trust that identity (issuer, subject and audience of a "
            "federated credential)"
        )
