r"""Makes text of other programs visible: the one encoder for what a person, a terminal or a query reads.

An event, a caller, Airflow and every gateway may send any character. A terminal obeys control characters, a
bidirectional control shows text in another order, and a zero-width character is not shown. So log lines,
errors, answers, notes, reasons and the command line show them as escapes, as in `\x1b`, `\u202e` or `\n`.

Invisible characters are Unicode's blanks, controls, formats and default ignorables
(https://www.unicode.org/reports/tr44/), and all that Python calls not printable: lone surrogates, private and
unassigned characters.
"""

import re
from typing import Final

BLANKS: Final = "\u00a0\u1680\u2000-\u200a\u202f\u205f"
CONTROLS: Final = "\x00-\x1f\x7f-\x9f\u2028\u2029"
FORMATS: Final = (
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
IGNORABLE: Final = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0"
JOINERS: Final = "\u200c\u200d\u3000"
SELECTORS: Final = "\ufe00-\ufe0f\U000e0100-\U000e01ef"

INVISIBLE: Final = re.compile(f"[{BLANKS}{CONTROLS}{FORMATS}{IGNORABLE}{JOINERS}{SELECTORS}]")
"""An invisible character; `values/invisible.py` uses the same table for rules and settings."""

CUT: Final = "…"
"""Replaces the text that was cut off."""


def visible(text: str, limit: int | None = None) -> str:
    """Return a text on one line, with an escape for each character that is not printable or not visible.

    The result holds only visible characters and blanks, so encoding it again changes nothing. A backslash
    stays as it is: people read the escapes, and no program decodes them.

    Args:
        text: Any text.
        limit: The most characters of the result; the last one is `…` if text was cut off.
    """
    if text.isascii() and text.isprintable() and (limit is None or len(text) <= limit):
        return text  # most texts take this path, and each log line calls it ten times
    if limit is None:
        return _escaped(text)
    shown = _escaped(text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + CUT


def _escaped(text: str) -> str:
    if text.isprintable() and INVISIBLE.search(text) is None:
        return text
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable() and INVISIBLE.match(character) is None:
        return character
    return character.encode("unicode_escape").decode()
