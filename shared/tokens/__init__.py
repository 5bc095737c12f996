"""How this app proves to an Airflow who it is: one token source for each connection.

A kind of authentication is one small class with one method, `fetch`; what all kinds share (kept until shortly
before expiry, one request however many threads ask, one renewal for one refusal) is `CachedTokens`.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from shared.tokens.airflow_login import AirflowLogin
from shared.tokens.entra import EntraTokens

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from shared.keyvault import Secrets
    from shared.rules import Connection

__all__ = ["TokenSource", "token_source"]


class TokenSource(Protocol):
    """The Authorization header of one connection; safe to use from any thread."""

    def authorization(self) -> str:
        """Return the header's value, fetching a token only when there is none or it is about to expire.

        Raises:
            CredentialError: There is no usable token, with the hop that failed and the remedy.
        """

    def renew(self, refused: str) -> str:
        """Return a new value because Airflow refused `refused`, or the one that another thread got since.

        The result may equal `refused`, where there is no other to be had: send it no third time.

        Raises:
            CredentialError: None could be had.
        """


def token_source(
    connection: "Connection",
    *,
    secrets: "Secrets",
    credential: Callable[[], "TokenCredential"],
    clock: Callable[[], float] = time.time,
) -> TokenSource:
    """Make the token source that a connection's `auth` asks for. Nothing is requested yet.

    Args:
        connection: One connection of rules.yaml.
        secrets: Where the secrets that it names are read.
        credential: Gives the process's credential (`shared/credential.py`).
        clock: Returns Unix seconds.
    """
    auth = connection.auth
    if auth.kind == "entra":
        return EntraTokens(connection, auth, credential=credential, clock=clock)
    return AirflowLogin(connection, auth, secrets=secrets, clock=clock)
