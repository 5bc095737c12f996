"""An Entra-like issuer on loopback for the verifier's tests; it signs any claims."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

TENANT = "11111111-1111-4111-8111-111111111111"
CLIENT = "22222222-2222-4222-8222-222222222222"
OBJECT = "33333333-3333-4333-8333-333333333333"
APP = "44444444-4444-4444-8444-444444444444"
URI = "api://airflow"
ROLE = "Airflow.Trigger"
V1 = f"https://sts.windows.net/{TENANT}/"
V2 = f"https://login.microsoftonline.com/{TENANT}/v2.0"


@cache
def key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Make the key of that name, once a process."""
    return rsa.generate_private_key(65537, bits)


def claims(version: int = 2, **changes: Any) -> dict[str, Any]:
    """Give the claims of a good token; a change to None leaves the claim out."""
    now = int(time.time())
    good: dict[str, Any] = {
        "aud": CLIENT if version == 2 else URI,
        "iss": V2 if version == 2 else V1,
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "tid": TENANT,
        "oid": OBJECT,
        "sub": OBJECT,
        "roles": [ROLE],
        "azp" if version == 2 else "appid": APP,
    } | changes
    return {name: value for name, value in good.items() if value is not None}


def sign(
    payload: Mapping[str, Any],
    *,
    kid: str | None = "first",
    signed_by: str | None = None,
    headers: Mapping[str, Any] | None = None,
) -> str:
    """Sign with RS256; the key's name is the kid unless said otherwise."""
    header = dict(headers or {}) | ({"kid": kid} if kid is not None else {})
    # Not jwt.encode: it refuses to write the nonsense that a verifier has to withstand
    signing_key = key(signed_by or kid or "first")
    return jwt.api_jws.encode(json.dumps(dict(payload)).encode(), signing_key, "RS256", headers=header)


def published(name: str, **changes: Any) -> dict[str, Any]:
    """Give a key's entry in the key set, shaped like Entra's: no `alg`."""
    public = RSAAlgorithm.to_jwk(key(name).public_key(), as_dict=True)
    entry = {"kty": "RSA", "use": "sig", "kid": name, "n": public["n"], "e": public["e"]}
    return {member: value for member, value in (entry | changes).items() if value is not None}


class Issuer(ThreadingHTTPServer):
    """Serves the discovery document and the key set; both can be replaced, and made to fail."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.entries: list[Any] = [published("first")]
        self.keys_url = f"{self.url}/keys"
        self.status = 200
        self.raw: bytes | None = None
        self.delay = 0.0
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Issuer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        time.sleep(self.server.delay)
        document: dict[str, Any] = {"jwks_uri": self.server.keys_url}
        if self.path == "/keys":
            document = {"keys": self.server.entries}
        body = json.dumps(document).encode() if self.server.raw is None else self.server.raw
        self.send_response(self.server.status)
        self.send_header("Location", f"{self.server.url}/keys")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # the caller has given up, as some tests want
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """Serve until the block ends."""
    with Issuer() as issuer:
        thread = threading.Thread(target=issuer.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield issuer
        finally:
            issuer.shutdown()
            thread.join()
