"""How this app signs in to an Airflow: one token source for each connection.

A kind of authentication is one small class with a method `fetch`. `CachedHeader` caches the token until
shortly before expiry, with one request for all threads and one renewal for one refusal. `TokenEndpointHeader`
is the base of the kinds that ask a token endpoint.
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from shared.airflow.auth.bearer import SecretBearer
from shared.airflow.auth.entra import EntraTokens
from shared.airflow.auth.exchange import EntraExchange, OidcExchange
from shared.airflow.auth.oidc import OidcTokens
from shared.airflow.auth.passwords import AirflowLogin, BasicLogin
from shared.rules.model.auth import Auth
from shared.rules.model.auth_clouds import AwsAuth, GoogleAuth
from shared.rules.model.auth_kinds import (
    AUTHORIZATION,
    AirflowAuth,
    BasicAuth,
    BearerAuth,
    EntraAuth,
    EntraExchangeAuth,
    OidcAuth,
)

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from shared.airflow.auth.cached_token import CachedHeader
    from shared.azure.key_vault import Secrets
    from shared.rules import Connection

__all__ = ["TokenSource", "header_source", "token_source"]


class TokenSource(Protocol):
    """The headers with this app's credential for one connection; safe to use from any thread."""

    def headers(self) -> Mapping[str, str]:
        """Return the headers; fetch a token if it is missing or about to expire.

        Raises:
            CredentialError: There is no usable token; names the hop that failed and the fix.
        """

    def renew(self, refused: Mapping[str, str]) -> Mapping[str, str]:
        """Return other headers than `refused`, or those that another thread has fetched since.

        The result may equal `refused` if there is no other credential: do not send it a third time.

        Raises:
            CredentialError: None could be fetched.
        """


class _OneHeader:
    """The usual case: one kind of authentication."""

    def __init__(self, header: str, source: "CachedHeader") -> None:
        self._header = header
        self._source = source

    def headers(self) -> Mapping[str, str]:
        return {self._header: self._source.value()}

    def renew(self, refused: Mapping[str, str]) -> Mapping[str, str]:
        return {self._header: self._source.renew(refused[self._header])}


class _TwoHeaders:
    """A credential for a proxy and one for Airflow.

    Airflow reads only `Authorization`. So if it calls a token stale, the token in that header is renewed. The
    proxy's token is renewed before it expires. If neither uses `Authorization`, because the proxy moves the
    header, the second one is Airflow's.
    """

    def __init__(self, proxys: _OneHeader, own: _OneHeader) -> None:
        self._proxys = proxys
        self._own = own

    def headers(self) -> Mapping[str, str]:
        return {**self._proxys.headers(), **self._own.headers()}

    def renew(self, refused: Mapping[str, str]) -> Mapping[str, str]:
        return {**refused, **self._own.renew(refused)}


def token_source(
    connection: "Connection",
    *,
    secrets: "Secrets",
    credential: Callable[[], "TokenCredential"],
    clock: Callable[[], float] = time.time,
) -> TokenSource:
    """Make the token source for a connection's `auth`; no request is sent yet.

    Args:
        connection: One connection of rules.yaml.
        secrets: The vault with its secrets.
        credential: Returns the process's credential (`shared/azure/credential.py`).
        clock: Returns Unix seconds.
    """
    auths = connection.auths
    sources = [
        _OneHeader(
            auth.header, header_source(connection, auth, secrets=secrets, credential=credential, clock=clock)
        )
        for auth in auths
    ]
    if len(sources) == 1:
        return sources[0]
    own = 0 if auths[0].header.lower() == AUTHORIZATION.lower() else 1
    return _TwoHeaders(sources[1 - own], sources[own])


def header_source(  # noqa: PLR0911 - one line for each kind
    connection: "Connection",
    auth: Auth,
    *,
    secrets: "Secrets",
    credential: Callable[[], "TokenCredential"],
    clock: Callable[[], float] = time.time,
) -> "CachedHeader":
    """Make the source of one header's value, or of signing credentials; arguments as `token_source`."""
    match auth:
        case EntraAuth():
            return EntraTokens(connection, auth, credential=credential, clock=clock)
        case EntraExchangeAuth():
            return EntraExchange(connection, auth, credential=credential, clock=clock)
        case AirflowAuth():
            return AirflowLogin(connection, auth, secrets=secrets, clock=clock)
        case OidcAuth():
            tokens = OidcTokens(connection, auth, secrets=secrets, credential=credential, clock=clock)
            return OidcExchange(connection, tokens, clock=clock) if auth.exchange else tokens
        case BearerAuth():
            return SecretBearer(connection, auth, secrets=secrets, clock=clock)
        case BasicAuth():
            return BasicLogin(connection, auth, secrets=secrets, clock=clock)
        case GoogleAuth():
            from shared.airflow.auth.google import GoogleTokens

            return GoogleTokens(connection, auth, credential=credential, clock=clock)
        case AwsAuth():
            from shared.airflow.auth.aws import AwsRole

            return AwsRole(connection, auth, credential=credential, clock=clock)
