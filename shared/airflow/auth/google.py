"""`kind: google`: a Google token for Cloud Composer, for the managed identity's token.

google-auth makes two hops: Google's STS exchanges the Entra token (workload identity federation), and the IAM
credentials API returns a token of the service account that it may impersonate
(https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds#azure).
"""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from shared.airflow.auth.cached_token import CachedHeader
from shared.airflow.auth.token_endpoint import TRANSIENT
from shared.azure.credential import credential_of, fetch_token
from shared.azure.refreshing import Fetched
from shared.errors import TokenUnavailable

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from shared.rules import Connection, GoogleAuth

_JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
_NOT_GOOGLES: Final = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
"""Errors of google-auth for a JSON response that is not in Google's form."""


class GoogleTokens(CachedHeader):
    """Google tokens for one connection.

    Args:
        connection: The Composer environment, with its time-outs in seconds.
        auth: The pool's provider, the service account and the scopes.
        credential: Returns the process's credential.
        clock: Returns Unix seconds.
    """

    def __init__(
        self,
        connection: "Connection",
        auth: "GoogleAuth",
        *,
        credential: Callable[[], "TokenCredential"],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(connection.name, clock=clock)
        self._auth = auth
        self._timeout = (connection.connect_timeout, connection.read_timeout)
        self._credential = credential_of(auth.client_id, credential)

    def fetch(self, refused: str | None) -> Fetched[str]:  # noqa: ARG002 - each grant gives another token
        """Make the two hops with an Entra token."""
        if importlib.util.find_spec("google") is None or importlib.util.find_spec("google.auth") is None:
            raise TokenUnavailable(
                "no Google token: google-auth is not installed; add the extra `google` (updraft[google]), or "
                "google-auth to requirements.txt",
                permanent=True,
            )
        from google.auth import exceptions

        identity_pool: Any = importlib.import_module(
            "google.auth.identity_pool"
        )  # google-auth is partly untyped

        auth = self._auth
        assertion = fetch_token(self._credential(), auth.scope).token

        class Assertion(identity_pool.SubjectTokenSupplier):  # type: ignore[misc] # as above
            def get_subject_token(self, *_: Any) -> str:
                return assertion

        credentials = identity_pool.Credentials(
            audience=auth.audience,
            subject_token_type=_JWT,
            token_url=auth.sts_url,
            subject_token_supplier=Assertion(),
            service_account_impersonation_url=(
                f"{auth.iam_url.rstrip('/')}/v1/projects/-/serviceAccounts/"
                f"{auth.service_account}:generateAccessToken"
            ),
            scopes=[auth.google_scope],
        )
        hop = _Hop(self._timeout)
        try:
            credentials.refresh(hop)
            expiry = credentials.expiry.replace(tzinfo=UTC).timestamp()
        except (exceptions.GoogleAuthError, *_NOT_GOOGLES):
            # Without its cause: google-auth quotes the response, which may quote the token.
            raise self._unavailable(hop) from None
        return self.lease(f"Bearer {credentials.token}", expiry)

    def _unavailable(self, hop: "_Hop") -> TokenUnavailable:
        auth = self._auth
        status = hop.status
        if status is None:
            return TokenUnavailable(f"no token from {hop.url}: it could not be reached")
        if status in TRANSIENT or status >= 500:
            return TokenUnavailable(f"no token from {hop.url}: it answered {status}")
        if status < 400:
            remedy = "the response was not one of Google: a proxy may have answered"
        elif hop.url == auth.sts_url:
            remedy = (
                f"it refuses the managed identity's token for {auth.scope}; check that the provider "
                f"{auth.audience} takes that issuer, audience and subject"
            )
        else:
            remedy = (
                "it refuses the impersonation; grant the federated identity roles/iam.workloadIdentityUser "
                f"on {auth.service_account}"
            )
        return TokenUnavailable(f"no token from {hop.url}: {remedy} ({status})", permanent=True)


class _Hop:
    """Google's transport with the connection's time-outs; stores the last response's status for errors.

    Attributes:
        url: The address of the last request.
        status: The status of its response; None if none came.
    """

    def __init__(self, timeout: tuple[float, float]) -> None:
        from google.auth.transport.requests import Request

        self._request = Request()
        self._timeout = timeout
        self.url = ""
        self.status: int | None = None

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> Any:
        self.url, self.status = url, None
        response = self._request(url, method, body, headers, timeout=self._timeout, allow_redirects=False)
        self.status = response.status
        return response
