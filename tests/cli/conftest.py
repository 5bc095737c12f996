"""No test of the command line depends on a local stack that a developer has started."""

import pytest

from cli import local_settings
from tests.support.paths import ROOT


@pytest.fixture(autouse=True)
def no_local_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no local stack run."""
    monkeypatch.setattr(local_settings, "FILE", ROOT / "no-local-stack")
