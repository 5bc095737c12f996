"""Reports of runs on a real Storage service, and from the sender in `for_airflow` to the blob."""

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
    """On a real Storage service."""

    def test_the_first_report_stays(self, storage: Storage, prefix: str) -> None:
        """The second report of a run, whatever it says, changes nothing and reads the first."""
        reports = BlobRunReports(storage, container=prefix)
        assert reports.record(REPORT) == REPORT.to_document()
        assert reports.record(replace(REPORT, state="failed")) == REPORT.to_document()
        assert reports.record(REPORT) == REPORT.to_document()

    def test_of_reports_at_one_moment_one_is_the_first(self, storage: Storage, prefix: str) -> None:
        """Sixteen that differ, on as many threads, all read the same one."""
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
        """What a newer version kept in another form is neither this run's first report nor replaced."""
        reports = BlobRunReports(storage, container=prefix)
        kept = reports.record(REPORT)
        assert kept["updraft"] == 1
        blob = storage.container(prefix).get_blob_client(REPORT.name)
        blob.upload_blob(json.dumps(kept | {"updraft": 2}).encode(), overwrite=True)
        with pytest.raises(StorageUnavailable, match="format 1"):
            reports.record(REPORT)

    def test_what_is_not_kept_is_told(self, storage: Storage, identity: IdentityEndpoint) -> None:
        """Where Storage refuses, the report has to come again."""
        with pytest.raises(StorageUnavailable):
            BlobRunReports(storage, container="NOT A NAME").record(REPORT)


@pytest.fixture
def settings(settings: dict[str, str], azurite: Azurite, storage: Storage) -> dict[str, str]:
    """The settings of calls, with a Storage account."""
    return settings | azurite.environment()


@pytest.fixture
def run(caller: Caller) -> dict[str, str]:
    """A run that was started with a token of its own."""
    event = {"specversion": "1.0", "id": caller.stub.url, "source": "/shops/1", "type": "Shop.Opened"}
    assert caller.post("events", caller.token(AGENT), event | {"data": {"door": 1}}).status_code == 202
    ((dag_id, run_id),) = caller.stub.runs
    return {"dag_id": dag_id, "dag_run_id": run_id}


class TestReports:
    """`POST /api/outcomes`, from the run's start to the blob."""

    def test_a_run_reports_once(self, caller: Caller, run: dict[str, str]) -> None:
        """The first report is 201, the same again 200 whatever its details, another one 409."""
        token = caller.reverse_token()
        said = {"run": run, "state": "success", "started_at": None, "ended_at": "2026-01-01T00:05:00+00:00"}
        first = caller.post("outcomes", token, said)
        again = caller.post("outcomes", token, said | {"ended_at": "2026-01-01T00:06:00Z", "detail": "x"})
        other = caller.post("outcomes", token, said | {"state": "failed"})
        assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
        assert first.json() == again.json()
        assert first.json()["run"] == run
        assert other.json()["code"] == "already_reported"
        assert caller.post("outcomes", token, said).status_code == 200

    def test_an_airflow_with_an_identity_reports_too(self, caller: Caller, run: dict[str, str]) -> None:
        """An Entra token of an identity that may report does as well, and meets the same report."""
        token = caller.token(AIRFLOW, roles=["Outcomes.Write"])
        said = {"run": run, "state": "failed"}
        assert caller.post("outcomes", token, said).status_code == 201
        assert caller.post("outcomes", caller.reverse_token(), said).status_code == 200
        assert caller.post("outcomes", token, said | {"state": "success"}).status_code == 409

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
        """A report that makes no sense is 400 and keeps nothing."""
        said: dict[str, object] = {"run": {"dag_id": "greet", "dag_run_id": "r"}, "state": "success"}
        answer = caller.post("outcomes", caller.token(AIRFLOW, roles=["Outcomes.Write"]), said | changes)
        assert (answer.status_code, says in answer.json()["detail"]) == (400, True)

    def test_airflows_own_sender_is_understood(
        self, caller: Caller, run: dict[str, str], sender: ModuleType
    ) -> None:
        """What `updraft-airflow` sends from the run's conf is recorded, and taken again."""
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
    """The module that Airflow reports with, from its sources, without Airflow."""
    monkeypatch.syspath_prepend(str(SENDER.parent))
    yield importlib.import_module("updraft_airflow.callback")
    for name in [name for name in sys.modules if name.partition(".")[0] == "updraft_airflow"]:
        del sys.modules[name]
