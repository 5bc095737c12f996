"""Fixtures: `updraft doctor` on one connection and one rule, and patience with slow networks."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.commands.doctor import BODY_LIMIT, LARGEST_BODY
from cli.main import main

if TYPE_CHECKING:
    from tests.support.endpoints import Watch


RULE = "{name: r, when: {types: [t]}, start: {dag: smoke_tests}}"
"""The one rule, where a test gives no others."""

type Doctor = Callable[..., tuple[int, str]]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine print no line about work on the network, where a test reads all that is printed."""
    monkeypatch.setattr("cli.waiting.PATIENCE", 600.0)


@pytest.fixture
def doctor(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    watch: "Watch",
    patient: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Doctor:
    """Run the command on one connection and one rule, and return its status and all that it printed."""
    del patient
    monkeypatch.setenv(BODY_LIMIT, str(LARGEST_BODY))

    def run(url: str, auth: str, *more: str, vaults: str = "", rules: str = RULE) -> tuple[int, str]:
        file = tmp_path / "rules.yaml"
        file.write_text(
            f"{vaults}\nconnections: {{main: {{url: '{url}', auth: {auth}}}}}\nrules: [{rules}]\n"
        )
        status = main(["doctor", "--rules", str(file), *more])
        captured = capsys.readouterr()
        watch.output.append(captured.out + captured.err)
        return status, captured.out + captured.err

    return run
