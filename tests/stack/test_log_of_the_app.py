"""What a delivery writes into the log, with a real Storage account behind it."""

import logging
from pathlib import Path

import pytest

from local.servers.azurite import Azurite
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from shared.stores.names import PARKED_QUEUE
from tests.functions.test_function_app import RULES, SWAP, deliver, hosted
from tests.support.log_lines import said


def test_no_request_of_the_sdk_is_dumped(
    azurite: Azurite,
    signing_identity: IdentityEndpoint,
    certificates: Certificates,
    stub: AirflowStub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A delivery that asks Storage leaves lines of the app and the host, and none of the client libraries."""
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
