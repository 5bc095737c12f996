"""Escapes values in a run's note: Airflow's UI renders notes as Markdown with GitHub's extensions.

The operator or this app wrote the text of a note, and its Markdown is rendered. A value of an event or of a
caller is marked when it is inserted, and `note_text` escapes it, so that it cannot make an image, link,
heading, list, table or code (https://spec.commonmark.org/0.31.2/, https://github.github.com/gfm/). GitHub's
extensions make links of plain addresses, also of escaped ones. So an address is changed visibly, as in
`http[:]//` and `www[.]`.

The operator may put a value into a code span, where it needs no escapes, or into the target of a link or an
image, where it may be an address of http or https.
"""

import re
from dataclasses import dataclass
from typing import Final

from shared.values.wording import clipped
from shared.visible_text import visible

MAX_NOTE: Final = 1_000
"""The most characters of a note that Airflow accepts."""

_OPEN: Final = "\ue000"
_CLOSE: Final = "\ue001"
"""Private characters around a value; `visible` removes them from the value."""
_ESCAPED: Final = str.maketrans({character: f"\\{character}" for character in "\\`*_[]()<>#!|~&"})
_AT_START: Final = "-+=:"
_LINK: Final = "]("


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a note.

    Attributes:
        text: Its characters.
        value: Whether it is a value of an event or a caller; otherwise it is the note's text.
    """

    text: str
    value: bool


def marked(text: str, limit: int = MAX_NOTE) -> str:
    """Return a value on one line, marked for `note_text`; cut at `limit` characters."""
    return f"{_OPEN}{visible(' '.join(text.split()), limit)}{_CLOSE}"


def note_text(text: str) -> str:
    """Return a note whose marked values are escaped, of at most `MAX_NOTE` characters.

    If a note is too long, every value is escaped as in plain text before the cut: a cut in a code span would
    make its value Markdown.
    """
    pieces = _pieces(text)
    whole = _written(pieces, _code_spans(pieces), links=True)
    if len(whole) <= MAX_NOTE:
        return whole
    return clipped(_written(pieces, frozenset(), links=False), MAX_NOTE)


def _pieces(text: str) -> list[_Piece]:
    """Return the parts of a note; adjacent values are one part, because together they may be an address."""
    pieces: list[_Piece] = []
    own, *rest = text.split(_OPEN)
    if own:
        pieces.append(_Piece(own, value=False))
    for part in rest:
        value, _, own = part.partition(_CLOSE)
        if pieces and pieces[-1].value:
            value = pieces.pop().text + value
        pieces.append(_Piece(value, value=True))
        if own:
            pieces.append(_Piece(own, value=False))
    return pieces


def _written(pieces: list[_Piece], code: frozenset[int], *, links: bool) -> str:
    written: list[str] = []
    line = ""
    for index, piece in enumerate(pieces):
        if not piece.value:
            written.append(piece.text)
            line = (line + piece.text).rpartition("\n")[2]
            continue
        if index in code:
            text = piece.text.replace("`", "'") or " "  # two adjacent backticks have another meaning
        elif links and (target := _target(line)) is not None:
            text = _in_target(piece.text, begins=target.lstrip("<") == "")
        else:
            text = _in_text(piece.text)
        if index not in code and _odd_backslashes(line):
            text = f"\\{text}"  # the backslash of the note would cancel the escape
        written.append(text)
        line += _OPEN
    return "".join(written)


def _in_text(value: str) -> str:
    """Return a value with escapes, so that it is not Markdown anywhere in a text."""
    broken = value.replace("://", "[:]//").replace("@", "[@]")
    if "www." in value.lower():
        broken = re.sub(r"(www)\.", r"\1[.]", broken, flags=re.IGNORECASE)
    escaped = broken.translate(_ESCAPED)
    if escaped[:1] and escaped[0] in _AT_START:
        return f"\\{escaped}"
    number = escaped[: len(escaped) - len(escaped.lstrip("0123456789"))]
    return f"{number}\\{escaped[len(number) :]}" if number and escaped[len(number) :][:1] == "." else escaped


def _in_target(value: str, *, begins: bool) -> str:
    """Return a value that does not end the target of a link and has no scheme other than http and https."""
    web = value.lower().startswith(("http://", "https://"))
    safe = value if web or not begins else value.replace(":", "%3A")
    return safe.translate(_ESCAPED).replace(" ", "%20").replace('"', "%22").replace("'", "%27")


def _target(line: str) -> str | None:
    """Return the beginning of a link's target that is open at the end of a line; None if none is open."""
    text, opened, target = line.rpartition(_LINK)
    if not opened or "[" not in text or any(each in target for each in " \t()>"):
        return None
    return target


def _odd_backslashes(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _code_spans(pieces: list[_Piece]) -> frozenset[int]:
    """Return the values that are certainly inside a code span of the note's text.

    If a line has a backtick without a partner, or anything that may change the meaning of backticks, no value
    counts as code: it is escaped, which is safe everywhere.
    """
    own = "".join(_OPEN if piece.value else piece.text for piece in pieces)
    if "`" not in own or "<" in own:
        return frozenset()
    values = iter([index for index, piece in enumerate(pieces) if piece.value])
    inside: set[int] = set()
    for line in own.split("\n"):
        runs = re.split("(`+)", line)
        if len(runs) > 1 and ("|" in line or "\\" in line):
            return frozenset()
        opened = ""
        for run in runs:
            if run.startswith("`"):
                if opened and run != opened:
                    return frozenset()
                opened = "" if opened else run
            else:
                found = [next(values) for _ in range(run.count(_OPEN))]
                inside.update(found if opened else ())
        if opened:
            return frozenset()
    return frozenset(inside)
