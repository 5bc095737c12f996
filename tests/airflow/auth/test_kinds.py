"""The matrix: each kind of `auth`, from its issuer to an Airflow, with and without faults."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.key_vault import LocalKeyVault
from local.stand_ins.loopback_server import LoopbackServer
from shared.airflow.auth.aws import AwsRole
from shared.airflow.auth.source import token_source
from shared.airflow.client import AirflowClient
from shared.airflow.mwaa import MwaaTransport
from shared.airflow.transport import HeaderTransport, Transport
from shared.azure import credential
from shared.azure.credential import azure_credential
from shared.azure.key_vault import KeyVault
from shared.errors import CredentialError
from shared.rules import AwsAuth, Connection
from tests.support.aws_stub import Mwaa, Sts
from tests.support.delivery import client_for
from tests.support.token_kinds import KINDS, GuardedAirflow, Issuer, Kind, World

if TYPE_CHECKING:
    from tests.support.clocks import UnixClock
    from tests.support.endpoints import Watch


every = pytest.mark.parametrize("kind", KINDS, ids=str)
minted = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.minted], ids=str)
fixed = pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.minted], ids=str)


class Scene:
    """One kind: its source, its client, and its Airflow."""

    def __init__(
        self, kind: Kind, world: World, airflow: GuardedAirflow | Mwaa, transport: Transport[Any]
    ) -> None:
        self.kind = kind
        self.world = world
        self.airflow = airflow
        self.transport = transport
        self.client = AirflowClient(transport, "v2")

    def prove(self) -> object:
        """Return the credential, without a request to Airflow."""
        return self.transport._current()

    def ask(self) -> int | None:
        """Ask for a DAG, and return the status."""
        return self.client.get_dag("smoke_tests").status

    def hop(self) -> LoopbackServer:
        """Return the issuers of the kind."""
        hop: LoopbackServer = getattr(self.world, self.kind.hop)
        return hop


@pytest.fixture
def world(
    identity: IdentityEndpoint, vault: LocalKeyVault, watch: "Watch", clock: "UnixClock"
) -> Iterator[World]:
    """Issuers with secrets in the vault."""
    with Issuer(watch, clock) as issuer, Sts(watch, clock) as sts:
        world = World(identity, vault, issuer, sts, watch)
        world.prepare()
        yield world


@pytest.fixture
def scene(kind: Kind, world: World, key_vault: KeyVault, clock: "UnixClock") -> Iterator[Scene]:
    """The kind that the test is parametrised with; Airflow's own token endpoint is the issuer's."""
    guard: GuardedAirflow | Mwaa = GuardedAirflow(lambda value: kind.good(world, value))
    if kind.name == "aws":
        guard.stop()
        guard = Mwaa(world.sts, lambda value: kind.good(world, value))
    with guard as airflow:
        asks_airflow = kind.name in {"entra_exchange", "airflow", "oidc-exchange"}
        login = Connection.model_validate(
            {"name": "analytics", "url": world.issuer.url, "api": "v2", "auth": kind.auth(world)}
        )
        direct = login.model_copy(update={"url": airflow.url})
        if isinstance(aws := direct.auths[0], AwsAuth):
            role = AwsRole(direct, aws, credential=azure_credential, clock=clock)
            yield Scene(kind, world, airflow, MwaaTransport(direct, role))
            return
        source = token_source(
            login if asks_airflow else direct, secrets=key_vault, credential=azure_credential, clock=clock
        )
        yield Scene(kind, world, airflow, HeaderTransport(direct, source))


@every
def test_the_happy_path(scene: Scene) -> None:
    """Ten requests are accepted with one cached credential."""
    assert [scene.ask() for _ in range(10)] == [200] * 10
    assert len(set(scene.airflow.credentials)) == 1
    assert scene.world.issuer.count("POST") <= (2 if scene.kind.name in {"google", "oidc-exchange"} else 1)


@every
def test_expiry_in_mid_stream(scene: Scene, clock: "UnixClock") -> None:
    """A token is renewed before it expires, so that no request is refused for it."""
    scene.world.live(200)
    statuses = []
    for _ in range(12):
        statuses.append(scene.ask())
        clock.pass_by(50)
    assert statuses == [200] * 12
    credentials = len(set(scene.airflow.credentials))
    assert (2 <= credentials <= 5) if scene.kind.minted else (credentials == 1), credentials


@minted
def test_a_refused_token_is_renewed_once(scene: Scene) -> None:
    """If Airflow calls the token stale, a new one is fetched once, and the request is sent again."""
    scene.ask()
    scene.airflow.refused.add(scene.airflow.credentials[0])
    assert scene.ask() == 200
    assert len(scene.airflow.credentials) == 3
    assert len(set(scene.airflow.credentials)) == 2


@every
def test_refused_for_good(scene: Scene) -> None:
    """A request that Airflow always refuses is sent once more with another credential, never in a loop."""
    scene.airflow.good = lambda _: False
    assert [scene.ask(), scene.ask()] == [403, 403]
    assert len(scene.airflow.credentials) <= 4
    sent_twice = {
        credential
        for credential in scene.airflow.credentials
        if scene.airflow.credentials.count(credential) > 2
    }
    assert not sent_twice


@every
def test_throttled(scene: Scene, watch: "Watch", clock: "UnixClock") -> None:
    """429 of the issuer is a transient error, is cached for a while, and then the next fetch succeeds."""
    signed = scene.kind.hop == "vault"  # a vault sends a challenge first
    scene.hop().inject(
        429,
        {"error": "slow down"},
        times=2,
        when=lambda asked: not signed or "authorization" in asked.headers,
    )
    error = watch.refusal(scene.prove)
    assert not error.permanent
    asked = scene.hop().count()
    watch.refusal(scene.prove)
    assert scene.hop().count() == asked
    scene.hop().heal()
    clock.pass_by(30)
    if scene.kind.hop == "identity":
        forget_credentials()
    assert scene.ask() == 200


def forget_credentials() -> None:
    """Remove the error that azure-identity caches for some seconds of real time."""
    credential._credentials.clear()


@every
def test_the_endpoint_is_down(scene: Scene, watch: "Watch") -> None:
    """An endpoint that does not answer is a transient error with the hop's name, before Airflow is asked."""
    scene.hop().stop()
    error = watch.refusal(lambda: scene.client.get_dag("smoke_tests"))
    assert not error.permanent
    assert named(scene) in str(error)
    assert scene.airflow.credentials == []


