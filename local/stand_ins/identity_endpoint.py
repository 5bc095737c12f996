"""App Service's managed-identity endpoint, and Entra's published keys, on loopback.

The unchanged `ManagedIdentityCredential` uses it: `GET /msi/token/?api-version=2019-08-01&resource=…`
with the secret of IDENTITY_HEADER, as in App Service
(https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference). The
tokens have Entra's form, signed by a key of this process; it also serves OpenID discovery and the key set, so
that a receiver can verify a token like Entra's.
"""

import base64
import hashlib
import secrets
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from local.stand_ins.loopback_server import LoopbackServer, Reply, Request
from shared.values.json_text import Json, JsonObject

TOKEN_PATH: Final = "/msi/token/"  # noqa: S105 - a path, as App Service's own
API_VERSION: Final = "2019-08-01"
DAY: Final = 86_400
_NO_SUCH_IDENTITY: Final = (
    "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
)


def _guid() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Identity:
    """A managed identity.

    Attributes:
        client_id: The application id (`appid` in v1 tokens, `azp` in v2 tokens).
        object_id: The service principal's object id (`oid`).
    """

    client_id: str = field(default_factory=_guid)
    object_id: str = field(default_factory=_guid)


@dataclass(frozen=True, slots=True)
class Audience:
    """The form of tokens for one resource.

    Attributes:
        version: 1 for issuer `https://sts.windows.net/<tenant>/` (Storage and Key Vault, and applications by
            default), 2 for issuer `https://login.microsoftonline.com/<tenant>/v2.0`.
        name: The `aud` claim; by default the requested resource. In version 2 tokens it is the application's
            client id.
        roles: The application roles granted to the identity.
    """

    version: Literal[1, 2] = 1
    name: str | None = None
    roles: Sequence[str] = ()


