"""`kind: entra`: the app's managed identity gets a token for the connection's one scope."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.airflow.auth.cached_token import CachedHeader
from shared.azure.credential import credential_of, fetch_token
from shared.azure.refreshing import Fetched

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from shared.rules import Connection, EntraAuth


class EntraTokens(CachedHeader):
    """Entra tokens for one connection.

    Args:
        connection: The connection, for its name.
        auth: Its scope and, if the connection has its own identity, that identity's client id.
        credential: Returns the process's credential.
        clock: Returns Unix seconds.
    """

    def __init__(
        self,
        connection: "Connection",
        auth: "EntraAuth",
        *,
        credential: Callable[[], "TokenCredential"],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(connection.name, clock=clock)
        self._scope = auth.scope
        self._credential = credential_of(auth.client_id, credential)

    def fetch(self, refused: str | None) -> Fetched[str]:
        """Ask the identity endpoint; without azure-identity's cache if a token was refused."""
        token = fetch_token(self._credential(), self._scope, fresh=refused is not None)
        return self.lease(f"Bearer {token.token}", token.expires_on)