def named(scene: Scene) -> str:
    """Return the hop's name in an error."""
    return "managed-identity endpoint" if scene.kind.hop == "identity" else scene.hop().url


@every
def test_a_running_token_outlives_an_outage(scene: Scene, clock: "UnixClock") -> None:
    """While the endpoint is down the old token is used until it expires."""
    scene.world.live(200)
    scene.ask()
    scene.hop().stop()
    clock.pass_by(170)
    assert scene.ask() == 200


@every
def test_a_rotated_secret_heals_within_one_request(scene: Scene) -> None:
    """After a refusal the new credential is read or fetched at once, and the request is accepted."""
    assert scene.ask() == 200
    scene.airflow.refused.add(scene.airflow.credentials[0])
    has_secret = any(key.endswith("_secret") for key in scene.kind.auth(scene.world))
    scene.world.rotate(key=not has_secret)
    assert scene.ask() == 200


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.name in {"airflow", "oidc-secret"}], ids=str)
def test_a_secret_that_stays_wrong_is_named(scene: Scene, watch: "Watch") -> None:
    """If the issuer refuses a secret that was read again, the error names it, never its value."""
    scene.world.issuer.password = scene.world.issuer.client_secret = "another-made-up-secret"
    error = watch.refusal(scene.prove)
    assert error.permanent
    assert "secret '" in str(error)
    assert scene.world.issuer.count("POST") == 1


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        (kind, remedy)
        for kind in KINDS
        for name, remedy in (
            ("entra_exchange", "has the app role"),
            ("oidc-federated", "federated credential"),
            ("oidc-exchange", "federated credential"),
            ("google", "takes that issuer, audience and subject"),
        )
        if kind.name == name
    ],
    ids=str,
)
def test_an_identity_that_is_not_trusted_is_told_the_remedy(
    scene: Scene, watch: "Watch", remedy: str
) -> None:
    """If the issuer refuses the managed identity, the error has the missing grant; nothing loops."""
    scene.world.issuer.trusts = False
    error = watch.refusal(scene.prove)
    assert error.permanent
    assert remedy in str(error)
    assert scene.world.issuer.count("POST") <= 2


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.name == "google"], ids=str)
@pytest.mark.parametrize(
    ("status", "permanent", "words"),
    [
        (403, True, "roles/iam.workloadIdentityUser"),
        (503, False, "answered 503"),
        (0, False, "reached"),
        (200, True, "not one of Google"),
    ],
)
def test_googles_second_hop(
    scene: Scene, watch: "Watch", status: int, words: str, *, permanent: bool
) -> None:
    """A refusal of the impersonation, a refusal of the exchange, and an outage have different errors."""
    scene.world.issuer.inject(status, {}, when=lambda request: request.path != "/sts", times=9)
    error = watch.refusal(scene.prove)
    assert error.permanent is permanent
    assert words in str(error)


@fixed
def test_a_missing_secret_is_named(scene: Scene, watch: "Watch") -> None:
    """A secret that is missing in the vault is a permanent error, which names it."""
    for name in ("password", "token"):
        scene.world.vault.delete(name)
    error = watch.refusal(scene.prove)
    assert error.permanent
    assert "no secret" in str(error)


