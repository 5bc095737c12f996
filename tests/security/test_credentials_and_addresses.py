"""Our credentials go only to addresses of rules.yaml and of the application settings.

No answer moves them: no redirect, challenge or discovery document. This app calls no address that an event or
a request's header names.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import cycle, product
from typing import TYPE_CHECKING, Final

import pytest

from cli.publish.outgoing import read_outgoing
from cli.publish.topic import send
from local.paths import ROOT
from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.key_vault import LocalKeyVault
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request
from shared.admission.permit_blobs import PermitBlobs
from shared.airflow.client import AirflowClient
from shared.airflow.connect import transport_to
from shared.azure import credential as credentials
from shared.azure.credential import azure_credential
from shared.azure.key_vault import KeyVault
from shared.azure.storage_account import Storage
from shared.callers.signing_keys import SigningKeys
from shared.errors import KeysUnavailable, UpdraftError
from shared.rules import Connection
from shared.stores.window_blobs import WindowBlobs
from tests.support.attacks import LONG
from tests.support.aws_stub import Sts
from tests.support.http_app import AGENT, Caller
from tests.support.in_memory import InMemoryParking
from tests.support.token_kinds import KINDS, Issuer, Kind, World

if TYPE_CHECKING:
    from tests.support.clocks import UnixClock
    from tests.support.endpoints import Watch

REDIRECTS: Final = (300, 301, 302, 303, 307, 308)
EVENT: Final = read_outgoing(b'{"specversion": "1.0", "id": "1", "source": "/x", "type": "T"}')


class Sink(LoopbackServer):
    """Another server, which records every request and answers 2xx."""

    def __init__(self, certificates: Certificates | None = None) -> None:
        super().__init__(tls=certificates.server_context() if certificates else None)
        self.got: list[Request] = []

    def handle(self, request: Request) -> Reply:
        """Keep it."""
        self.got.append(request)
        return Reply(200, {"access_token": "made-up", "expires_in": 60, "value": "made-up", "id": "x"})


class Front(LoopbackServer):
    """A server of our configuration, with prepared responses."""

    reply = Reply(200, {})

    def __init__(self, certificates: Certificates) -> None:
        super().__init__(tls=certificates.server_context())
        self.got: list[Request] = []

    def handle(self, request: Request) -> Reply:
        """Keep the request, and answer."""
        self.got.append(request)
        return self.reply


@pytest.fixture
def elsewhere(certificates: Certificates) -> Iterator[tuple[Sink, Sink]]:
    """Two servers that no configuration names: over TLS with a certificate that we trust, and plain."""
    with Sink(certificates) as trusted, Sink() as plain:
        yield trusted, plain


@pytest.fixture
def front(vault: LocalKeyVault, certificates: Certificates) -> Iterator[Front]:
    """A server that we are configured to talk to, whose certificate we trust."""
    assert vault.url
    with Front(certificates) as server:
        yield server


def _targets(elsewhere: tuple[Sink, Sink]) -> list[str]:
    trusted, plain = elsewhere
    return [
        f"{trusted.url}/stolen",
        f"{plain.url}/stolen",
        f"//127.0.0.1:{trusted.port}/stolen",
        f"https://localhost:{trusted.port}/stolen",
        f"https://user:word@127.0.0.1:{trusted.port}/stolen",
    ]


def _redirects(elsewhere: tuple[Sink, Sink]) -> Iterator[tuple[int, str]]:
    """Yield each status with each target in `make attacks`, and otherwise each of them at least once."""
    targets = _targets(elsewhere)
    return product(REDIRECTS, targets) if LONG else zip(REDIRECTS, cycle(targets), strict=False)


def _storage(url: str) -> Storage:
    account = f"{url}/contoso"
    return Storage(
        {
            "AzureWebJobsStorage__blobServiceUri": account,
            "AzureWebJobsStorage__queueServiceUri": account,
        },
        azure_credential,
    )


def _permits(url: str) -> PermitBlobs:
    return PermitBlobs(lambda: f"{url}/contoso", azure_credential, name="analytics", places=2)


WAYS: Final[dict[str, Callable[[str], object]]] = {
    "queue: send": lambda url: _storage(url).queue("q").send_message("secret"),
    "queue: receive": lambda url: list(_storage(url).queue("q").receive_messages()),
    "queue: make": lambda url: _storage(url).queue("q").create_queue(),
    "blob: write": lambda url: _storage(url).container("c").upload_blob("b", b"secret", overwrite=True),
    "blob: read": lambda url: _storage(url).container("c").download_blob("b").readall(),
    "blob: list": lambda url: list(_storage(url).container("c").list_blobs()),
    "blob: delete": lambda url: _storage(url).container("c").delete_blob("b"),
    "window: conf": lambda url: WindowBlobs(_storage(url), InMemoryParking()).keep_conf("r", "w", {"a": 1}),
    "permits: look": lambda url: _permits(url).look(),
    "permits: acquire": lambda url: _permits(url).acquire(0),
    "vault": lambda url: KeyVault(url, azure_credential).get("airflow-password"),
    "topic": lambda url: send(EVENT, url),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_client_of_azure_follows_a_redirect(
    front: Front, elsewhere: tuple[Sink, Sink], identity: IdentityEndpoint, way: str
) -> None:
    """Neither the token nor the stored data is sent to another server, for any status."""
    assert identity.url
    for status, target in _redirects(elsewhere):
        front.reply = Reply(status, b"", {"Location": target})
        with suppress(Exception):
            WAYS[way](front.url)
    assert [sink.got for sink in elsewhere] == [[], []]
    assert front.got


@pytest.fixture
def hops(
    identity: IdentityEndpoint, vault: LocalKeyVault, watch: "Watch", clock: "UnixClock"
) -> Iterator[World]:
    """The issuers of the kinds of `auth`."""
    with Issuer(watch, clock) as issuer, Sts(watch, clock) as sts:
        world = World(identity, vault, issuer, sts, watch)
        world.prepare()
        yield world


SECRETS: Final = {"airflow", "oidc-secret", "bearer", "basic"}
"""The kinds that read a secret; the others ask the managed identity."""


@pytest.mark.parametrize(
    ("kind", "moved"),
    [
        pytest.param(kind, moved, id=f"{kind}-{moved}")
        for kind in KINDS
        for moved in sorted(
            {kind.hop, "airflow", "identity"} | ({"vault"} if kind.name in SECRETS else set())
        )
    ],
)
def test_no_proof_follows_a_redirect(
    hops: World, key_vault: KeyVault, front: Front, elsewhere: tuple[Sink, Sink], kind: Kind, moved: str
) -> None:
    """Every kind of `auth`, with each hop on its way that answers with a redirect; and Airflow itself."""
    hop: LoopbackServer = front if moved == "airflow" else getattr(hops, moved)
    auth = kind.auth(hops)
    at_issuer = kind.name in {"entra_exchange", "airflow", "oidc-exchange"}
    url = hops.issuer.url if at_issuer and moved != "airflow" else front.url
    for status, target in _redirects(elsewhere):
        front.reply = Reply(status, b"", {"Location": target})
        if hop is not front:
            hop.heal()
            hop.inject(status, headers={"Location": target}, times=99)
        connection = Connection.model_validate({"name": "analytics", "url": url, "api": "v2", "auth": auth})
        with suppress(UpdraftError):
            AirflowClient(transport_to(connection, key_vault), "v2").get_dag("smoke_tests")
        credentials._credentials.clear()
        for sink in elsewhere:
            assert sink.got == [], (status, sink.got[0].path)


CHALLENGES: Final = (
    "Bearer authorization_uri=https://SINK/tenant/oauth2/authorize resource_id=https://vault.azure.net",
    "Bearer authorization_uri=https://SINK/tenant/oauth2/authorize resource_id=api://airflow",
    "Bearer authorization_uri=https://SINK/tenant resource_id=https://storage.azure.com",
    'Bearer authorization="https://SINK/tenant", resource="https://storage.azure.com"',
    'Bearer authorization="https://SINK/tenant", resource="https://management.azure.com"',
    'Bearer authorization="https://SINK/tenant", resource="https://SINK"',
    'Bearer authorization="https://SINK/tenant", scope="api://airflow/.default"',
    'Bearer authorization="https://SINK/tenant", resource="https://1"',
    'Bearer realm="x", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="',
    'PoP realm="https://SINK"',
    "Basic",
    "Negotiate",
)


@pytest.mark.parametrize("way", WAYS)
def test_no_challenge_brings_another_token(
    front: Front, elsewhere: tuple[Sink, Sink], identity: IdentityEndpoint, way: str
) -> None:
    """An answer of 401 names a resource and an authority: neither is asked for a token or with one."""
    asked: list[str] = []
    handle = identity.handle

    def watched(request: Request) -> Reply:
        asked.append(request.query.get("resource", ""))
        return handle(request)

    identity.handle = watched  # type: ignore[method-assign] # what it is asked for
    trusted, _ = elsewhere
    own = {
        "vault": set(),  # the challenge names the vault's resource, which has to match its host
        "topic": {"https://eventgrid.azure.net"},
    }.get(way, {"https://storage.azure.com"})
    for challenge in CHALLENGES:
        credentials._credentials.clear()
        said = challenge.replace("SINK", f"127.0.0.1:{trusted.port}")
        front.reply = Reply(401, b"", {"WWW-Authenticate": said})
        with suppress(Exception):
            WAYS[way](front.url)
        assert [sink.got for sink in elsewhere] == [[], []], challenge
        assert set(asked) <= own, challenge


@pytest.mark.parametrize(
    "address",
    [
        "http://HOST",
        "HOST",
        "https://user@HOST",
        "https://contoso.example@HOST",
        "https://contoso.example\\@HOST",
        "https://HOST\\@contoso.example",
        "https://HOST?sig=1",
        "https://HOST#x",
        "https://HOST\n",
        "https://contoso\u200b.example",
        "https://",
    ],
)
def test_an_operators_address_is_read_in_one_way_or_refused(
    elsewhere: tuple[Sink, Sink], identity: IdentityEndpoint, address: str
) -> None:
    """A topic, a vault or an account that a command or a setting names: no client takes it for another."""
    assert identity.url
    trusted, _ = elsewhere
    url = address.replace("HOST", f"127.0.0.1:{trusted.port}")
    with pytest.raises(UpdraftError):
        send(EVENT, url)
    with pytest.raises(UpdraftError):
        KeyVault(url, azure_credential).get("name")
    if not address.startswith("http://"):  # Storage may be plain http, and gets no token then
        with pytest.raises(UpdraftError):
            _storage(url).container("c")
    assert trusted.got == []


@pytest.mark.parametrize("status", REDIRECTS)
def test_keys_come_from_the_authority_alone(front: Front, elsewhere: tuple[Sink, Sink], status: int) -> None:
    """Neither a redirect nor a `jwks_uri` brings another server's keys, however it is spelled."""
    trusted, plain = elsewhere
    own = f"127.0.0.1:{front.port}"
    spelled = [
        *_targets(elsewhere),
        f"https://{own}@127.0.0.1:{trusted.port}/keys",
        f"https://{own}\\@127.0.0.1:{trusted.port}/keys",
        f"https://127.0.0.1:{trusted.port}\\@{own}/keys",
        f"https://{own}.evil.example/keys",
        f"http://{own}/keys",
        f"https://localhost:{front.port}/keys",
        f"https://127.1:{front.port}/keys",
        f"https://127.0.0.1:{plain.port}#@{own}/keys",
        f"https://127.0.0.1:{trusted.port}?@{own}/keys",
        "file:///etc/passwd",
    ]
    for target in spelled:
        for reply in (Reply(status, b"", {"Location": target}), Reply(200, {"jwks_uri": target})):
            front.reply = reply
            front.got.clear()
            with pytest.raises(KeysUnavailable):
                SigningKeys(front.url, "tenant", issuers=()).key("kid")
            assert len(front.got) == 1, target
            assert front.got[0].path.endswith("/openid-configuration")
    assert [sink.got for sink in elsewhere] == [[], []]