class IdentityEndpoint(LoopbackServer):
    """The endpoint with its identities; issues tokens for requests with the header's secret.

    Args:
        tenant_id: The Entra tenant's GUID; a new one by default.
        identity: The system-assigned identity; a new one by default.
        lifetime: Seconds for which a token is valid; 24 hours, as for managed identities.
        clock: Returns Unix seconds; tokens are issued at that time.
        port: The port to listen on; 0 takes a free one.
    """

    def __init__(
        self,
        *,
        tenant_id: str | None = None,
        identity: Identity | None = None,
        lifetime: float = DAY,
        clock: Callable[[], float] = time.time,
        port: int = 0,
    ) -> None:
        super().__init__(port=port)
        self.tenant_id = tenant_id or _guid()
        self.identity = identity or Identity()
        self.lifetime = lifetime
        self._clock = clock
        self.header = secrets.token_hex(16)
        self.issued: Counter[str] = Counter()
        self._assigned: dict[str, Identity] = {}
        self._audiences: dict[str, Audience] = {}
        self._key: rsa.RSAPrivateKey | None = None

    def environment(self) -> dict[str, str]:
        """Return the variables of this endpoint for an app, as App Service sets them."""
        return {"IDENTITY_ENDPOINT": self.url + TOKEN_PATH, "IDENTITY_HEADER": self.header}

    def assign(self, identity: Identity | None = None) -> Identity:
        """Add a user-assigned identity to the app, selected by its client id."""
        identity = identity or Identity()
        self._assigned[identity.client_id] = identity
        return identity

    def expose(self, resource: str, audience: Audience) -> None:
        """Set the form of tokens for `resource` (a scope without its `/.default`) from now on."""
        self._audiences[resource] = audience

    def issuer(self, version: Literal[1, 2] = 1) -> str:
        """Return the `iss` claim of the tokens of that version."""
        if version == 1:
            return f"https://sts.windows.net/{self.tenant_id}/"
        return f"https://login.microsoftonline.com/{self.tenant_id}/v2.0"

    def discovery_url(self, version: Literal[1, 2] = 1) -> str:
        """Return the address of the OpenID discovery document for that version's issuer."""
        return (
            f"{self.url}/{self.tenant_id}{'/v2.0' if version == 2 else ''}/.well-known/openid-configuration"
        )

    @property
    def jwks_url(self) -> str:
        """The address of the key set."""
        return f"{self.url}/{self.tenant_id}/discovery/v2.0/keys"

    def issue(self, resource: str, identity: Identity | None = None, **claims: Json) -> str:
        """Sign an access token for `resource`.

        Args:
            resource: The resource's URI, without `/.default`.
            identity: The token's identity; the system-assigned identity by default.
            claims: Claims to add or replace; None leaves one out. With `scp` it is a user's token, which does
                not have the `idtyp` of an application.

        Returns:
            The token in compact form.
        """
        identity = identity or self.identity
        audience = self._audiences.get(resource, Audience())
        now = int(self._clock())
        payload: dict[str, Any] = {
            "aud": audience.name or resource,
            "iss": self.issuer(audience.version),
            "iat": now,
            "nbf": now,
            "exp": now + int(self.lifetime),
            "tid": self.tenant_id,
            "oid": identity.object_id,
            "sub": identity.object_id,
            "idtyp": "app",
            "uti": secrets.token_urlsafe(16),
            "ver": f"{audience.version}.0",
            ("appid" if audience.version == 1 else "azp"): identity.client_id,
            ("appidacr" if audience.version == 1 else "azpacr"): "2",
        }
        if audience.roles:
            payload["roles"] = list(audience.roles)
        if "scp" in claims:
            del payload["idtyp"]
        payload |= claims
        payload = {name: value for name, value in payload.items() if value is not None}
        headers = {"kid": self.key_id, "x5t": self.key_id}
        return jwt.encode(payload, self._private_key, algorithm="RS256", headers=headers)

    def claims(self, token: str) -> JsonObject:
        """Return the claims of a token that this endpoint signed and that has not expired.

        Raises:
            jwt.InvalidTokenError: It is not such a token.
        """
        decoded: JsonObject = jwt.decode(
            token, self._private_key.public_key(), algorithms=["RS256"], options={"verify_aud": False}
        )
        return decoded

    @property
    def key_id(self) -> str:
        """The `kid` of the signing key."""
        numbers = self._private_key.public_key().public_numbers()
        digest = hashlib.sha256(numbers.n.to_bytes(256)).digest()[:20]
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def rotate_key(self) -> None:
        """Sign with a new key from now on; the old one is removed from the key set at once."""
        with self._lock:
            self._key = None

    @property
    def _private_key(self) -> rsa.RSAPrivateKey:
        with self._lock:
            if self._key is None:
                self._key = rsa.generate_private_key(65537, 2048)
            return self._key

    def handle(self, request: Request) -> Reply:
        """Answer a token request, or one for the discovery document or the key set."""
        if request.path.rstrip("/") == TOKEN_PATH.rstrip("/"):
            return self._token(request)
        if request.path.endswith("/discovery/v2.0/keys"):
            return Reply(body={"keys": [self._published_key()]})
        if request.path.endswith("/.well-known/openid-configuration"):
            return Reply(body=self._discovery(2 if "/v2.0/" in request.path else 1))
        return Reply(404, {"error": "not_found"})

    def _token(self, request: Request) -> Reply:
        if not secrets.compare_digest(request.headers.get("x-identity-header", ""), self.header):
            return _refused(401, "The X-IDENTITY-HEADER is missing or wrong.")
        if request.query.get("api-version") != API_VERSION:
            return _refused(400, f"The api-version has to be {API_VERSION}.")
        resource = request.query.get("resource", "")
        if not resource:
            return _refused(400, "The resource parameter is missing.")
        client_id = request.query.get("client_id")
        identity = self._assigned.get(client_id) if client_id else self.identity
        if client_id == self.identity.client_id:
            identity = self.identity
        if identity is None or {"mi_res_id", "object_id", "principal_id"} & request.query.keys():
            return _refused(400, _NO_SUCH_IDENTITY)
        with self._lock:
            self.issued[resource] += 1
        return Reply(
            body={
                "access_token": self.issue(resource, identity),
                "expires_on": str(int(self._clock() + self.lifetime)),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": identity.client_id,
            }
        )

    def _discovery(self, version: Literal[1, 2]) -> JsonObject:
        return {
            "issuer": self.issuer(version),
            "jwks_uri": self.jwks_url,
            "token_endpoint": f"{self.url}/{self.tenant_id}/oauth2/v2.0/token",
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _published_key(self) -> JsonObject:
        numbers = self._private_key.public_key().public_numbers()
        # Entra's entries have no `alg`; a verifier that requires one would fail in Azure.
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.key_id,
            "x5t": self.key_id,
            "n": base64.urlsafe_b64encode(numbers.n.to_bytes(256)).rstrip(b"=").decode(),
            "e": "AQAB",
        }


def _refused(status: int, message: str) -> Reply:
    return Reply(status, {"statusCode": status, "message": message, "correlationId": _guid()})
