"""Key Vault's secrets over HTTPS on loopback: the requests of `azure-keyvault-secrets`, and the refusals.

`GET /secrets/{name}/{version}` behind the real challenge: 401 with `WWW-Authenticate` first, then a bearer
whose audience is this vault's resource
(https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret). The client checks that the
vault's host ends in the challenge's resource; the host is 127.0.0.1, so the resource is 0.0.1, and the
client's default check passes without a switch.
"""

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import jwt

from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request
from shared.values.json_text import JsonObject

_SECRET_SEGMENTS: Final = range(2, 4)
_MESSAGES: Final = {
    "ForbiddenByRbac": "Caller is not authorized to perform action on resource.",
    "AccessDenied": "The user, group or application does not have secrets get permission on key vault.",
    "ForbiddenByFirewall": "Client address is not authorized and caller is not a trusted service.",
    "SecretDisabled": "Operation get is not allowed on a disabled secret.",
}


@dataclass(frozen=True, slots=True)
class _Version:
    name: str
    version: str
    value: str = field(repr=False)
    enabled: bool = True
    expires_on: int | None = None
    created: int = 0


class LocalKeyVault(LoopbackServer):
    """A vault whose secrets are set in Python and read over HTTPS.

    Args:
        certificates: For TLS, which the client requires.
        identity: The signer of accepted tokens; tenant and audience are checked too.
        port: The port to listen on; 0 takes a free one.
    """

    def __init__(self, certificates: Certificates, identity: IdentityEndpoint, *, port: int = 0) -> None:
        super().__init__(tls=certificates.server_context(), port=port)
        self.resource = f"https://0.0.1:{self.port}"
        self.denial: str | None = None
        self._certificates = certificates
        self._identity = identity
        self._secrets: dict[str, dict[str, _Version]] = {}
        self._secrets_lock = threading.Lock()

    def environment(self) -> dict[str, str]:
        """Return the variables that make an app trust this vault's certificate."""
        return self._certificates.environment()

    def set(self, name: str, value: str, *, expires_on: float | None = None, enabled: bool = True) -> str:
        """Add a version of a secret, which becomes the current one.

        Args:
            name: The secret's name.
            value: Its value.
            expires_on: Unix seconds.
            enabled: False makes a read answer 403 SecretDisabled.

        Returns:
            The version's id.
        """
        version = secrets.token_hex(16)
        now = int(time.time())
        expires = None if expires_on is None else int(expires_on)
        with self._secrets_lock:
            versions = self._secrets.setdefault(name, {})
            versions[version] = _Version(name, version, value, enabled, expires, now)
        return version

    def disable(self, name: str) -> None:
        """Disable the current version."""
        with self._secrets_lock:
            current = self._current(name)
            self._secrets[name][current.version] = replace(current, enabled=False)

    def expire(self, name: str, at: float) -> None:
        """Set the expiry of the current version, in Unix seconds."""
        with self._secrets_lock:
            current = self._current(name)
            self._secrets[name][current.version] = replace(current, expires_on=int(at))

    def delete(self, name: str) -> None:
        """Delete the secret and all its versions."""
        with self._secrets_lock:
            del self._secrets[name]

    def deny(self, reason: str | None) -> None:
        """Answer every read with 403 and this inner code (`ForbiddenByRbac`, …) from now on; None ends it."""
        self.denial = reason

    def handle(self, request: Request) -> Reply:
        """Answer a read of a secret, or the challenge."""
        challenge = self._challenge(request.headers)
        if challenge is not None:
            return challenge
        if self.denial is not None:
            return _forbidden(self.denial)
        parts = request.path.strip("/").split("/")
        if request.method == "GET" and parts[0] == "secrets" and len(parts) in _SECRET_SEGMENTS:
            return self._read(*parts[1:])
        return _error(400, "BadParameter", "Only reads of a secret are here.")

    def _read(self, name: str, version: str = "") -> Reply:
        found = self._find(name, version)
        if found is None:
            message = f"A secret with (name/id) {name}/{version} was not found in this key vault."
            return _error(404, "SecretNotFound", message)
        return Reply(body=self._bundle(found)) if found.enabled else _forbidden("SecretDisabled")

    def _challenge(self, headers: Mapping[str, str]) -> Reply | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme == "Bearer":
            try:
                claims = self._identity.claims(token)
            except jwt.InvalidTokenError as exc:
                message = f"AKV10022: {type(exc).__name__}"
            else:
                if claims["aud"] == self.resource:
                    return None
                message = f"AKV10022: Invalid audience. Expected {self.resource}, found: {claims['aud']}."
        else:
            message = "AKV10000: Request is missing a Bearer or PoP token."
        authority = f"https://login.microsoftonline.com/{self._identity.tenant_id}"
        headers = {"WWW-Authenticate": f'Bearer authorization="{authority}", resource="{self.resource}"'}
        return _error(401, "Unauthorized", message, headers=headers)

    def _find(self, name: str, version: str) -> _Version | None:
        with self._secrets_lock:
            # Names are case-insensitive in a vault, versions are not.
            versions = next((v for n, v in self._secrets.items() if n.lower() == name.lower()), {})
            if version:
                return versions.get(version)
            return next(reversed(versions.values()), None)

    def _current(self, name: str) -> _Version:
        return next(reversed(self._secrets[name].values()))

    def _bundle(self, secret: _Version) -> JsonObject:
        attributes: JsonObject = {
            "enabled": secret.enabled,
            "created": secret.created,
            "updated": secret.created,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
        }
        if secret.expires_on is not None:
            attributes["exp"] = secret.expires_on
        return {
            "value": secret.value,
            "contentType": "text/plain",
            "id": f"{self.url}/secrets/{secret.name}/{secret.version}",
            "attributes": attributes,
            "tags": {},
        }


def _error(
    status: int,
    code: str,
    message: str,
    *,
    inner: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    error: JsonObject = {"code": code, "message": message}
    if inner is not None:
        error["innererror"] = {"code": inner}
    return Reply(status, {"error": error}, headers or {})


def _forbidden(inner: str) -> Reply:
    return _error(403, "Forbidden", _MESSAGES.get(inner, inner), inner=inner)
