"""Run reports on real Storage, and from the sender in `for_airflow` to the blob."""

import importlib
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from local.servers.azurite import Azurite
from local.stand_ins.identity_endpoint import IdentityEndpoint
from shared.azure.storage_account import Storage
from shared.callbacks.report_store import BlobRunReports
from shared.errors import StorageUnavailable
from tests.support.http_app import AGENT, AIRFLOW, Caller
from tests.support.paths import ROOT
from tests.support.reports import REPORT

SENDER = ROOT / "for_airflow/src/updraft_airflow"


class TestOnAzurite:
    """The store, on real Storage."""

    def test_the_first_report_stays(self, storage: Storage, prefix: str) -> None:
        """The second report of a run has no effect, and returns the first one."""
        reports = BlobRunReports(storage, container=prefix)
        assert reports.record(REPORT) == REPORT.to_document()
        assert reports.record(replace(REPORT, state="failed")) == REPORT.to_document()
        assert reports.record(REPORT) == REPORT.to_document()

    def test_of_reports_at_one_moment_one_is_the_first(self, storage: Storage, prefix: str) -> None:
        """Of sixteen different reports on as many threads all return the same one."""
        reports = BlobRunReports(storage, container=prefix)
        barrier, kept = threading.Barrier(16), []

        def one(number: int) -> None:
            barrier.wait()
            kept.append(reports.record(replace(REPORT, detail=str(number))))

        threads = [threading.Thread(target=one, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(kept) == 16
        assert len({json.dumps(each) for each in kept}) == 1

    def test_a_report_of_another_version_is_not_guessed(self, storage: Storage, prefix: str) -> None:
        """A report in the form of a newer version is neither read nor replaced."""
        reports = BlobRunReports(storage, container=prefix)
        kept = reports.record(REPORT)
        assert kept["updraft"] == 1
        blob = storage.container(prefix).get_blob_client(REPORT.name)
        blob.upload_blob(json.dumps(kept | {"updraft": 2}).encode(), overwrite=True)
        with pytest.raises(StorageUnavailable, match="format 1"):
            reports.record(REPORT)

    def test_what_is_not_kept_is_told(self, storage: Storage, identity: IdentityEndpoint) -> None:
        """If Storage refuses, the report has to be sent again."""
        with pytest.raises(StorageUnavailable):
            BlobRunReports(storage, container="NOT A NAME").record(REPORT)


@pytest.fixture
def settings(settings: dict[str, str], azurite: Azurite, storage: Storage) -> dict[str, str]:
    """The settings of the HTTP API, with a Storage account."""
    return settings | azurite.environment()


@pytest.fixture
def run(caller: Caller) -> dict[str, str]:
    """A run with a run token."""
    event = {"specversion": "1.0", "id": caller.stub.url, "source": "/shops/1", "type": "Shop.Opened"}
    assert caller.post("events", caller.token(AGENT), event | {"data": {"door": 1}}).status_code == 202
    ((dag_id, run_id),) = caller.stub.runs
    return {"dag_id": dag_id, "dag_run_id": run_id}


class TestReports:
    """`POST /api/outcomes`, from the start of the run to the blob."""

    def test_a_run_reports_once(self, caller: Caller, run: dict[str, str]) -> None:
        """The first report gets 201, the same state again 200, and another state 409."""
        token = caller.reverse_token()
        report = {"run": run, "state": "success", "started_at": None, "ended_at": "2026-01-01T00:05:00+00:00"}
        first = caller.post("outcomes", token, report)
        again = caller.post("outcomes", token, report | {"ended_at": "2026-01-01T00:06:00Z", "detail": "x"})
        other = caller.post("outcomes", token, report | {"state": "failed"})
        assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
        assert first.json() == again.json()
        assert first.json()["run"] == run
        assert other.json()["code"] == "already_reported"
        assert caller.post("outcomes", token, report).status_code == 200

    def test_an_airflow_with_an_identity_reports_too(self, caller: Caller, run: dict[str, str]) -> None:
        """The Entra token of an identity with the permission is accepted, and the first report counts."""
        token = caller.token(AIRFLOW, roles=["Outcomes.Write"])
        report = {"run": run, "state": "failed"}
        assert caller.post("outcomes", token, report).status_code == 201
        assert caller.post("outcomes", caller.reverse_token(), report).status_code == 200
        assert caller.post("outcomes", token, report | {"state": "success"}).status_code == 409

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"state": "running"}, "state"),
            ({"state": None}, "state"),
            ({"run": None}, "run.dag_id"),
            ({"run": {"dag_id": "..\n", "dag_run_id": "r"}}, "run.dag_id"),
            ({"run": {"dag_id": "greet", "dag_run_id": "a/b"}}, "run.dag_run_id"),
            ({"run": {"dag_id": "greet", "dag_run_id": 7}}, "run.dag_run_id"),
            ({"started_at": "yesterday"}, "started_at"),
            ({"ended_at": 7}, "ended_at"),
            ({"detail": []}, "detail"),
        ],
    )
    def test_what_is_wrong_is_told(self, caller: Caller, changes: dict[str, object], says: str) -> None:
        """A wrong report gets 400 and is not stored."""
        report: dict[str, object] = {"run": {"dag_id": "greet", "dag_run_id": "r"}, "state": "success"}
        answer = caller.post("outcomes", caller.token(AIRFLOW, roles=["Outcomes.Write"]), report | changes)
        assert (answer.status_code, says in answer.json()["detail"]) == (400, True)

    def test_airflows_own_sender_is_understood(
        self, caller: Caller, run: dict[str, str], sender: ModuleType
    ) -> None:
        """A report that `updraft-airflow` sends from the run's conf is stored, and may be repeated."""
        ((started),) = caller.stub.runs.values()
        conf: Any = started["conf"]
        assert conf["_updraft"]["callback"]["url"] == "https://updraft.example/api/outcomes"
        caller.reverse_token()
        conf["_updraft"]["callback"]["url"] = f"{caller.host.url}/api/outcomes"
        report = sender.RunReport(**run, state="success", started_at=None, ended_at=None, detail="x")
        allowed = [f"{caller.host.url}/"]
        sender.send_report(sender.read_callback(conf), report, allowed=allowed)
        sender.send_report(sender.read_callback(conf), report, allowed=allowed)
        with pytest.raises(sender.CallbackError, match="409"):
            sender.send_report(
                sender.read_callback(conf),
                sender.RunReport(**run, state="failed", started_at=None, ended_at=None),
                allowed=allowed,
            )


@pytest.fixture
def sender(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module that reports from Airflow, from its sources, without Airflow."""
    monkeypatch.syspath_prepend(str(SENDER.parent))
    yield importlib.import_module("updraft_airflow.callback")
    for name in [name for name in sys.modules if name.partition(".")[0] == "updraft_airflow"]:
        del sys.modules[name]