def test_two_proofs_travel_in_two_headers(world: World, key_vault: KeyVault, clock: "UnixClock") -> None:
    """The proxy's credential has its own header; if Airflow refuses its own, only that one is renewed."""
    with GuardedAirflow(lambda value: value.startswith("Bearer ey")) as airflow:
        auth = [
            {"kind": "entra", "scope": "api://proxy/.default", "header": "X-Proxy-Authorization"},
            {"kind": "entra", "scope": "api://airflow/.default"},
        ]
        connection = Connection.model_validate(
            {"name": "analytics", "url": airflow.url, "api": "v2", "auth": auth}
        )
        source = token_source(connection, secrets=key_vault, credential=azure_credential, clock=clock)
        before = source.headers()
        assert set(before) == {"Authorization", "X-Proxy-Authorization"}
        airflow.refused.add(before["Authorization"])
        assert client_for(connection, source).get_dag("smoke_tests").status == 200
        after = source.headers()
        assert after["X-Proxy-Authorization"] == before["X-Proxy-Authorization"]
        assert after["Authorization"] != before["Authorization"]


def test_of_two_other_headers_the_second_is_airflows(world: World, key_vault: KeyVault) -> None:
    """If a proxy moves the header, the second credential is Airflow's and is renewed."""
    auth = [
        {"kind": "entra", "scope": "api://proxy/.default", "header": "X-One"},
        {"kind": "entra", "scope": "api://airflow/.default", "header": "X-Two"},
    ]
    connection = Connection.model_validate({"name": "a", "url": "https://airflow.example", "auth": auth})
    source = token_source(connection, secrets=key_vault, credential=azure_credential)
    before = source.headers()
    after = source.renew(before)
    assert (after["X-One"], after["X-Two"]) != (before["X-One"], before["X-Two"])
    assert after["X-One"] == before["X-One"]


def test_a_missing_extra_is_named(
    world: World, key_vault: KeyVault, watch: "Watch", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without google-auth the error names the missing extra."""
    google = next(kind for kind in KINDS if kind.name == "google")
    connection = Connection.model_validate(
        {"name": "a", "url": "https://composer.example", "auth": google.auth(world)}
    )
    source = token_source(connection, secrets=key_vault, credential=azure_credential)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    error = watch.refusal(source.headers)
    assert error.permanent
    assert "updraft[google]" in str(error)


def test_googles_first_hop_may_be_a_login_page(world: World, key_vault: KeyVault, watch: "Watch") -> None:
    """A login page in place of Google's response is a permanent error."""
    google = next(kind for kind in KINDS if kind.name == "google")
    connection = Connection.model_validate(
        {"name": "a", "url": "https://composer.example", "auth": google.auth(world)}
    )
    world.issuer.inject(200, "<html>Sign in</html>")
    source = token_source(connection, secrets=key_vault, credential=azure_credential)
    assert "a proxy may have answered" in str(watch.refusal(source.headers))


def test_a_token_with_a_lines_end_is_trimmed(world: World, key_vault: KeyVault, vault: LocalKeyVault) -> None:
    """A token that was pasted into the vault with a newline is a valid header."""
    vault.set("pasted", "made-up-token\n")
    auth = {"kind": "bearer", "token_secret": "pasted"}
    connection = Connection.model_validate({"name": "a", "url": "https://airflow.example", "auth": auth})
    source = token_source(connection, secrets=key_vault, credential=azure_credential)
    assert source.headers() == {"Authorization": "Bearer made-up-token"}


def test_many_cold_threads_cost_one_token(
    world: World, key_vault: KeyVault, together: Callable[[int, Callable[[], object]], list[object]]
) -> None:
    """Thirty-two threads that need a first token at one moment cost one request, through `headers` too."""
    auth = {"kind": "entra_exchange", "scope": "api://airflow/.default"}
    connection = Connection.model_validate({"name": "a", "url": world.issuer.url, "auth": auth})
    source = token_source(connection, secrets=key_vault, credential=azure_credential)
    results = together(32, lambda: source.headers()["Authorization"])
    assert not any(isinstance(result, CredentialError) for result in results)
    assert len(set(results)) == 1
    assert world.issuer.count("POST") == 1


def test_an_airflow_that_does_not_trust_the_client_is_told(
    world: World, key_vault: KeyVault, watch: "Watch"
) -> None:
    """The server's token is fetched again once; if it is refused again, the error names the client."""
    exchange = next(kind for kind in KINDS if kind.name == "oidc-exchange")
    connection = Connection.model_validate(
        {"name": "a", "url": world.issuer.url, "auth": exchange.auth(world)}
    )
    world.issuer.inject(403, {}, when=lambda request: request.path == "/auth/token", times=9)
    source = token_source(connection, secrets=key_vault, credential=azure_credential)
    error = watch.refusal(source.headers)
    assert error.permanent
    assert "jwt_federated_client_ids" in str(error)
    assert world.issuer.count("POST", "/auth/token") == 2
