"""`updraft validate --live` on a real Airflow."""

from pathlib import Path

import pytest

from cli.main import main
from local.stack import Stack
from tests.support.paths import EXAMPLE_RULES, ROOT


@pytest.mark.usefixtures("stack_environment")
def test_a_real_airflow_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The example rules are valid; a conf that its DAG refuses and a mistyped DAG are reported."""
    arguments = ["validate", "--live", "--samples", str(ROOT / "examples/events"), "--rules"]
    assert main([*arguments, str(EXAMPLE_RULES)]) == 0
    out = capsys.readouterr().out
    assert "DAG `smoke_tests` is ready" in out
    assert "DAG `load_orders` is ready, and the conf of 1 of the samples satisfies its params" in out
    wrong = tmp_path / "rules.yaml"
    text = EXAMPLE_RULES.read_text(encoding="utf-8")
    text = text.replace('"{{ data.contentLength }}"', '"{{ data.contentLength }} bytes"')
    wrong.write_text(text.replace("dag: smoke_tests", "dag: smoke_test"), encoding="utf-8")
    assert main([*arguments, str(wrong)]) == 1
    err = capsys.readouterr().err
    assert "there is no DAG `smoke_test` (did you mean `smoke_tests`?) (rule `smoke-test-after-swap`)" in err
    assert "param `size`: '524288 bytes' is not of type 'null', 'integer'" in err


SILENT = """
connections:
  main:
    url: "%UPDRAFT_AIRFLOW_URL%"
    auth: {kind: airflow, username: admin, password_secret: airflow-admin-password}
rules:
  - {name: silent, when: {types: [A]}, start: {dag: collect_events}, track: callback}
  - {name: untracked, when: {types: [A]}, start: {dag: collect_events}}
  - {name: by-task, when: {types: [A]}, start: {dag: reports_by_task}, track: callback}
  - {name: by-notifier, when: {types: [A]}, start: {dag: reports_by_notifier}, track: callback}
"""


@pytest.mark.usefixtures("stack_environment", "patient")
def test_a_dag_that_will_not_report_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the examples' DAGs, one has no notifier and no last task although its rule needs a report."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(SILENT, encoding="utf-8")
    assert main(["validate", "--live", "--rules", str(rules)]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: connection `main`: `track: callback` waits for a report that")
    assert "(rule `silent`)\n" in captured.err
    assert captured.err.endswith("1 error\n")
    for name in ("untracked", "by-task", "by-notifier"):
        assert f"rule `{name}`: connection `main`: DAG" in captured.out


def test_a_draining_dag_is_noticed(
    stack: Stack, stack_environment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A draining DAG is a problem; an Airflow before 3.4 has no such state."""
    del stack_environment
    version = str(stack.airflow.call("GET", "/api/v2/version")["version"])
    drains = [int(number) for number in version.split(".")[:2]] >= [3, 4]
    token = stack.airflow.token()
    path = "/api/v2/dags/load_orders"
    assert ("scheduling_state" in stack.airflow.call("GET", path, token=token)) is drains
    try:
        if drains:
            stack.airflow.call("PATCH", path, {"scheduling_state": "draining"}, token=token)
        assert main(["validate", "--live", "--rules", str(EXAMPLE_RULES)]) == int(drains)
        err = capsys.readouterr().err
        # without an unfinished run, Airflow pauses it within seconds
        is_reported = "DAG `load_orders` is draining" in err or "DAG `load_orders` is paused" in err
        assert is_reported is drains
    finally:
        stack.airflow.call("PATCH", path, {"is_paused": False}, token=token)
