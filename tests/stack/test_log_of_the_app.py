"""The log lines of a delivery, with real Storage."""

import json
import logging
import time
from pathlib import Path
from typing import Final

import pytest
import requests

import shared.app
from local.servers.azurite import Azurite
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from shared.azure.storage_account import create_if_missing
from shared.delivery.outcomes import AIRFLOW_NOT_ANSWERING
from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE
from tests.functions.test_function_app import RULES, SWAP, deliver, hosted
from tests.support.functions_host import running_host
from tests.support.log_lines import said
from tests.support.paths import ROOT

HANG_SECONDS: Final = 30.0


def test_no_request_of_the_sdk_is_dumped(
    azurite: Azurite,
    signing_identity: IdentityEndpoint,
    certificates: Certificates,
    stub: AirflowStub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A delivery that uses Storage has log lines of the app and the host, not of the client libraries."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    settings = azurite.environment() | signing_identity.environment() | certificates.environment()
    stub.inject(503, times=99)
    caplog.set_level(logging.INFO)
    with hosted(monkeypatch, rules, **settings, UPDRAFT_AIRFLOW_URL=stub.url) as host:
        assert deliver(host, "app_service", SWAP) == 202
    names = {record.name.partition(".")[0] for record in caplog.records}
    assert {"updraft", "Function"} <= names, "the run is in the log"
    assert names <= {"updraft", "Function", "Host"}
    assert any(said(each).startswith("parked: ") for each in caplog.records if each.name == "updraft")
    with azurite.queue_service(signing_identity) as service:
        service.delete_queue(PARKED_QUEUE)


@pytest.mark.slow
def test_an_outage_is_a_line_an_event(
    azurite: Azurite,
    signing_identity: IdentityEndpoint,
    certificates: Certificates,
    stub: AirflowStub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Twelve events for an Airflow that hangs: one line when each is parked, and one at its outcome."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES.replace("auth: {kind", "read_timeout: 2, auth: {kind"), encoding="utf-8")
    settings = azurite.environment() | signing_identity.environment() | certificates.environment()
    for name, value in {**settings, "UPDRAFT_AIRFLOW_URL": stub.url, "UPDRAFT_RULES": str(rules)}.items():
        monkeypatch.setenv(name, value)
    caplog.set_level(logging.INFO)
    stub.latency = HANG_SECONDS
    began = time.monotonic()
    shared.app.start_anew()
    with azurite.queue_service(signing_identity) as service, running_host(ROOT) as host:
        events = service.get_queue_client(EVENT_QUEUE)
        create_if_missing(events.create_queue, lambda: events.send_message(json.dumps(SWAP | {"id": "e-0"})))
        for number in range(1, 12):
            events.send_message(json.dumps(SWAP | {"id": f"e-{number}"}))
        seen = set()
        while time.monotonic() < began + HANG_SECONDS:
            seen.add(requests.get(f"{host.url}/api/health", timeout=30).json()["status"])
            time.sleep(0.5)
        stub.latency = 0.0
        end = time.monotonic() + 120
        while len(outcomes(caplog, "started", "duplicate")) < 12:
            assert time.monotonic() < end
            time.sleep(0.5)
        counts = shared.app.app().outcome_counts
    shared.app.start_anew()
    parked = outcomes(caplog, "parked")
    assert seen == {"ok", "degraded"}
    assert counts.by_rule()["smoke"]["parked"] > 12
    assert counts.balances()
    assert len(stub.runs) == 12
    assert len(outcomes(caplog)) <= 12 + 12 + 4
    assert {line["cause"] for line in parked} == {AIRFLOW_NOT_ANSWERING}


def outcomes(caplog: pytest.LogCaptureFixture, *kinds: str) -> list[dict[str, object]]:
    """Return the lines of outcomes, all or of these kinds."""
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "updraft"]
    return [each for each in lines if "outcome" in each and (not kinds or each["outcome"] in kinds)]
