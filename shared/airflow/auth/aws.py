"""`kind: aws`: credentials of an AWS role, got with the managed identity's token.

One hop: STS gives an Entra token's bearer temporary credentials of a role that trusts it
(https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html). Requests are signed
with them (`shared/airflow/mwaa.py`); they never travel themselves, except for the session token. No
profile, environment variable or instance-metadata service of AWS's is ever asked for others.
"""

import importlib.util
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.airflow.auth.token_endpoint import TRANSIENT, ProofRefused, TokenEndpointHeader
from shared.azure.credential import credential_of, fetch_token
from shared.azure.refreshing import Fetched
from shared.errors import TokenUnavailable

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from requests import Response

    from shared.rules import AwsAuth, Connection

_LIFE: Final = 3600
"""Seconds of a session; a role's default, and the most where roles are chained."""
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
    """What signs a request; shown nowhere.

    Attributes:
        access_key: The id of the key.
        secret_key: The key.
        token: The session token.
    """

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(repr=False)

    def text(self) -> str:
        """Return them as `AwsRole` caches them: a JSON array."""
        return json.dumps([self.access_key, self.secret_key, self.token])


class AwsRole(TokenEndpointHeader):
    """Credentials of one connection's role, each a JSON array of key id, key and session token.

    Args:
        connection: The MWAA environment, with its time-outs in seconds.
        auth: The role, and the Entra token's scope.
        credential: Gives the process's credential.
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
            needs="see that it is AWS's token service, and that the region is enabled in the account",
            clock=clock,
        )
        self.auth = auth
        self._credential = credential_of(auth.client_id, credential)

    def credentials(self) -> AwsCredentials:
        """Return the role's credentials; see `CachedHeader.value`."""
        return AwsCredentials(*json.loads(self.value()))

    def renewed(self, refused: AwsCredentials) -> AwsCredentials:
        """Return other credentials than those which AWS refused; see `CachedHeader.renew`."""
        return AwsCredentials(*json.loads(self.renew(refused.text())))

    def claims_text(self) -> str:
        """Return the managed identity's token: its claims say who assumes the role."""
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

    def proof(self, *, fresh: bool) -> dict[str, str]:
        """Return the call with an Entra token; see `TokenEndpointHeader`."""
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
            CredentialError: It cannot be had.
        """
        return fetch_token(self._credential(), self.auth.scope, fresh=fresh).token

    def refusal(self) -> str:
        """Name the role and what it has to trust; see `TokenEndpointHeader`."""
        return (
            f"it refuses role {self.auth.role_arn} to the managed identity's token for {self.auth.scope}; "
            "see that the account's OIDC provider has the token's issuer and audience, and that the role's "
            "trust policy names the provider, that audience and the identity as subject"
        )

    def judge(self, response: "Response") -> Fetched[str]:
        """Return the credentials that an answer holds; see `TokenEndpointHeader`."""
        status, answer = response.status_code, _texts(response.content)
        if status == 200:
            try:
                kept = AwsCredentials(
                    answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"]
                ).text()
                expiry = datetime.fromisoformat(answer["Expiration"]).timestamp()
            except (KeyError, ValueError, OverflowError, OSError):
                reason = "the answer holds no credentials: a login page or a proxy may be in the way"
                raise self.unavailable(reason, permanent=True) from None
            return self.lease(kept, min(expiry, self.clock() + _LIFE))
        code = answer.get("Code", "")
        told = f"{status}, {code}" if code.isalnum() else str(status)
        if status in TRANSIENT or status >= 500 or code in _PASSING:
            raise self.unavailable(f"it answered {told}")
        if code in _UNTRUSTED:
            raise ProofRefused(told)
        raise self.unavailable(f"it answered {told}; {self.needs}", permanent=True)


def _texts(body: bytes) -> dict[str, str]:
    """Return the texts of an XML answer by their elements' names, whatever the namespace."""
    from xml.etree import ElementTree as ET

    try:
        root = ET.fromstring(body)  # noqa: S314 - expat bounds entities, and only AWS is asked
    except (ET.ParseError, ValueError, LookupError):  # the last two: an encoding that expat does not know
        return {}
    return {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in root.iter()}
