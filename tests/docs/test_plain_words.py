"""Every page is in plain English, as far as a program can see that.

The rules: words of the field and not of our own, one sentence a line, short table cells. The person who
reviews a change checks the rest: subject, verb, object; one idea a sentence.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.pages import name_of, pages, prose_lines
from tests.support.plain_words import plain, words_of_our_own

PENDING: Final[frozenset[str]] = frozenset()
"""Pages that still have findings. Take a page out when you have rewritten it."""

ALLOWED: Final[dict[tuple[str, str], str]] = {}
"""Phrases that a page may have, by page and phrase, each with the reason."""

MOST_WORDS: Final = 25
"""Words of a table's cell."""
_NEXT_SENTENCE: Final = re.compile(r"[.?!][\"')*_]*\s+[\"'(*_]*[A-Z]")
_SENTENCE_END: Final = re.compile(r"[.:?!][\"')*_]*(?:  |\\)?$")
_BLOCK: Final = re.compile(r"\s*(?:[-*+] |\d+\. |#|\||>)")
_ITEM: Final = re.compile(r"\s*(?:[-*+]|\d+\.) +(?:\[[ x]\] )?")

every_page = pytest.mark.parametrize(
    "page", [page for page in pages() if name_of(page) not in PENDING], ids=name_of
)


def own_words(name: str, text: str) -> Iterator[str]:
    """Yield each phrase of `WORDS` that a page has, with its line and what to write."""
    for number, line in enumerate(prose_lines(text), start=1):
        for found, better in words_of_our_own(plain(line)):
            if (name, found.lower()) not in ALLOWED:
                yield f"{name}:{number}: write {better!r} for {found!r}"


def sentences_that_share_a_line(name: str, text: str) -> Iterator[str]:
    """Yield the lines outside tables that hold two sentences."""
    for number, line in enumerate(prose_lines(text), start=1):
        prose = _ITEM.sub("", plain(line), count=1)
        if not line.lstrip().startswith("|") and _NEXT_SENTENCE.search(prose):
            yield f"{name}:{number}: two sentences in one line: {line.strip()[:80]}"


def sentences_over_lines(name: str, text: str) -> Iterator[str]:
    """Yield the lines of a paragraph that end within a sentence."""
    lines = prose_lines(text)
    for number, (line, following) in enumerate(zip(lines, [*lines[1:], ""], strict=True), start=1):
        within = line.strip() and following.strip() and not _BLOCK.match(following)
        if within and not line.lstrip().startswith(("#", "|")) and not _SENTENCE_END.search(line.rstrip()):
            yield f"{name}:{number}: the sentence goes on in the next line: {line.strip()[:80]}"


def long_cells(name: str, text: str) -> Iterator[str]:
    """Yield the cells of tables that have more than `MOST_WORDS` words."""
    for number, line in enumerate(prose_lines(text), start=1):
        if line.lstrip().startswith("|"):
            for cell in re.split(r"(?<!\\)\|", plain(line)):
                words = re.findall(r"\w[\w'./-]*", cell)
                if len(words) > MOST_WORDS:
                    yield f"{name}:{number}: {len(words)} words in a cell: {cell.strip()[:80]}"


CHECKS: Final = (own_words, sentences_that_share_a_line, sentences_over_lines, long_cells)


def findings(page: Path) -> list[str]:
    """Return all findings of a page."""
    text = page.read_text(encoding="utf-8")
    return [finding for check in CHECKS for finding in check(name_of(page), text)]


@every_page
def test_a_page_is_in_plain_english(page: Path) -> None:
    """A page has no word of our own, one sentence a line, and short table cells."""
    assert findings(page) == []


def test_pending_pages_still_have_findings() -> None:
    """A page that was rewritten is checked from then on, and a page that is gone is not listed."""
    pending = [page for page in pages() if name_of(page) in PENDING]
    assert {name_of(page) for page in pending if findings(page)} == PENDING


def test_every_exception_is_needed() -> None:
    """A phrase that is allowed is still on its page."""
    for page, phrase in ALLOWED:
        text = next(each for each in pages() if name_of(each) == page).read_text(encoding="utf-8")
        assert phrase in text.lower(), (page, phrase)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It shows what comes of it.", 1),
        ("There is no database.", 0),
        ("This is no database.", 1),
        ("A body is read in such a form as it has.", 1),
        ("Names such as `shop`.", 0),
        ("`whoever` is a name.", 0),
        ("```\nwhoever\n```", 0),
        ("One sentence. Another one.", 1),
        ("One sentence. `another` is one, too.", 1),
        ("A number, e.g. Seven.", 0),
        ("1. First step.\n2. Second step.", 0),
        ("A sentence that\ngoes on.", 1),
        ("A sentence.\nThe next one:\n\n- an item\n- another item", 0),
        ("| a | b |\n|---|---|\n| One. Two. | " + "word " * MOST_WORDS + "|", 0),
        ("| a | b |\n|---|---|\n| c | " + "word " * (MOST_WORDS + 1) + "|", 1),
    ],
)
def test_a_finding_is_what_the_rules_say(text: str, expected: int) -> None:
    """Each rule finds its kind and nothing else."""
    assert len([finding for check in CHECKS for finding in check("page.md", text)]) == expected
