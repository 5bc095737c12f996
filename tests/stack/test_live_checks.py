"""`updraft validate --live` on a real Airflow."""

from pathlib import Path

import pytest

from cli.main import main
from tests.support.paths import ROOT


@pytest.mark.usefixtures("stack_environment")
def test_a_real_airflow_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The repository's own rules are right; a conf that its DAG refuses and a mistyped DAG are told."""
    arguments = ["validate", "--live", "--samples", str(ROOT / "examples/events"), "--rules"]
    assert main([*arguments, str(ROOT / "rules.yaml")]) == 0
    out = capsys.readouterr().out
    assert "DAG `smoke_tests` is ready" in out
    assert "DAG `load_orders` is ready, and the conf of 1 of the samples satisfies its params" in out
    wrong = tmp_path / "rules.yaml"
    text = (ROOT / "rules.yaml").read_text(encoding="utf-8")
    text = text.replace('"{{ data.contentLength }}"', '"{{ data.contentLength }} bytes"')
    wrong.write_text(text.replace("dag: smoke_tests", "dag: smoke_test"), encoding="utf-8")
    assert main([*arguments, str(wrong)]) == 1
    err = capsys.readouterr().err
    assert "there is no DAG `smoke_test` (did you mean `smoke_tests`?)" in err
    assert "param `size`: '524288 bytes' is not of type 'null', 'integer'" in err
