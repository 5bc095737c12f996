"""`kind: aws`: credentials of an AWS role, for the managed identity's token.

One hop: for an Entra token, STS returns temporary credentials of a role that trusts it
(https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html). They sign requests
(`shared/airflow/mwaa.py`); only the session token is sent. AWS profiles, environment variables and the
instance-metadata service are never used.
"""

import importlib.util
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.airflow.auth.token_endpoint import TRANSIENT, CredentialRefused, TokenEndpointHeader
from shared.azure.credential import credential_of, fetch_token
from shared.azure.refreshing import Fetched
from shared.errors import TokenUnavailable

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from requests import Response

    from shared.rules import AwsAuth, Connection

_LIFE: Final = 3600
"""Seconds of a session: a role's default, and the most for chained roles."""
_SESSION_NAME: Final = "updraft"
_PASSING: Final = {"IDPCommunicationError", "Throttling", "ThrottlingException", "RequestLimitExceeded"}
_UNTRUSTED: Final = {
    "AccessDenied",
    "ExpiredTokenException",
    "IDPRejectedClaim",
    "InvalidIdentityToken",
}


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """Credentials that sign a request; never shown.

    Attributes:
        access_key: The id of the key.
        secret_key: The key.
        token: The session token.
    """

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(repr=False)

    def text(self) -> str:
        """Return the JSON array that `AwsRole` caches."""
        return json.dumps([self.access_key, self.secret_key, self.token])


class AwsRole(TokenEndpointHeader):
    """Credentials of one connection's role, cached as a JSON array of key id, key and session token.

    Args:
        connection: The MWAA environment, with its time-outs in seconds.
        auth: The role, and the Entra token's scope.
        credential: Returns the process's credential.
        clock: Returns Unix seconds.

    Attributes:
        auth: The role, the environment and its region.
    """

    form = True
    accept = "text/xml"

    def __init__(
        self,
        connection: "Connection",
        auth: "AwsAuth",
        *,
        credential: Callable[[], "TokenCredential"],
        clock: Callable[[], float] = time.time,
    ) -> None:
        domain = "amazonaws.com.cn" if auth.region.startswith("cn-") else "amazonaws.com"
        super().__init__(
            connection,
            auth.sts_url or f"https://sts.{auth.region}.{domain}",
            needs="check that it is AWS's token service, and that the region is enabled in the account",
            clock=clock,
        )
        self.auth = auth
        self._credential = credential_of(auth.client_id, credential)

    def credentials(self) -> AwsCredentials:
        """Return the role's credentials; see `CachedHeader.value`."""
        return AwsCredentials(*json.loads(self.value()))

    def renewed(self, refused: AwsCredentials) -> AwsCredentials:
        """Return other credentials than the refused ones; see `CachedHeader.renew`."""
        return AwsCredentials(*json.loads(self.renew(refused.text())))

    def claims_text(self) -> str:
        """Return the managed identity's token, whose claims name the identity that assumes the role."""
        return f"Bearer {self.identity_token()}"

    def fetch(self, refused: str | None) -> Fetched[str]:
        """Assume the role; see `TokenEndpointHeader`."""
        if importlib.util.find_spec("botocore") is None:
            raise TokenUnavailable(
                "no AWS credentials: botocore is not installed; add the extra `aws` (updraft[aws]), or "
                "botocore to requirements.txt",
                permanent=True,
            )
        return super().fetch(refused)

    def grant(self, *, fresh: bool) -> dict[str, str]:
        """Return the request with an Entra token; see `TokenEndpointHeader`."""
        return {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": self.auth.role_arn,
            "RoleSessionName": _SESSION_NAME,
            "DurationSeconds": str(_LIFE),
            "WebIdentityToken": self.identity_token(fresh=fresh),
        }

    def identity_token(self, *, fresh: bool = False) -> str:
        """Return the managed identity's token, which the role has to trust.

        Raises:
            CredentialError: It is not available.
        """
        return fetch_token(self._credential(), self.auth.scope, fresh=fresh).token

    def refusal(self) -> str:
        """Return the role and what it has to trust; see `TokenEndpointHeader`."""
        return (
            f"it refuses role {self.auth.role_arn} to the managed identity's token for {self.auth.scope}; "
            "check that the account's OIDC provider has the token's issuer and audience, and that the role's "
            "trust policy names the provider, that audience and the identity as subject"
        )

    def judge(self, response: "Response") -> Fetched[str]:
        """Return the credentials of a response; see `TokenEndpointHeader`."""
        status, answer = response.status_code, _texts(response.content)
        if status == 200:
            try:
                kept = AwsCredentials(
                    answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"]
                ).text()
                expiry = datetime.fromisoformat(answer["Expiration"]).timestamp()
            except (KeyError, ValueError, OverflowError, OSError):
                reason = "the response has no credentials: a login page or a proxy may have answered"
                raise self.unavailable(reason, permanent=True) from None
            return self.lease(kept, min(expiry, self.clock() + _LIFE))
        code = answer.get("Code", "")
        answered = f"{status}, {code}" if code.isalnum() else str(status)
        if status in TRANSIENT or status >= 500 or code in _PASSING:
            raise self.unavailable(f"it answered {answered}")
        if code in _UNTRUSTED:
            raise CredentialRefused(answered)
        raise self.unavailable(f"it answered {answered}; {self.needs}", permanent=True)


def _texts(body: bytes) -> dict[str, str]:
    """Return the texts of an XML response by the names of their elements, in any namespace."""
    from xml.etree import ElementTree as ET

    try:
        root = ET.fromstring(body)  # noqa: S314 - expat bounds entities, and only AWS is asked
    except (
        ET.ParseError,
        ValueError,
        LookupError,
    ):  # the last two are for an encoding that expat does not have
        return {}
    return {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in root.iter()}
