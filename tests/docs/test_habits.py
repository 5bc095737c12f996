"""What CONTRIBUTING and the files of the habits promise is what the project does."""

import re

from tests.support.paths import ROOT


def test_before_a_commit_the_same_ruff_runs() -> None:
    """pre-commit's ruff is the locked one, so that the two never disagree."""
    config = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    hook = re.search(r"ruff-pre-commit\n    rev: v(\S+)", config)
    locked = re.search(
        r"^ruff==(\S+)", (ROOT / "requirements-dev.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert hook
    assert locked
    assert hook[1] == locked[1]


def test_the_workflow_runs_what_a_developer_runs() -> None:
    """There is one entry for CI: `.ci/run`."""
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    assert re.findall(r"- run: (.*)", workflow) == [".ci/run"]
    assert "contents: read" in workflow


def test_every_target_on_the_page_exists() -> None:
    """A `make` target that a page names is in the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    for page in (ROOT / "CONTRIBUTING.md", ROOT / "README.md", ROOT / "SECURITY.md"):
        assert (
            set(re.findall(r"(?:`|^)make ([a-z][\w-]*)", page.read_text(encoding="utf-8"), re.MULTILINE))
            <= targets
        )
