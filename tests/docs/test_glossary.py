"""docs/glossary.md: every word is explained, and other pages use it."""

import re
from typing import Final

from tests.support.pages import pages
from tests.support.paths import ROOT

GLOSSARY: Final = ROOT / "docs" / "glossary.md"
WORDS: Final = re.findall(r"^## (.+)$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_words_are_in_order() -> None:
    """A word stands once, where the alphabet puts it."""
    assert sorted(set(WORDS), key=str.lower) == WORDS


def test_every_word_is_linked_from_another_page() -> None:
    """Each word is linked, and no link names another word."""
    others = [page.read_text(encoding="utf-8") for page in pages() if page != GLOSSARY]
    linked = {anchor for text in others for anchor in re.findall(r"glossary\.md#([\w-]+)\)", text)}
    assert {word.lower().replace(" ", "-") for word in WORDS} == linked


def test_every_word_names_the_page_that_has_more() -> None:
    """Each entry is one to three sentences, and a line with links."""
    entries = re.split(r"^## .+$", GLOSSARY.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    for word, entry in zip(WORDS, entries, strict=True):
        *sentences, more = entry.strip().splitlines()
        assert 1 <= len(sentences) <= 3, word
        assert re.fullmatch(r"More: \[.+\]\(.+\)\.", more), word
