"""Every kind of `auth`, with its services on loopback: issuers, refusals, rotations."""

import base64
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import jwt

from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.key_vault import LocalKeyVault
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request
from tests.support.aws_stub import AUDIENCE, ENVIRONMENT, REGION, ROLE, Sts

if TYPE_CHECKING:
    from tests.support.endpoints import Watch

SCOPE = "api://airflow/.default"
FEDERATION = "api://AzureADTokenExchange"
PROVIDER = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/azure/providers/updraft"
ACCOUNT = "updraft@contoso.iam.gserviceaccount.com"
_KEY = "the key that the made-up issuer signs its tokens with, which is long enough for HS512 and then some"


class Issuer(LoopbackServer):
    """Token endpoints: Airflow's login and exchange, an OAuth 2 server's, and Google's two hops."""

    def __init__(self, watch: "Watch", clock: Callable[[], float]) -> None:
        super().__init__()
        self.lifetime = 3_600.0
        self.password = "made-up-password-1"
        self.client_secret = "made-up-client-secret-1"
        self.audience = "api://airflow"
        self.trusts = True
        self._watch = watch
        self._clock = clock
        self._issued: list[str] = []
        watch.secrets |= {self.password, self.client_secret}

    def handle(self, request: Request) -> Reply:
        """Answer as the endpoint at that path does."""
        if request.path == "/auth/token":
            return self._airflow(request)
        if request.path == "/oauth/token":
            return self._oauth(dict(urllib.parse.parse_qsl(request.body.decode())))
        if request.path == "/sts":
            return self._google_sts(dict(urllib.parse.parse_qsl(request.body.decode())))
        if request.path.endswith(":generateAccessToken"):
            return self._google_iam(request)
        return Reply(404, {"detail": "Not Found"})

    def issued(self, token: str) -> bool:
        """Return whether a token was issued here."""
        return token in self._issued

    def token(self) -> str:
        """Issue one."""
        now = self._clock()
        claims = {"jti": len(self._issued), "iat": now, "exp": now + self.lifetime}
        token = jwt.encode(claims, _KEY, algorithm="HS512")
        self._issued.append(token)
        self._watch.secrets |= {token, token.rpartition(".")[2]}
        return token

    def _is_identitys(self, token: object, audience: str) -> bool:
        if not self.trusts or not isinstance(token, str) or token not in self._watch.secrets:
            return False
        claims = jwt.decode(token, options={"verify_signature": False})
        return bool(claims["aud"] == audience)

    def _airflow(self, request: Request) -> Reply:
        body = request.json()
        assert isinstance(body, dict)
        if "assertion" in body:
            assert body["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
            assertion = body["assertion"]
            good = assertion in self._issued or self._is_identitys(assertion, self.audience)
        else:
            good = body == {"username": "updraft", "password": self.password}
        return (
            Reply(201, {"access_token": self.token()})
            if good
            else Reply(401, {"detail": "Invalid credentials"})
        )

    def _oauth(self, form: dict[str, str]) -> Reply:
        assert form["grant_type"] == "client_credentials"
        assert form["client_id"] == "updraft"
        if "client_assertion" in form:
            assert form["client_assertion_type"].endswith(":client-assertion-type:jwt-bearer")
            good = self._is_identitys(form["client_assertion"], FEDERATION)
        else:
            good = form["client_secret"] == self.client_secret
        if not good:
            return Reply(400, {"error": "invalid_client", "error_description": str(form)})
        return Reply(200, {"access_token": self.token(), "expires_in": self.lifetime, "token_type": "Bearer"})

    def _google_sts(self, form: dict[str, str]) -> Reply:
        assert form["audience"] == PROVIDER
        assert form["subject_token_type"] == "urn:ietf:params:oauth:token-type:jwt"
        if not self._is_identitys(form["subject_token"], "api://google"):
            return Reply(400, {"error": "invalid_grant", "error_description": str(form)})
        return Reply(
            200,
            {
                "access_token": self.token(),
                "expires_in": 3_600,
                "token_type": "Bearer",
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            },
        )

    def _google_iam(self, request: Request) -> Reply:
        scheme, _, token = request.headers["authorization"].partition(" ")
        if scheme != "Bearer" or token not in self._issued:
            return Reply(401, {"error": {"code": 401, "status": "UNAUTHENTICATED"}})
        assert f"serviceAccounts/{ACCOUNT}:" in urllib.parse.unquote(request.path)
        until = datetime.fromtimestamp(self._clock() + self.lifetime, UTC)
        return Reply(200, {"accessToken": self.token(), "expireTime": f"{until:%Y-%m-%dT%H:%M:%SZ}"})


class GuardedAirflow(LoopbackServer):
    """An Airflow that accepts a valid credential, and answers any other like Airflow 3 a stale token.

    Attributes:
        good: Returns whether a value of the header is valid.
        refused: Values that are not accepted any more.
        credentials: The values that came, in order.
        header: Where it looks.
    """

    def __init__(self, good: Callable[[str], bool], header: str = "authorization") -> None:
        super().__init__()
        self.good = good
        self.header = header
        self.refused: set[str] = set()
        self.credentials: list[str] = []

    def handle(self, request: Request) -> Reply:
        """Answer about a DAG."""
        value = request.headers.get(self.header, "")
        self.credentials.append(value)
        if value in self.refused:
            return Reply(401, {"detail": "Token Expired"})
        if not self.good(value):
            return Reply(403, {"detail": "Invalid JWT token"})
        if request.path.endswith("/version"):
            return Reply(200, {"version": "3.3.2", "git_version": None})
        return Reply(200, {"dag_id": "smoke_tests", "is_paused": False})


@dataclass
class World:
    """Everything that a kind may need."""

    identity: IdentityEndpoint
    vault: LocalKeyVault
    issuer: Issuer
    sts: Sts
    watch: "Watch"
    token: str = "made-up-deployment-token-1"

    def prepare(self) -> None:
        """Put the secrets of the kinds into the vault, with the line ends that files and shells add."""
        self.watch.secrets.add(self.token)
        self.vault.set("password", f"{self.issuer.password}\r\n")
        self.vault.set("client-secret", f"\ufeff{self.issuer.client_secret}\n")
        self.vault.set("token", f" {self.token}\n")

    def live(self, seconds: float) -> None:
        """Let every token from now on live this long."""
        self.identity.lifetime = int(seconds)
        self.issuer.lifetime = self.sts.lifetime = seconds

    def rotate(self, *, key: bool) -> None:
        """Change every secret, at its issuer and in the vault, or instead the identity's signing key."""
        if key:
            self.identity.rotate_key()
            return
        self.issuer.password = "made-up-password-2"
        self.issuer.client_secret = "made-up-client-secret-2"
        self.token = "made-up-deployment-token-2"
        self.prepare()

    def basic(self) -> str:
        """Return the only good value for `kind: basic`."""
        return "Basic " + base64.b64encode(f"updraft:{self.issuer.password}".encode()).decode()


@dataclass(frozen=True)
class Kind:
    """One kind of `auth`.

    Attributes:
        name: The name in tests.
        auth: The `auth` of rules.yaml.
        hop: What it depends on: `identity`, `issuer`, `sts` or `vault`.
        good: Returns whether a value of the header is valid.
        minted: Whether each renewal returns another value.
        grants: Requests to the issuer for one token.
    """

    name: str
    auth: Callable[[World], dict[str, object]]
    hop: str
    good: Callable[[World, str], bool]
    minted: bool = True

    def __str__(self) -> str:
        return self.name


def _by_identity(world: World, value: str) -> bool:
    return value.removeprefix("Bearer ") in world.watch.secrets


def _by_issuer(world: World, value: str) -> bool:
    return world.issuer.issued(value.removeprefix("Bearer "))


KINDS = (
    Kind("entra", lambda _: {"kind": "entra", "scope": SCOPE}, "identity", _by_identity),
    Kind("entra_exchange", lambda _: {"kind": "entra_exchange", "scope": SCOPE}, "issuer", _by_issuer),
    Kind(
        "airflow",
        lambda _: {"kind": "airflow", "username": "updraft", "password_secret": "password"},
        "issuer",
        _by_issuer,
    ),
    Kind(
        "oidc-federated",
        lambda world: {
            "kind": "oidc",
            "token_url": f"{world.issuer.url}/oauth/token",
            "client_id": "updraft",
            "scope": "airflow",
        },
        "issuer",
        _by_issuer,
    ),
    Kind(
        "oidc-exchange",
        lambda world: {
            "kind": "oidc",
            "token_url": f"{world.issuer.url}/oauth/token",
            "client_id": "updraft",
            "exchange": True,
        },
        "issuer",
        _by_issuer,
    ),
    Kind(
        "oidc-secret",
        lambda world: {
            "kind": "oidc",
            "token_url": f"{world.issuer.url}/oauth/token",
            "client_id": "updraft",
            "client_secret_secret": "client-secret",
        },
        "issuer",
        _by_issuer,
    ),
    Kind(
        "bearer",
        lambda _: {"kind": "bearer", "token_secret": "token"},
        "vault",
        lambda world, value: value == f"Bearer {world.token}",
        minted=False,
    ),
    Kind(
        "basic",
        lambda _: {"kind": "basic", "username": "updraft", "password_secret": "password"},
        "vault",
        lambda world, value: value == world.basic(),
        minted=False,
    ),
    Kind(
        "aws",
        lambda world: {
            "kind": "aws",
            "environment": ENVIRONMENT,
            "region": REGION,
            "role_arn": ROLE,
            "scope": f"{AUDIENCE}/.default",
            "sts_url": world.sts.url,
        },
        "sts",
        lambda world, value: value in world.sts.secrets,
    ),
    Kind(
        "google",
        lambda world: {
            "kind": "google",
            "audience": PROVIDER,
            "service_account": ACCOUNT,
            "scope": "api://google/.default",
            "sts_url": f"{world.issuer.url}/sts",
            "iam_url": world.issuer.url,
        },
        "issuer",
        _by_issuer,
    ),
)
