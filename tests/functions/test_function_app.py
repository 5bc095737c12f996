"""The app at the root, run by Microsoft's runtime in the local host, over its HTTP endpoints."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

import shared.app
from local.functions_host.host import Host
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.identity_endpoint import IdentityEndpoint
from shared.version import VERSION
from tests.support.functions_host import running_host
from tests.support.paths import ROOT

OK = {"condition": "ok"}
QUEUE_FUNCTIONS = ("event_queue", "event_queue_poison", "parked_queue", "parked_queue_poison")
RULES = """
connections:
  stub: {url: "%UPDRAFT_AIRFLOW_URL%", auth: {kind: entra, scope: "api://airflow/.default"}}
rules:
  - name: smoke
    when:
      types: [Microsoft.Web.SlotSwapCompleted]
      filter: [{operatorType: StringIn, key: data.targetSlot, values: [production]}]
    start: {dag: smoke_tests, conf: {site: "{{ app.site }}"}}
callers:
  - {name: operator, role: Status.Read, status: true}
"""
SWAP: dict[str, Any] = {
    "id": "7c5d6de5-eb70-4de2-b788-c52a544e68b8",
    "topic": "/subscriptions/0/resourceGroups/shop/providers/Microsoft.Web/sites/shop",
    "subject": "/Microsoft.Web/sites/shop",
    "eventType": "Microsoft.Web.SlotSwapCompleted",
    "eventTime": "2026-01-28T18:26:51.7194887Z",
    "data": {"name": "shop", "appEventTypeDetail": None, "sourceSlot": "staging", "targetSlot": "production"},
    "dataVersion": "1",
    "metadataVersion": "1",
}
SWAP_AS_CLOUD_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": SWAP["id"],
    "source": SWAP["topic"],
    "subject": SWAP["subject"],
    "type": SWAP["eventType"],
    "time": SWAP["eventTime"],
    "data": SWAP["data"],
}


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    """The rules file of these tests."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path


@contextmanager
def hosted(monkeypatch: pytest.MonkeyPatch, rules_file: Path, **settings: str) -> Iterator[Host]:
    """Run the app like a new process with these settings."""
    shared.app.start_anew()
    monkeypatch.setenv("UPDRAFT_RULES", str(rules_file))
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for function in QUEUE_FUNCTIONS:
        monkeypatch.setenv(f"AzureWebJobs.{function}.Disabled", "true")
    with running_host(ROOT) as host:
        yield host
    shared.app.start_anew()


@pytest.fixture
def host(
    stub: AirflowStub,
    identity: IdentityEndpoint,
    leases: object,
    rules_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Host]:
    """The app in a host without queue listeners."""
    settings = {
        "UPDRAFT_AIRFLOW_URL": stub.url,
        "UPDRAFT_TENANT_ID": identity.tenant_id,
        "UPDRAFT_AUDIENCE": "api://updraft",
        "UPDRAFT_AUTHORITY": identity.url,
    }
    with hosted(monkeypatch, rules_file, **settings) as host:
        yield host


def deliver(host: Host, function: str, *events: dict[str, Any]) -> int:
    """Deliver events like Event Grid, and return the status."""
    answer = requests.post(
        f"{host.url}/runtime/webhooks/EventGrid",
        params={"functionName": function},
        headers={"aeg-event-type": "Notification"},
        json=list(events),
        timeout=30,
    )
    return answer.status_code


