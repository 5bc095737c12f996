"""`updraft doctor` on a real Airflow; `updraft validate --live` has the same findings."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cli.commands.doctor import BODY_LIMIT, LARGEST_BODY
from cli.main import main
from local.servers.airflow_process import Airflow
from local.stack import Stack
from local.stand_ins.key_vault import LocalKeyVault
from tests.support.doctor import Doctor

if TYPE_CHECKING:
    from tests.support.endpoints import Watch


def test_a_real_airflow_starts_nothing(
    doctor: Doctor,
    real_airflow: Airflow,
    vault: LocalKeyVault,
    watch: "Watch",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Airflow 3.3 checks the permission to start runs before it refuses the doctor's empty request."""
    monkeypatch.setenv("UPDRAFT_KEY_VAULT_URI", vault.url)
    token = real_airflow.token()
    vault.set("token", token)
    before = real_airflow.call("GET", "/api/v2/dags/smoke_tests/dagRuns", token=token)["total_entries"]
    status, text = doctor(real_airflow.url, "{kind: bearer, token_secret: token}")
    after = real_airflow.call("GET", "/api/v2/dags/smoke_tests/dagRuns", token=token)["total_entries"]
    assert (status, after) == (0, before), text


RULES = """
connections:
  analytics: {url: "%UPDRAFT_AIRFLOW_URL%", auth: {kind: entra, scope: "api://airflow/.default"}}
rules:
  - {name: swap, when: {types: [A]}, start: {dag: smoke_tests}}
  - {name: restart, when: {types: [B]}, start: {dag: smoke_tests}}
  - {name: collect, when: {types: [C]}, start: {dag: collect_event}}
  - {name: order, when: {types: [D]}, start: {dag: load_orders}, when_paused: hold}
"""


def test_both_commands_see_the_same(
    stack: Stack,
    stack_environment: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The findings are a paused DAG, a paused DAG with held events, and a DAG that does not exist."""
    del stack_environment
    monkeypatch.setenv(BODY_LIMIT, str(LARGEST_BODY))
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    token = stack.airflow.token()
    documents: list[dict[str, Any]] = []
    try:
        for dag in ("smoke_tests", "load_orders"):
            stack.airflow.call("PATCH", f"/api/v2/dags/{dag}", {"is_paused": True}, token=token)
        for command in (["doctor"], ["validate", "--live"]):
            assert main([*command, "--json", "--rules", str(rules)]) == 1
            documents.append(json.loads(capsys.readouterr().out))
    finally:
        for dag in ("smoke_tests", "load_orders"):
            stack.airflow.call("PATCH", f"/api/v2/dags/{dag}", {"is_paused": False}, token=token)
    for kind in ("errors", "warnings"):
        assert documents[0][kind] == documents[1][kind]
    assert [
        (error["code"], error["rules"], error.get("command", "")) for error in documents[0]["errors"]
    ] == [
        ("DagPaused", ["swap", "restart"], "airflow dags unpause smoke_tests"),
        ("DagNotFound", ["collect"], ""),
    ]
    assert [(each["code"], each["rules"]) for each in documents[0]["warnings"]] == [("DagPaused", ["order"])]
