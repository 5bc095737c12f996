"""Attacks by addresses in events, headers or tokens: no request is sent to them."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

import shared.app
from local.functions_host.host import Host
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.loopback_server import LoopbackServer, Reply, Request
from tests.support.functions_host import running_host
from tests.support.paths import ROOT

QUEUES = ("event_queue", "event_queue_poison", "parked_queue", "parked_queue_poison")
RULES = """
connections:
  stub: {url: "%UPDRAFT_AIRFLOW_URL%", auth: {kind: entra, scope: "api://airflow/.default"}}
rules:
  - name: everything
    when: {types: ["*"]}
    start: {dag: smoke_tests, conf: {data: "{{ data }}"}}
"""
pytestmark = pytest.mark.slow


class Sink(LoopbackServer):
    """A host of the attacker's; each request that it sees is one that the app was made to send."""

    def handle(self, request: Request) -> Reply:
        """Answer anything."""
        return Reply(200, {"validationResponse": "x", "keys": []})


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A running one."""
    with Sink() as running:
        yield running


@pytest.fixture
def app(
    stub: AirflowStub, identity: object, leases: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Host]:
    """The app in a host, with a rule that takes every event."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    shared.app.start_anew()
    monkeypatch.setenv("UPDRAFT_RULES", str(rules))
    monkeypatch.setenv("UPDRAFT_AIRFLOW_URL", stub.url)
    for function in QUEUES:
        monkeypatch.setenv(f"AzureWebJobs.{function}.Disabled", "true")
    with running_host(ROOT) as host:
        yield host
    shared.app.start_anew()


def hostile_events(url: str) -> list[dict[str, object]]:
    """Return events that name an address wherever a reader might follow one."""
    storage = {"api": "PutBlob", "url": f"{url}/blob", "contentLength": 1, "sequencer": "1", "blobUrl": url}
    cloud = {
        "specversion": "1.0",
        "id": "c",
        "source": url,
        "type": "Shop.Done",
        "time": "2026-03-01T10:00:00Z",
    }
    grid = {
        "eventTime": "2026-03-01T10:00:00Z",
        "dataVersion": "1",
        "metadataVersion": "1",
        "subject": url,
        "topic": url,
    }
    return [
        {
            **cloud,
            "dataschema": f"{url}/schema",
            "dataref": f"{url}/data",
            "traceparent": url,
            "data": {"$ref": url},
        },
        {
            **cloud,
            "id": "d",
            "datacontenttype": f"text/html; x={url}",
            "data": f'<!DOCTYPE x SYSTEM "{url}">',
        },
        {
            **cloud,
            "id": "e",
            "data": {"callback": url, "_updraft": {"by_reference": {"url": url}, "callback": url}},
        },
        {**grid, "id": "1", "eventType": "Microsoft.Storage.BlobCreated", "data": storage},
        {
            **grid,
            "id": "2",
            "eventType": "Microsoft.ContainerRegistry.ImagePushed",
            "data": {"request": {"host": url}},
        },
        {
            **grid,
            "id": "3",
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "data": {"validationCode": "made-up", "validationUrl": f"{url}/validate"},
        },
    ]


HEADERS = ("WebHook-Request-Callback", "WebHook-Request-Origin", "Origin", "Referer",
           "X-Original-URL", "Forwarded", "X-Forwarded-Host", "Link",
           "ce-dataref", "ce-source", "Content-Location")  # fmt: skip


@pytest.mark.parametrize("kind", ["Notification", "SubscriptionValidation", "SubscriptionDeletion", "Other"])
@pytest.mark.parametrize("function", ["event_grid", "app_service"])
def test_no_address_of_an_event_is_asked(
    app: Host, sink: Sink, stub: AirflowStub, function: str, kind: str
) -> None:
    """No request follows any body at Event Grid's webhook, with any header that names a host."""
    for event in hostile_events(sink.url):
        requests.post(
            f"{app.url}/runtime/webhooks/EventGrid",
            params={"functionName": function},
            headers={"aeg-event-type": kind, **dict.fromkeys(HEADERS, sink.url)},
            json=event if "specversion" in event else [event],
            timeout=30,
        )
    requests.options(
        f"{app.url}/runtime/webhooks/EventGrid",
        params={"functionName": function},
        headers=dict.fromkeys(HEADERS, sink.url),
        timeout=30,
    )
    assert sink.seen == ()
    if kind == "Notification":
        assert len(stub.runs) >= 4  # the events were taken, so that their addresses were there to follow


def unsigned(header: dict[str, object], claims: dict[str, object]) -> str:
    """Return a token with these parts and a made-up signature."""
    parts = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)
    )
    return ".".join((*parts, "AAAA"))


@pytest.mark.parametrize("path", ["api/dags/smoke_tests/runs", "api/events", "api/outcomes", "api/health"])
@pytest.mark.parametrize("member", ["jku", "x5u", "kid", "url", "iss"])
def test_no_address_of_a_token_is_asked(app: Host, sink: Sink, path: str, member: str) -> None:
    """A token cannot choose the address of its key, in its header or by its issuer."""
    header: dict[str, object] = {"alg": "RS256", "typ": "JWT", "kid": "k"}
    claims: dict[str, object] = {
        "iss": sink.url,
        "aud": "api://updraft",
        "exp": 4_000_000_000,
        "_claim_names": {},
    }
    token = unsigned(header | {member: f"{sink.url}/keys"}, claims)
    for method in ("GET", "POST", "OPTIONS"):
        requests.request(
            method,
            f"{app.url}/{path}",
            headers={"Authorization": f"Bearer {token}", **dict.fromkeys(HEADERS, sink.url)},
            json={"conf": {"url": sink.url}, "callback": sink.url} if method == "POST" else None,
            timeout=30,
        )
    assert sink.seen == ()