def test_the_deployed_surface_is_pinned(host: Host) -> None:
    """The app has these functions, with these triggers, routes, queues and authorisation levels."""
    surface = {
        name: {
            key: value
            for key, value in function.trigger.items()
            if key in {"type", "queueName", "connection", "route", "methods", "authLevel"}
        }
        for name, function in host.worker.functions.items()
    }
    queue = {"type": "queueTrigger", "connection": "AzureWebJobsStorage"}
    http = {"type": "httpTrigger", "methods": ["POST"], "authLevel": "ANONYMOUS"}
    assert surface == {
        "app_service": {"type": "eventGridTrigger"},
        "event_grid": {"type": "eventGridTrigger"},
        "event_queue": {**queue, "queueName": "updraft-events"},
        "event_queue_poison": {**queue, "queueName": "updraft-events-poison"},
        "parked_queue": {**queue, "queueName": "updraft-parked"},
        "parked_queue_poison": {**queue, "queueName": "updraft-parked-poison"},
        "events": {**http, "route": "events", "methods": ["POST", "OPTIONS"]},
        "run_reports": {**http, "route": "outcomes"},
        "runs": {**http, "route": "dags/{dag_id}/runs"},
        "health": {**http, "route": "health", "methods": ["GET"]},
        "status": {**http, "route": "status", "methods": ["GET"]},
    }


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ({}, set()),
        ({"UPDRAFT_GITHUB_SECRET": "github"}, {"github"}),
        ({"UPDRAFT_HOOKS": "kudu, Azure-DevOps"}, {"kudu", "azure-devops"}),
        ({"UPDRAFT_HOOKS": "acr", "UPDRAFT_GITHUB_SECRET": "github"}, {"acr", "github"}),
        ({"UPDRAFT_HOOKS": "kudo acr github * %2a"}, {"acr"}),
    ],
)
def test_each_hook_that_is_switched_on_is_a_function_of_its_own(
    monkeypatch: pytest.MonkeyPatch, rules_file: Path, settings: dict[str, str], kinds: set[str]
) -> None:
    """Each kind has its own route, function and key; one that is not switched on does not exist."""
    with hosted(monkeypatch, rules_file, **settings) as host:
        hooks = {
            name: (function.trigger["route"], function.trigger["authLevel"])
            for name, function in host.worker.functions.items()
            if name.startswith("hook")
        }
        assert hooks == {f"hook_{kind.replace('-', '_')}": (f"hooks/{kind}", "FUNCTION") for kind in kinds}
        for kind in {"acr", "azure-devops", "github", "kudu"} - kinds:
            assert requests.post(f"{host.url}/api/hooks/{kind}", json={}, timeout=30).status_code == 404


