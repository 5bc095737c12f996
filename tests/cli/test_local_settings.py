"""`updraft --local`: one command with the settings of the local stack."""

import os
import shlex
from pathlib import Path

import pytest

from cli import local_settings
from cli.main import main
from tests.support.paths import EXAMPLE_RULES


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that `make up` writes, and an environment that the test may change."""
    path = tmp_path / "env"
    monkeypatch.setattr(local_settings, "FILE", path)
    monkeypatch.setattr(os, "environ", {**os.environ})
    return path


def test_the_settings_are_those_of_the_stack(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Values come back as they were quoted, and a command without `--rules` reads the stack's rules."""
    odd = "it's \"odd\" $HOME = 'x'"
    settings = {"UPDRAFT_ODD": odd, "UPDRAFT_RULES": str(EXAMPLE_RULES)}
    file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()))
    assert main(["--local", "validate"]) == 0
    assert os.environ["UPDRAFT_ODD"] == odd
    assert "2 rules" in capsys.readouterr().out


def test_without_a_stack_the_remedy_is_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is there only while `make up` runs."""
    assert not file.exists()
    assert main(["--local", "validate"]) == 1
    assert "make up" in capsys.readouterr().err


def test_without_the_option_nothing_is_read(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A stack that runs does not change a command that did not ask for it."""
    file.write_text("export UPDRAFT_ODD=1\n")
    assert main(["validate", "--rules", str(EXAMPLE_RULES)]) == 0
    assert "UPDRAFT_ODD" not in os.environ
    assert capsys.readouterr().err == ""