MEMBERS: Final = (
    "url", "validationUrl", "validationCode", "callback", "callbackUrl", "dataschema", "schemaurl", "source",
    "subject", "topic", "blobUrl", "claim", "by_reference", "statuses_url", "target_url", "$ref", "jku",
)  # fmt: skip


def test_no_address_of_an_event_or_a_header_is_called(caller: Caller, elsewhere: tuple[Sink, Sink]) -> None:
    """No request follows an address in any member or header, also in the handshakes."""
    for target in _targets(elsewhere):
        data = dict.fromkeys(MEMBERS, target)
        event = {
            "specversion": "1.0",
            "id": "1",
            "type": "Shop.Opened",
            "source": "/shops/1",
            "subject": target,
            "dataschema": target.replace("user:word@", ""),
            "data": {
                "door": target,
                **data,
                "_updraft": {"by_reference": {"url": target, "members": ["door"]}},
            },
        }
        headers = {
            "WebHook_Request_Origin": "eventgrid.azure.net",
            "WebHook_Request_Callback": target,
            "Origin": target,
            "Referer": target,
            "X_Original_URL": target,
            "X_Forwarded_Host": target.partition("//")[2],
            "Link": f"<{target}>; rel=next",
        }
        token = caller.token(AGENT)
        kind = {"Content_Type": "application/cloudevents+json"}
        assert caller.post("events", token, event, **headers, **kind).status_code == 202
        caller.post("events", None, None, method="OPTIONS", **headers)
        validation = {
            "id": "2",
            "topic": target,
            "subject": "",
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": "2026-01-01T00:00:00Z",
            "dataVersion": "1",
            "data": {"validationCode": "x", "validationUrl": target},
        }
        for path in ("events", "hooks/azure-devops", "hooks/kudu", "hooks/acr", "hooks/github"):
            for body in ([validation], validation, data):
                caller.post(path, token, body, aeg_event_type="SubscriptionValidation", **headers)
        caller.start(body={"conf": {"site": target, **data}}, token=caller.token())
    assert [sink.got for sink in elsewhere] == [[], []]


def test_what_a_run_refers_to_is_read_by_its_name() -> None:
    """The helper for Airflow takes the blob's name as this app makes it, and no other form."""
    source = (ROOT / "for_airflow/src/updraft_airflow/whole_conf.py").read_text(encoding="utf-8")
    ((pattern),) = re.findall(r'_BLOB = re\.compile\(r"(.*)"\)', source)
    windows = WindowBlobs(_storage("https://contoso.example"), InMemoryParking(), container="updraft-windows")
    for rule in ("r", "refresh-reports", "a" * 63):
        url = windows.conf_url(rule, "0123456789abcdef" * 2)
        name = url.removeprefix("https://contoso.example/contoso/updraft-windows")
        assert re.fullmatch(pattern, name), url


def test_no_example_sends_a_token_to_an_address_of_a_conf() -> None:
    """The example DAGs name no credential: code that needs one is in the package, with its list."""
    for file in sorted((ROOT / "examples").rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        for word in (
            "Credential",
            "get_token",
            "from_blob_url",
            "Authorization",
            "requests.",
            "urlopen",
            "httpx",
        ):
            assert word not in text, (file.name, word)
