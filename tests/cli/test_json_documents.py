"""`--json` of every command: one document, whose `ok` agrees with the exit status."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from cli.main import main
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from tests.cli.test_main import commands
from tests.support.paths import ROOT
from tests.support.recording_topic import RecordingTopic

pytestmark = pytest.mark.usefixtures("world", "patient")
RULES: Final = """
connections: {main: {url: "%AIRFLOW%", auth: {kind: entra, scope: "api://airflow/.default"}}}
rules: [{name: opened, when: {types: [Shop.Opened]}, start: {dag: smoke_tests, conf: {n: "{{ data.n }}"}}}]
"""
EVENT: Final = {"specversion": "1.0", "id": "e-1", "source": "/s", "type": "Shop.Opened", "data": {"n": 1}}
CASES: Final = {
    "explain": [
        ("EVENT", 0, []),
        ("gone.json", 2, ["NotAnEvent"]),
        ("--rules WRONG EVENT", 1, ["InvalidRules"]),
        ("--rule opend EVENT", 1, ["Failed"]),
    ],
    "validate": [
        ("", 0, []),
        ("--samples FOLDER", 0, []),
        ("--samples none", 1, ["SampleProblem"]),
        ("--live", 0, []),
        ("--rules WRONG --live", 1, ["InvalidRules"]),
        ("--rules gone.yaml", 1, ["InvalidRules"]),
    ],
    "publish": [
        ("EVENT", 0, []),
        ("gone.json", 2, ["Failed"]),
        ("--topic http://x EVENT", 2, ["Failed"]),
        ("--wait --timeout 0.1 OTHER", 1, ["Unmatched"]),
        ("--wait --timeout 0.1 UNRENDERED", 1, ["Rejected"]),
        ("--wait --timeout 0.1 EVENT", 1, ["NotEnded"]),
        ("--wait --rules WRONG EVENT", 2, ["InvalidRules"]),
    ],
    "hook": [
        ("kudu gone.json", 2, ["Failed"]),
        ("kudu EVENT", 2, ["Failed"]),
    ],
    "replay list": [("", 1, ["Failed"])],
    "replay show": [("e-1", 1, ["Failed"])],
    "replay send": [("e-1", 1, ["Failed"])],
    "doctor": [("", 0, []), ("--connection man", 1, ["Failed"]), ("--rules WRONG", 1, ["InvalidRules"])],
}
"""By command: arguments, the exit status, and the codes of the errors. Storage is not reachable here:
`tests/stack/test_replay_names.py` has the documents of `replay`, and `test_hook.py` more of `hook`."""


@pytest.fixture
def world(
    certificates: Certificates,
    identity: IdentityEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """A folder with the files that the lines name, a topic and an Airflow."""
    for name, value in (identity.environment() | certificates.environment()).items():
        monkeypatch.setenv(name, value)
    for name in ("accountName", "blobServiceUri", "queueServiceUri"):
        monkeypatch.delenv(f"AzureWebJobsStorage__{name}", raising=False)
    monkeypatch.delenv("UPDRAFT_URL", raising=False)
    monkeypatch.setenv("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "2097152")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "WRONG").write_text(RULES.replace("dag:", "dagg:"))
    for name, changes in (("EVENT", {}), ("OTHER", {"type": "Shop.Closed"}), ("UNRENDERED", {"data": {}})):
        (tmp_path / name).write_text(json.dumps(EVENT | changes))
    (tmp_path / "FOLDER").mkdir()
    (tmp_path / "FOLDER/event.json").write_text(json.dumps(EVENT))
    with RecordingTopic(tls=certificates.server_context()) as topic, AirflowStub(("smoke_tests",)) as stub:
        monkeypatch.setenv("UPDRAFT_TOPIC_ENDPOINT", topic.endpoint)
        monkeypatch.setenv("AIRFLOW", stub.url)
        yield


def test_every_command_with_the_option_is_here() -> None:
    """A command that gets `--json` gets its cases, and a row of docs/command-line.md."""
    found = {
        name
        for name, command in commands()
        for param in command.params
        if isinstance(param, click.Option) and "--json" in param.opts
    }
    assert found == CASES.keys()
    page = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
    rows = page.partition("### `--json`")[2].partition("\n## ")[0]
    assert [name for name in found if f"\n| `{name}` |" not in rows] == []


@pytest.mark.parametrize(
    ("name", "line", "status", "codes"),
    [(name, *case) for name, cases in CASES.items() for case in cases],
)
def test_a_document_agrees_with_the_exit_status(
    name: str, line: str, status: int, codes: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every result and every failure is one document: `ok` at status 0, else errors with code and message."""
    assert main([*name.split(), "--json", *line.split()]) == status
    document = json.loads(capsys.readouterr().out)
    assert [*document][:3] == ["ok", "errors", "warnings"]
    assert document["ok"] == (status == 0)
    assert [error["code"] for error in document["errors"]][: len(codes)] == codes
    assert bool(document["errors"]) == (status != 0)
    assert all(each["message"] for each in (*document["errors"], *document["warnings"]))


@pytest.mark.parametrize("name", CASES)
def test_wrong_usage_gives_no_document(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """After wrong usage there is no document."""
    assert main([*name.split(), "--json", "--unknown-option"]) == 2
    assert capsys.readouterr().out == ""
