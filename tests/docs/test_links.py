"""What the pages point to is there: files, headings, and the tests that prove a promise."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.support.pages import pages
from tests.support.paths import ROOT

_FENCED: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
_CODE: Final = re.compile(r"`([^`\n]+)`")
_PATH: Final = re.compile(
    r"(?:shared|cli|functions|local|bench(?!/out)|tests|for_airflow|examples|docs)/[\w./*{},-]+(?:::\w+)?"
)
"""A path of the repository; `bench/out` is made by commands."""

every_page = pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings, and those that the page sets itself."""
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)
    return {*plain, *re.findall(r'<a id="([^"]+)"></a>', text)}


@cache
def functions_of(test_file: Path) -> set[str]:
    """Return the names of the functions and classes that a file of tests defines."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    tree = ast.parse(test_file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link names a file that exists, and a heading in it."""
    for link in _LINK.findall(_FENCED.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


def paths_in(text: str) -> Iterator[str]:
    """Yield the repository's paths in code spans."""
    for code in _CODE.findall(_FENCED.sub("", text)):
        if _PATH.fullmatch(code):
            yield code


@every_page
def test_every_path_exists(page: Path) -> None:
    """A path in a code span exists; with `::`, so does the test in that file."""
    if page.name == "CHANGELOG.md":
        return  # it speaks of the past as well
    for code in paths_in(page.read_text(encoding="utf-8")):
        path, _, name = code.partition("::")
        for each in alternatives(path):
            assert list(ROOT.glob(each.rstrip("/"))), code
        assert not name or name in functions_of(ROOT / path), code


def alternatives(path: str) -> Iterator[str]:
    """Yield what a path with `{a,b}` stands for."""
    found = re.fullmatch(r"(.*?)\{([^}]*)\}(.*)", path)
    if found is None:
        yield path
        return
    before, several, after = found.groups()
    for each in several.split(","):
        yield from alternatives(f"{before}{each.strip()}{after}")
