"""Invisible characters: removed from the ends of pasted values, and reported if they are inside text.

Unicode calls them blanks, controls, formats and default ignorables (https://www.unicode.org/reports/tr44/).
Some are orthography: Persian and the Indic scripts join letters with them, and emoji contain them.
"""

import re
import unicodedata
from typing import Final

from shared.visible_text import INVISIBLE, JOINERS, SELECTORS

_FIRST_SCRIPT_WITH_JOINERS: Final = "\u0590"

_SELECTOR: Final = re.compile(f"[{SELECTORS}]")
_JOINER: Final = re.compile(f"[{JOINERS}]")
_LINES: Final = frozenset("\t\n\r")
_NAMES: Final = {
    "\t": "TAB",
    "\n": "LINE FEED",
    "\r": "CARRIAGE RETURN",
    "\x00": "NULL",
    "\x1b": "ESCAPE",
    "\x7f": "DELETE",
    "\x85": "NEXT LINE",
}
"""Names of characters that Unicode calls only `<control>`."""


def trimmed(text: str) -> str:
    """Return a value without the blanks, line ends and invisible characters at its ends.

    Each value of an application setting and of Key Vault goes through it: people paste them, and files and
    shells add a line end or a byte order mark.
    """
    start, end = 0, len(text)
    while start < end and _is_end(text[start]):
        start += 1
    while start < end and _is_end(text[end - 1]) and not _is_orthography(text, end - 1):
        end -= 1
    return text[start:end]


def invisible_in(text: str, *, lines: bool = False) -> str | None:
    """Return the first invisible character of a text, or None if all are visible.

    A joiner, an ideographic space or a variation selector is allowed between two characters of emoji, or of a
    script other than Latin, Greek and Cyrillic: there it is orthography.

    Args:
        text: The text.
        lines: Whether tabs and line ends are allowed, as in a template of several lines.
    """
    for match in INVISIBLE.finditer(text):
        character = match.group()
        if lines and character in _LINES:
            continue
        if not _is_orthography(text, match.start()):
            return character
    return None


def without_invisible(text: str) -> str:
    """Return a text with only plain blanks, none at its ends, and no other invisible character."""
    return INVISIBLE.sub(lambda match: " " if match.group().isspace() else "", trimmed(text))


def named(character: str) -> str:
    """Return a character's code point and name, as in `U+200B ZERO WIDTH SPACE`."""
    name = _NAMES.get(character) or unicodedata.name(character, "")
    return f"U+{ord(character):04X} {name}".rstrip()


def _is_end(character: str) -> bool:
    return character.isspace() or INVISIBLE.match(character) is not None


def _is_orthography(text: str, at: int) -> bool:
    before, after = text[max(at - 1, 0) : at], text[at + 1 : at + 2]
    if _SELECTOR.match(text[at]):  # a variation selector belongs to the character before it
        return before >= _FIRST_SCRIPT_WITH_JOINERS and not _is_end(before)
    if _JOINER.match(text[at]) is None:
        return False
    return all(side >= _FIRST_SCRIPT_WITH_JOINERS for side in (before, after)) and not _is_end(after)
