"""Docstrings, comments and messages are in plain English, as far as a program can see that.

The words are those that no page may have (`tests/support/plain_words.py`). The person who reviews a change
checks the rest: subject, verb, object; one idea a sentence.
"""

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.support.paths import ROOT
from tests.support.plain_words import plain, words_of_our_own

FOLDERS: Final = ("bench", "cli", "examples", "for_airflow", "functions", "local", "shared", "tests")
"""Folders with code; a folder in one of them is an area of its own, as in `shared/values`."""

PENDING: Final[set[str]] = set()
"""Areas that still have findings. Take an area out when you have rewritten it."""

ALLOWED: Final = {
    ("tests/rules/templates/test_keys.py", "is none"): "a test of Jinja",
    ("tests/rules/templates/test_templates.py", "is none"): "a test of Jinja",
    ("tests/cli/test_publish_wait.py", "door"): "a field of an event",
    ("tests/crashpoints/scenarios.py", "door"): "a field of an event",
    ("tests/docs/test_plain_words.py", "is no"): "a test of the pattern",
    ("tests/docs/test_plain_words.py", "such a form as"): "a test of the pattern",
    ("tests/docs/test_plain_words.py", "what comes of"): "a test of the pattern",
    ("tests/security/test_text_of_strangers.py", "door"): "data of an event",
}
"""Phrases that a file may have, by file and phrase, each with the reason."""

LEAST_BLANKS: Final = 2
"""A string with fewer blanks is a value and not a message."""
_LISTS: Final = frozenset({"tests/support/plain_words.py", "tests/docs/test_plain_code.py"})
"""Files that hold the words as data."""
_NO_PROSE: Final = re.compile(r"# *(?:noqa|type:|pragma:)")


def area_of(file: Path) -> str:
    """Return the area that a file is part of: its folder, at most two levels deep."""
    return "/".join(file.relative_to(ROOT).parent.parts[:2]) or "."


@cache
def code_files() -> dict[str, list[Path]]:
    """Return the files of each area."""
    files = [*ROOT.glob("*.py"), *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))]
    areas: defaultdict[str, list[Path]] = defaultdict(list)
    for file in sorted(files):
        if "node_modules" not in file.parts:
            areas[area_of(file)].append(file)
    return dict(areas)


def prose(code: str) -> Iterator[tuple[int, str]]:
    """Yield the docstrings, messages and comments of a file, each with the number of its first line."""
    todo: list[ast.AST] = [ast.parse(code)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.JoinedStr):
            parts = [each.value if isinstance(each, ast.Constant) else "Code" for each in node.values]
            text = "".join(map(str, parts))
            todo += [each for each in node.values if not isinstance(each, ast.Constant)]
        elif isinstance(node, ast.Constant):
            text = node.value if isinstance(node.value, str) else ""
        else:
            todo += ast.iter_child_nodes(node)
            continue
        if text.count(" ") >= LEAST_BLANKS:
            yield node.lineno, text
    if "#" in code:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.COMMENT and not _NO_PROSE.match(token.string):
                yield token.start[0], token.string


def findings(name: str, code: str) -> Iterator[str]:
    """Yield each phrase of our own in a file, with its line and what to write."""
    for line, text in prose(code):
        for found, better in words_of_our_own(plain(re.sub(r"\s+", " ", text).replace("None", "Code"))):
            if (name, found.lower()) not in ALLOWED and name not in _LISTS:
                yield f"{name}:{line}: write {better!r} for {found!r}"


@cache
def findings_of(area: str) -> list[str]:
    """Return all findings of an area."""
    return [
        finding
        for file in code_files()[area]
        for finding in findings(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("area", sorted(set(code_files()) - PENDING))
def test_code_is_in_plain_english(area: str) -> None:
    """No docstring, comment or message has a word of our own."""
    assert findings_of(area) == []


def test_pending_areas_still_have_findings() -> None:
    """An area that was rewritten is checked from then on, and an area that is gone is not listed."""
    assert {area for area in PENDING if area in code_files() and findings_of(area)} == PENDING


def test_every_exception_is_needed() -> None:
    """A phrase that is allowed is still in its file."""
    for file, phrase in ALLOWED:
        assert phrase in (ROOT / file).read_text(encoding="utf-8").lower(), (file, phrase)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('"""The sender, whoever it is."""', 1),
        ('def f():\n    """Tell\n    whether."""\n', 1),
        ("# Mend it.\nx = 1  # whoever", 2),
        ('raise ValueError(f"{name} is no number of {kind}, mend it")', 2),
        ('x = f"{call("a door to open")}"', 1),
        ('x = {"told": "whoever"}', 0),
        ('"""`whoever` is a name."""', 0),
        ("whoever = 1  # noqa: told", 0),
    ],
)
def test_a_finding_is_in_what_a_person_reads(code: str, expected: int) -> None:
    """Docstrings, comments and messages are read, and no names, values or directives."""
    assert len(list(findings("code.py", code))) == expected
