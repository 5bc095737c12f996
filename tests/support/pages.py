"""The Markdown pages of the project, and their prose."""

import re
from pathlib import Path
from typing import Final

from tests.support.paths import ROOT

_NOT_OURS: Final = {".venv", "node_modules", ".updraft", ".git", ".pytest_cache"}
"""Folders with pages of other projects."""
_FENCED: Final = re.compile(r"^([ \t]*)```.*?^\1```[ \t]*$", re.MULTILINE | re.DOTALL)
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)


def pages() -> list[Path]:
    """Return every page of the repository."""
    found = (page for page in ROOT.rglob("*.md") if not _NOT_OURS & set(page.relative_to(ROOT).parts))
    return sorted(page for page in found if not any(part.startswith(".venv") for part in page.parts))


def name_of(page: Path) -> str:
    """Return a page's path from the checkout, as people write it."""
    return page.relative_to(ROOT).as_posix()


def prose_lines(text: str) -> list[str]:
    """Return the lines of a page; lines of code blocks and comments are empty, so that numbers stay."""

    def blank(found: re.Match[str]) -> str:
        return "\n" * found[0].count("\n")

    return _COMMENT.sub(blank, _FENCED.sub(blank, text)).split("\n")
