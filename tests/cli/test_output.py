"""What all commands print: real line ends, and one form of document."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.commands import SUMMARIES
from cli.commands.doctor import BODY_LIMIT, LARGEST_BODY
from cli.main import main
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.identity_endpoint import IdentityEndpoint
from tests.support.paths import ROOT

pytestmark = pytest.mark.usefixtures("patient")
RULES = """
connections: {main: {url: "%AIRFLOW%", auth: {kind: entra, scope: "api://airflow/.default"}}}
rules:
  - {name: swap, when: {types: [Swapped]}, start: {dag: smoke_tests, conf: {n: "{{ data.n }}"}}}
  - {name: order, when: {types: [Order]}, start: {dag: load_orders}, track: callback}
"""
EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "Swapped", "data": {"n": 1}}
LINES = [
    "",
    "help",
    "nothing-like-it",
    "explain",
    "replay",
    "explain --rules",
    *(f"help {name}" for name in SUMMARIES),
    "explain EVENT",
    "explain --rules RULES EVENT gone.json",
    "explain --rules RULES --matches EVENT",
    "explain --rules RULES --rule swop EVENT",
    "validate --rules RULES",
    "validate --rules WRONG",
    "validate --rules gone.yaml",
    "validate --rules RULES --samples FOLDER",
    "validate --rules RULES --samples FOLDER --live",
    "validate --rules WRONG --live",
    "doctor --rules RULES",
    "doctor --rules RULES --connection man",
    "doctor --rules WRONG",
    "subscription --rules RULES",
    "subscription --rules RULES --bicep",
    "subscription --rules RULES swop",
    "publish EVENT",
    "publish gone.json",
    "replay list",
    "replay show x",
    "replay send --all",
]


@pytest.fixture
def stub(identity: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[AirflowStub]:
    """An Airflow in which one DAG is paused, and runs of the other one may not be started."""
    with AirflowStub(("smoke_tests", "load_orders")) as running:
        running.paused, running.forbidden = {"smoke_tests"}, {"load_orders"}
        monkeypatch.setenv("AIRFLOW", running.url)
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the files that the lines name."""
    for name in ("UPDRAFT_TOPIC_ENDPOINT", "AzureWebJobsStorage__accountName"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "RULES").write_text(RULES)
    (tmp_path / "WRONG").write_text(RULES.replace("dag: load", "dagg: load") + "more: 1\n")
    (tmp_path / "EVENT").write_text(json.dumps(EVENT))
    (tmp_path / "FOLDER").mkdir()
    (tmp_path / "FOLDER/event.json").write_text(json.dumps([EVENT, {**EVENT, "data": {}}, {"id": 1}]))
    return tmp_path


@pytest.mark.parametrize("line", LINES)
@pytest.mark.usefixtures("folder", "stub")
def test_a_line_end_is_a_line_end(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    r"""No command prints a backslash and an `n` in place of a line end."""
    status = main(line.split())
    captured = capsys.readouterr()
    assert status in {0, 1, 2}
    assert captured.out + captured.err
    assert "\\n" not in captured.out + captured.err
    assert "Traceback" not in captured.err


def test_no_line_end_of_ours_is_encoded() -> None:
    """In cli/, no text in a call of `printable` or `visible` has a line end."""
    wrong = [
        f"{path.name}:{call.lineno}"
        for path in sorted((ROOT / "cli").rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in {"printable", "visible"}
        and any(
            isinstance(part, ast.Constant) and isinstance(part.value, str) and "\n" in part.value
            for argument in call.args
            for part in ast.walk(argument)
        )
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("explain --rules RULES EVENT", 0),
        ("explain --rules RULES EVENT gone.json", 2),
        ("explain --rules WRONG EVENT", 1),
        ("validate --rules RULES", 0),
        ("validate --rules RULES --samples FOLDER", 1),
        ("validate --rules RULES --live", 1),
        ("validate --rules WRONG", 1),
        ("validate --rules WRONG --live", 1),
        ("doctor --rules RULES", 1),
        ("doctor --rules WRONG", 1),
        ("doctor --rules RULES --connection man", 1),
    ],
)
@pytest.mark.usefixtures("folder", "stub")
def test_a_document_has_one_shape(line: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json` there is one document, with `ok`, `errors` and `warnings`, however the command ends."""
    assert main([*line.split(), "--json"]) == status
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert captured.err == ""
    assert [*document][:3] == ["ok", "errors", "warnings"]
    assert document["ok"] == (status == 0) == (not document["errors"])
    for each in (*document["errors"], *document["warnings"]):
        assert each["code"].isalpha()
        assert each["message"]


@pytest.mark.usefixtures("folder", "stub")
def test_the_document_of_validate(capsys: pytest.CaptureFixture[str]) -> None:
    """An error has its line, a sample has its rules, and the document names the rules that are ready."""
    assert main(["validate", "--rules", "WRONG", "--json"]) == 1
    [mistake, *_] = json.loads(capsys.readouterr().out)["errors"]
    assert mistake["code"] == "InvalidRules"
    assert mistake["file"] == "WRONG"
    assert mistake["line"] > 0
    arguments = ["validate", "--rules", "RULES", "--samples", "FOLDER", "--live", "--json"]
    assert main(arguments) == 1
    document = json.loads(capsys.readouterr().out)
    codes = [error["code"] for error in document["errors"]]
    assert codes == ["SampleProblem", "SampleProblem", "SampleProblem", "DagPaused", "Forbidden"]
    assert document["rules"] == ["swap", "order"]
    assert [sample["hits"] for sample in document["samples"]] == [["swap"], ["swap"], []]
    assert document["samples"][0]["file"] == "FOLDER/event.json"
    assert document["live"] == []


@pytest.mark.usefixtures("folder")
def test_what_is_ready_is_in_the_document(stub: AirflowStub, capsys: pytest.CaptureFixture[str]) -> None:
    """Without samples there is no number of confs, and without `--live` no list."""
    stub.paused, stub.forbidden = set(), {"load_orders"}
    assert main(["validate", "--rules", "RULES", "--live", "--json"]) == 1
    ready = {"rule": "swap", "connection": "main", "dag": "smoke_tests", "confs": None}
    assert json.loads(capsys.readouterr().out)["live"] == [ready]
    assert main(["validate", "--rules", "RULES", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["live"] is None


@pytest.mark.usefixtures("folder")
def test_the_document_of_the_doctor(
    stub: AirflowStub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The document has the identity, the claims without the token, the version, and the DAGs."""
    stub.paused, stub.forbidden = set(), set()
    stub.tags = {"load_orders": ["updraft-reports"]}
    monkeypatch.setenv(BODY_LIMIT, str(LARGEST_BODY))
    assert main(["doctor", "--rules", "RULES", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["identity"] == "the app's system-assigned managed identity"
    assert document["hooks"] == []
    [connection] = document["connections"]
    assert (connection["name"], connection["url"]) == ("main", stub.url)
    assert connection["airflow"] == "3.3.2"
    assert connection["dags"] == ["smoke_tests", "load_orders"]
    [auth] = connection["auth"]
    assert auth["kind"] == "entra"
    assert auth["claims"]["aud"] == "api://airflow"
    assert auth["claims"]["expires"].startswith("in ")
