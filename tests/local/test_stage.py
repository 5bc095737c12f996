"""What a person reads when `make demo` or `make up` cannot start."""

import fcntl
from pathlib import Path

import pytest

from local.processes.private import private_folder
from local.processes.processes import StackError
from local.stack import Announce, Stack
from local.stage import perform
from local.up import main as up


def refuse(*_: object) -> None:
    """Fail where the stack should not have started."""
    pytest.fail("the stack has started")


def test_a_stack_that_runs_already_is_not_said_to_be_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second start names the process of the first one, which goes on."""
    with (private_folder(tmp_path / "state") / "lock").open("w") as lock:
        lock.write("4711")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert perform(refuse, make=lambda announce: Stack(tmp_path / "state", announce=announce)) == 1
    out = capsys.readouterr().out
    assert "is in use by process 4711; stop that process first" in out
    assert "stopped" not in out


def test_a_failure_says_that_the_rest_is_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    """What had started is gone."""

    def make(_: Announce) -> Stack:
        raise StackError("postgres", "ended at once with code 1")

    assert perform(refuse, make=make) == 1
    out = capsys.readouterr().out
    assert "postgres: ended at once with code 1" in out
    assert "Everything else is stopped." in out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("connections: {}\nruls: []\n", "rules.yaml has errors\n  rules.yaml:1:1: connections:"),
        (None, "the rules file rules.yaml cannot be read (FileNotFoundError)"),
    ],
    ids=["mistakes", "missing"],
)
def test_a_mistake_in_the_rules_is_told_before_anything_starts(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    text: str | None,
    says: str,
) -> None:
    """`make up` names each mistake of the rules file, and makes not even its state folder."""
    file = tmp_path / "rules.yaml"
    if text is not None:
        file.write_text(text)
    monkeypatch.setenv("UPDRAFT_RULES", str(file))
    assert up(["--state", str(tmp_path / "state")]) == 1
    out = capsys.readouterr().out
    assert f"function app did not start: {says}" in out
    assert not (tmp_path / "state").exists()