def test_a_mistake_in_the_hooks_is_named_and_stops_nothing_else(
    host: Host,
    stub: AirflowStub,
    monkeypatch: pytest.MonkeyPatch,
    rules_file: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Events are handled; health is `degraded`, and the log names the setting and its values."""
    del host
    settings = {"UPDRAFT_AIRFLOW_URL": stub.url, "UPDRAFT_HOOKS": "kudo"}
    with hosted(monkeypatch, rules_file, **settings) as other, caplog.at_level(logging.ERROR):
        assert deliver(other, "app_service", SWAP) == 202
        health = requests.get(f"{other.url}/api/health", timeout=30)
    assert len(stub.runs) == 1
    assert (health.status_code, health.json()) == (200, {"status": "degraded"})
    assert "UPDRAFT_HOOKS names 'kudo'" in caplog.text
    assert "acr, azure-devops, kudu" in caplog.text


@pytest.mark.parametrize("function", ["app_service", "event_grid"])
@pytest.mark.parametrize("event", [SWAP, SWAP_AS_CLOUD_EVENT], ids=["Event Grid schema", "CloudEvents"])
def test_an_event_starts_one_run_however_often_it_comes(
    host: Host, stub: AirflowStub, function: str, event: dict[str, Any]
) -> None:
    """A slot swap in either schema starts the run, and its second delivery, in the other one, does not."""
    assert deliver(host, function, event) == 202
    assert deliver(host, function, SWAP, SWAP_AS_CLOUD_EVENT) == 202
    ((dag, run_id),) = stub.runs
    assert dag == "smoke_tests"
    assert run_id.startswith("smoke__7c5d6de5-eb70-4de2-b788-c52a544e68b8__")
    conf = stub.runs[dag, run_id]["conf"]
    assert isinstance(conf, dict)
    assert conf["site"] == "shop"


def test_an_event_that_no_rule_wants_is_acknowledged(host: Host, stub: AirflowStub) -> None:
    """An event that matches no rule gets 202, so that Event Grid does not send it again."""
    assert deliver(host, "event_grid", SWAP | {"eventType": "Microsoft.Web.SlotSwapStarted"}) == 202
    assert not stub.runs


def test_health_is_one_word(host: Host) -> None:
    """Health answers 200 with `ok` while Airflow answers, whatever has been delivered."""
    deliver(host, "app_service", SWAP)
    assert health(host) == (200, {"status": "ok"})


def test_the_status_says_what_is_in_force(host: Host, identity: IdentityEndpoint) -> None:
    """A caller with the permission reads version, rules, connections and counts that balance."""
    deliver(host, "app_service", SWAP)
    status = read_status(host, identity)
    outcome_counts = status.pop("counts")
    assert status == {"status": "ok", "version": VERSION, "rules": 1, "connections": {"stub": OK}}
    assert outcome_counts["balances"] is True
    assert outcome_counts["rules"]["smoke"]["started"] == 1


def test_before_the_first_event_nothing_is_known(host: Host, identity: IdentityEndpoint) -> None:
    """A connection that no event needed yet is neither well nor out of order."""
    status = read_status(host, identity)
    assert (status["status"], status["connections"]) == ("ok", {"stub": {"condition": "no event yet"}})


def test_an_airflow_that_does_not_answer_shows(
    host: Host, stub: AirflowStub, identity: IdentityEndpoint
) -> None:
    """Health is one word, with status 200 for a platform that restarts what is not; the status says more."""
    stub.inject(503, times=99)
    before = datetime.now(UTC)
    threads = [
        threading.Thread(target=deliver, args=(host, "app_service", SWAP | {"id": f"n-{number}"}))
        for number in range(5)
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 30
    while (word := health(host)) != (200, {"status": "degraded"}):
        assert word == (200, {"status": "ok"})
        assert time.monotonic() < end
        time.sleep(0.05)
    status = read_status(host, identity)
    for thread in threads:
        thread.join()
    known = status["connections"]["stub"]
    assert (status["status"], known["condition"]) == ("degraded", "answering with errors (HTTP 503)")
    since, next_try = (datetime.fromisoformat(known[name]) for name in ("since", "next_try"))
    assert before <= since <= datetime.now(UTC) <= next_try <= since + timedelta(minutes=1)


def health(host: Host) -> tuple[int, Any]:
    """Ask for health as anybody may."""
    answer = requests.get(f"{host.url}/api/health", timeout=30)
    return answer.status_code, answer.json()


def read_status(host: Host, identity: IdentityEndpoint) -> Any:
    """Read the status as a caller with the right."""
    token = identity.issue("api://updraft", roles=["Status.Read"])
    answer = requests.get(f"{host.url}/api/status", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert answer.status_code == 200
    return answer.json()


def test_health_asks_nobody(host: Host, stub: AirflowStub) -> None:
    """A probe never reaches Airflow."""
    requests.get(f"{host.url}/api/health", timeout=30)
    assert stub.count() == 0


@pytest.mark.parametrize(
    ("rules", "settings", "says"),
    [
        (RULES.replace("dag:", "dagg:"), {"UPDRAFT_AIRFLOW_URL": "http://127.0.0.1:1"}, "dagg"),
        (RULES, {}, "UPDRAFT_AIRFLOW_URL"),
    ],
    ids=["a mistake in the rules", "a missing setting"],
)
def test_unusable_rules_are_named_and_nothing_is_acknowledged(
    rules: str,
    settings: dict[str, str],
    says: str,
    rules_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With a mistake in the rules the app starts, logs the mistake and acknowledges no event."""
    rules_file.write_text(rules, encoding="utf-8")
    monkeypatch.delenv("UPDRAFT_AIRFLOW_URL", raising=False)
    with hosted(monkeypatch, rules_file, **settings) as host, caplog.at_level(logging.ERROR):
        health = requests.get(f"{host.url}/api/health", timeout=30)
        assert (health.status_code, health.json()) == (200, {"status": "degraded"})
        assert deliver(host, "app_service", SWAP) == 500
    assert says in caplog.text
    assert "rules.yaml" in caplog.text
