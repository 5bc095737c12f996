"""`updraft validate --live`: the rules and the samples against an Airflow."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.checks.dag_state import REPORTS_TAG
from cli.main import main
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.identity_endpoint import IdentityEndpoint
from shared.values.json_text import JsonObject
from tests.support.paths import ROOT

pytestmark = pytest.mark.usefixtures("patient")
RULES = """
connections:
  main: {url: "%AIRFLOW%", auth: {kind: entra, scope: "api://airflow/.default"}}
rules:
  - {name: swap, when: {types: [Swapped]}, start: {dag: smoke_tests}}
  - {name: order, when: {types: [Order]}, start: {dag: load_orders, conf: {n: "{{ data.n }}"}}}
  - {name: off, enabled: false, when: {types: [Off]}, start: {dag: nowhere}}
"""
N: JsonObject = {"n": {"value": None, "schema": {"type": "integer"}}}


TRACKED = RULES.replace("start: {dag: smoke_tests}", "start: {dag: smoke_tests}, track: callback")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A rules file."""
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    return file


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A folder with three events, two of which have a text for a number."""
    folder = tmp_path / "samples"
    folder.mkdir()
    event = {"specversion": "1.0", "source": "/s"}
    events = [
        {**event, "id": "1", "type": "Swapped"},
        {**event, "id": "2", "type": "Order", "data": {"n": 5}},
        {**event, "id": "3", "type": "Order", "data": {"n": "5"}},
        {**event, "id": "4", "type": "Order", "data": {"n": "5"}},
    ]
    for number, each in enumerate(events, 1):
        (folder / f"{number}.json").write_text(json.dumps(each))
    return folder


@pytest.fixture
def stub(identity: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[AirflowStub]:
    """An Airflow that a setting of the rules names, and an identity endpoint."""
    with AirflowStub(("smoke_tests", "load_orders")) as running:
        monkeypatch.setenv("AIRFLOW", running.url)
        yield running


def test_a_ready_airflow_is_said_to_be(
    rules: Path, stub: AirflowStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each enabled rule has a line, and no run is started."""
    stub.params["load_orders"] = N
    assert main(["validate", "--live", "--rules", str(rules)]) == 0
    out = capsys.readouterr().out
    assert "rule `swap`: connection `main`: DAG `smoke_tests` is ready\n" in out
    assert (
        "`load_orders` is ready; its params are not checked: no sample of `--samples DIR` matches the rule\n"
        in out
    )
    assert out.endswith("3 rules, nothing wrong\n")
    assert stub.runs == {}


def test_confs_that_fit_are_counted(
    rules: Path, samples: Path, stub: AirflowStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """The conf of each sample is checked against the params of the DAG."""
    stub.params["load_orders"] = {"n": {"value": 1, "schema": {"type": ["integer", "string"]}}}
    assert main(["validate", "--live", "--rules", str(rules), "--samples", str(samples)]) == 0
    assert "is ready, and the conf of 3 of the samples satisfies its params" in capsys.readouterr().out


def test_a_conf_that_airflow_would_refuse_is_a_problem(
    rules: Path, samples: Path, stub: AirflowStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same problem of several samples is one finding, which names the first sample."""
    stub.params["load_orders"] = N
    assert main(["validate", "--live", "--rules", str(rules), "--samples", str(samples)]) == 1
    captured = capsys.readouterr()
    assert (
        f"{samples / '3.json'} (and 1 more): DAG `load_orders` would refuse the conf: param "
        "`n`: '5' is not of type 'integer'" in captured.err
    )
    assert captured.err.endswith("1 error\n")
    assert "load_orders` is ready" not in captured.out


def test_what_the_airflow_says_is_read(
    rules: Path, stub: AirflowStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """A paused, a broken and a missing DAG are findings with the details that Airflow gives."""
    stub.dags = {"smoke_test", "load_orders"}
    stub.paused, stub.run_types = {"load_orders"}, {"load_orders": ["scheduled"]}
    trace = (
        'Traceback …\n  File "/dags/load_orders.py", line 3, in <module>\n    f()\n'
        '  File "/dags/load_orders.py", line 7, in f\n    import x\n  File "<frozen>", line 9, in y\n'
        "ModuleNotFoundError: No module named 'x'\n"
    )
    stub.broken = {"load_orders": trace}
    assert main(["validate", "--live", "--rules", str(rules)]) == 1
    err = capsys.readouterr().err
    assert "there is no DAG `smoke_tests` (did you mean `smoke_test`?)" in err
    assert "cannot be imported there: load_orders.py" in err
    assert "cannot be imported: load_orders.py, line 7: ModuleNotFoundError: No module named 'x' (rule" in err
    assert "fix: where Airflow runs, fix the file, and look for its error: `airflow dags list-import" in err
    assert "unpause load_orders" in err
    assert "does not allow manual runs" in err
    assert err.count("\nerror: connection") == 3
    assert err.startswith("error: ")
    assert err.endswith("4 errors\n")


def test_a_dag_that_reports_is_known_by_its_tag(
    rules: Path, stub: AirflowStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """A DAG with the tag reports; without it, the finding has the fix."""
    rules.write_text(TRACKED)
    assert main(["validate", "--live", "--rules", str(rules)]) == 1
    err = capsys.readouterr().err
    assert "connection `main`: `track: callback` waits for a report that DAG `smoke_tests` does not" in err
    assert err.endswith("1 error\n")
    stub.tags = {"smoke_tests": ["nightly", REPORTS_TAG]}
    assert main(["validate", "--live", "--rules", str(rules)]) == 0


def test_the_tag_is_the_one_that_the_package_for_airflow_sets() -> None:
    """The tag is the same in both packages, which are installed apart and cannot import each other."""
    policy = ROOT / "for_airflow/src/updraft_airflow/policy.py"
    assert f'REPORTS_TAG = "{REPORTS_TAG}"' in policy.read_text(encoding="utf-8")


def test_a_warning_of_an_airflow_changes_no_status(
    rules: Path, stub: AirflowStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning is a line that begins with `warning:`, and the rule is still ready."""
    rules.write_text(RULES.replace("{types: [Swapped]},", "{types: [Swapped]}, when_paused: hold,"))
    stub.paused = {"smoke_tests"}
    assert main(["validate", "--live", "--rules", str(rules)]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("warning: connection `main`: DAG `smoke_tests` is paused")
    assert "DAG `smoke_tests` is ready" in captured.out
    assert captured.out.endswith("3 rules, 1 warning\n")


@pytest.mark.parametrize("command", ["validate --live", "doctor"])
def test_a_setting_that_is_missing_is_a_mistake(
    command: str, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing setting is an error with its name, and the message has the way to set it."""
    assert main([*command.split(), "--rules", str(rules)]) == 1
    err = capsys.readouterr().err
    assert "the application setting `AIRFLOW` is missing" in err
    assert err.endswith("application settings are read from the environment: `export NAME=value`\n")
    rules.write_text("rules: []")
    assert main([*command.split(), "--rules", str(rules)]) == 1
    assert "export" not in capsys.readouterr().err
