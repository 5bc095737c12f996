"""Fixtures: the loopback identity endpoint, Key Vault and token endpoint, and a watch on output.

Every test that uses one of the endpoints is checked at its end: no log record and no error text may hold a
secret, a token or a password that was used in it.
"""

import logging
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest

from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import Identity, IdentityEndpoint
from local.stand_ins.key_vault import LocalKeyVault
from local.stand_ins.lease_stub import LeaseStub
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request
from shared.azure.key_vault import KeyVault
from shared.errors import CredentialError
from shared.rules import Connection
from shared.values.json_text import Json
from tests.support.clocks import UnixClock
from tests.support.secret_watch import SecretWatch

JWT_KEY = (
    "the key that the made-up Airflow signs its tokens with, which is long enough for HS512 and then some"
)


class Watch:
    """Everything that was logged or raised in a test, and every secret that must not be in it."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.output: list[str] = []

    def refusal(self, call: Callable[[], object]) -> CredentialError:
        """Return the error that `call` has to raise, and keep all its text."""
        with pytest.raises(CredentialError) as caught:
            call()
        self.output += traceback.format_exception(caught.value)
        self.output.append(repr(caught.value))
        return caught.value

    def leaks(self) -> list[str]:
        """Return the texts that hold a secret."""
        return [text for text in self.output if any(secret in text for secret in self.secrets)]


class WatchedIdentity(IdentityEndpoint):
    """The identity endpoint, whose tokens are watched."""

    def __init__(self, watch: Watch, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock=clock)
        self._watch = watch
        watch.secrets.add(self.header)

    def issue(self, resource: str, identity: Identity | None = None, **claims: Json) -> str:
        """Issue a token and have it watched, as a whole and by its signature."""
        token = super().issue(resource, identity, **claims)
        self._watch.secrets |= {token, token.rpartition(".")[2]}
        return token


class WatchedVault(LocalKeyVault):
    """The vault, whose values are watched."""

    def __init__(self, watch: Watch, certificates: Certificates, identity: IdentityEndpoint) -> None:
        super().__init__(certificates, identity)
        self._watch = watch

    def set(self, name: str, value: str, *, expires_on: float | None = None, enabled: bool = True) -> str:
        """Set a value and have it watched."""
        if value:
            self._watch.secrets.add(value)
        return super().set(name, value, expires_on=expires_on, enabled=enabled)


class TokenEndpoint(LoopbackServer):
    """Airflow's `/auth/token`, as the Simple and the FAB auth manager answer it."""

    def __init__(self, watch: Watch, clock: Callable[[], float]) -> None:
        super().__init__()
        self.users: dict[str, str] = {}
        self.lifetime: float | None = 86_400.0
        self.skew = 0.0
        self._watch = watch
        self._clock = clock
        self._issued = 0

    def handle(self, request: Request) -> Reply:
        """Answer 201 with a token, or 401."""
        if (request.method, request.path) != ("POST", "/auth/token"):
            return Reply(405, {"detail": "Method Not Allowed"})
        body = request.json()
        assert isinstance(body, dict)
        if self.users.get(str(body["username"])) != body["password"]:
            return Reply(401, {"detail": "Invalid credentials"})
        self._issued += 1
        claims: dict[str, object] = {"sub": body["username"], "jti": self._issued}
        if self.lifetime is not None:
            now = self._clock() + self.skew
            claims |= {"iat": now, "exp": now + self.lifetime}
        token = jwt.encode(claims, JWT_KEY, algorithm="HS512")
        self._watch.secrets |= {token, token.rpartition(".")[2]}
        return Reply(201, {"access_token": token})


@pytest.fixture
def clock() -> UnixClock:
    """A clock that only the test moves."""
    return UnixClock()


@pytest.fixture
def watch(caplog: pytest.LogCaptureFixture, secret_watch: SecretWatch) -> Iterator[Watch]:
    """Watch the test, and fail it at its end if its output has a secret; later tests check it too."""
    caplog.set_level(logging.DEBUG)
    watch = Watch()
    secret_watch.collect(watch.secrets)
    yield watch
    for record in (*caplog.get_records("setup"), *caplog.get_records("call")):
        watch.output.append(record.getMessage())
        if record.exc_info:
            watch.output += traceback.format_exception(record.exc_info[1])
    assert watch.leaks() == []


@pytest.fixture
def identity(watch: Watch, clock: UnixClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityEndpoint]:
    """A running identity endpoint that the environment points at, and at nothing else of Azure's."""
    for name in os.environ:
        if name.startswith(("AZURE_", "WEBSITE_", "MSI_", "IDENTITY_", "IMDS_", "UPDRAFT_")):
            monkeypatch.delenv(name)
    with WatchedIdentity(watch, clock) as endpoint:
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
        yield endpoint


@pytest.fixture
def vault(
    watch: Watch, identity: IdentityEndpoint, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalKeyVault]:
    """A running vault whose certificate the environment trusts."""
    with WatchedVault(watch, certificates, identity) as vault:
        for name, value in vault.environment().items():
            monkeypatch.setenv(name, value)
        yield vault


@pytest.fixture
def airflow(watch: Watch, clock: UnixClock) -> Iterator[TokenEndpoint]:
    """A running token endpoint."""
    with TokenEndpoint(watch, clock) as endpoint:
        yield endpoint


@pytest.fixture
def leases(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[LeaseStub]:
    """A blob service that has a permit for everyone, named by the application settings."""
    for name, value in certificates.environment().items():
        monkeypatch.setenv(name, value)
    with LeaseStub(tls=certificates.server_context()) as stub:
        monkeypatch.setenv("AzureWebJobsStorage__blobServiceUri", stub.url)
        yield stub


@pytest.fixture
def key_vault(vault: LocalKeyVault, clock: UnixClock) -> KeyVault:
    """The product's Key Vault, on the stand-in."""
    from shared.azure.credential import azure_credential

    return KeyVault(vault.url, azure_credential, clock=clock, jitter=lambda: 0.5)


@pytest.fixture
def connect() -> Callable[..., Connection]:
    """Make a connection as rules.yaml would: `connect(url, kind=…, …)`."""

    def make(url: str, *, read_timeout: float = 10.0, **auth: str) -> Connection:
        return Connection.model_validate(
            {"name": "analytics", "url": url, "auth": auth, "read_timeout": read_timeout}
        )

    return make


@pytest.fixture
def together() -> Callable[[int, Callable[[], object]], list[object]]:
    """Run one call on many threads at the same moment; an error is returned like a result."""

    def run(threads: int, call: Callable[[], object]) -> list[object]:
        barrier = threading.Barrier(threads)

        def one() -> object:
            barrier.wait()
            try:
                return call()
            except CredentialError as exc:
                return exc

        with ThreadPoolExecutor(threads) as pool:
            return [future.result() for future in [pool.submit(one) for _ in range(threads)]]

    return run
