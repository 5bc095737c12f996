"""`kind: bearer`: a token from Key Vault that another system issued."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.airflow.auth.cached_token import CachedHeader
from shared.airflow.auth.token_endpoint import OPAQUE_LIFE
from shared.azure.refreshing import Fetched

if TYPE_CHECKING:
    from shared.azure.key_vault import Secrets
    from shared.rules import BearerAuth, Connection


class SecretBearer(CachedHeader):
    """The token of one connection in the vault.

    Args:
        connection: The Airflow.
        auth: The secret's name.
        secrets: The vault that has it.
        clock: Returns Unix seconds.
    """

    def __init__(
        self, connection: "Connection", auth: "BearerAuth", *, secrets: "Secrets", clock: Callable[[], float]
    ) -> None:
        super().__init__(connection.name, clock=clock)
        self._name_of_secret = auth.token_secret
        self._secrets = secrets

    def fetch(self, refused: str | None) -> Fetched[str]:
        """Read the token; without the cache if it was refused. The vault's cache limits its age."""
        read = self._secrets.get if refused is None else self._secrets.refresh
        return self.lease(f"Bearer {read(self._name_of_secret)}", self.clock() + OPAQUE_LIFE)
