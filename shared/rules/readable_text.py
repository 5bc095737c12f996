"""Invisible characters in rules.yaml, and spaces at the ends of texts.

In names, types and values that are compared, they are errors. Descriptions, notes and conf may contain them,
except in expressions.
"""

import re
import unicodedata
from typing import Final

from shared.rules.problems import Mistakes
from shared.rules.yaml_document import Path
from shared.values.invisible import invisible_in, named, without_invisible
from shared.values.json_text import Json

_EXPRESSIONS: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_FREE: Final = "free"
_EXPRESSIONS_ONLY: Final = "expressions"
_LINES: Final = "lines"
_COMPARED: Final = "compared"
_NAME: Final = "name"
_RULE_TEXTS: Final = {
    ("description",): _FREE,
    ("start", "note"): _EXPRESSIONS_ONLY,
    ("start", "conf"): _EXPRESSIONS_ONLY,
    ("start", "logical_date"): _LINES,
    ("start", "run_after"): _LINES,
    ("dedupe_by",): _LINES,
    ("latest_by",): _LINES,
    ("coalesce", "by"): _LINES,
    ("when", "subject"): _COMPARED,
    ("when", "filter"): _COMPARED,
}
_SHOWN: Final = 30
"""Characters before and after an invisible one that a message shows."""

_OF_FILTERS: Final = frozenset({"key", "operator", "operatortype"})


def readable(value: Json, mistakes: Mistakes, path: Path = ()) -> Json:
    """Add an error for each text with invisible characters, and return the values without them.

    So the following checks find the other errors. Keys stay unchanged.

    Args:
        value: The part.
        mistakes: Takes the errors and warnings.
        path: The part's path.
    """
    if isinstance(value, dict):
        for key in value:
            if not _is_plain(key):
                _check(key, _COMPARED if "conf" in path else _NAME, mistakes, (*path, key), key=True)
        return {
            key: item if not path and key.startswith("x-") else readable(item, mistakes, (*path, key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [readable(item, mistakes, (*path, index)) for index, item in enumerate(value)]
    if isinstance(value, str) and not _is_plain(value) and _check(value, _kind(path), mistakes, path):
        return without_invisible(value)
    return value


def _is_plain(text: str) -> bool:
    """Return whether a text is printable ASCII without spaces at its ends, as nearly all texts are."""
    return text.isascii() and text.isprintable() and text == text.strip()


def _kind(path: Path) -> str:
    """Return the kind of the text at a path."""
    names = tuple(part for part in path[2:] if isinstance(part, str)) if path[:1] == ("rules",) else ()
    kind = _RULE_TEXTS.get(names[:2]) or _RULE_TEXTS.get(names[:1], _NAME)
    if kind is _COMPARED and names[-1].lower() in _OF_FILTERS:
        return _NAME
    return kind


def _check(text: str, kind: str, mistakes: Mistakes, path: Path, *, key: bool = False) -> bool:
    """Add the error of a text, and return whether there is one."""
    if kind is _FREE:
        return False
    if kind is _EXPRESSIONS_ONLY:
        found = (invisible_in(part, lines=True) for part in _EXPRESSIONS.findall(text))
        character = next((each for each in found if each is not None), None)
    else:
        character = invisible_in(text, lines=kind is _LINES)
    if character is not None:
        shown = f"`{_shown(text, character)}`"
        message = f"{shown} contains {named(character)} (at ␣), which is invisible; delete it"
    elif kind is _NAME and text != text.strip():
        message = f"`{text}` has a space at its beginning or end; delete it"
    else:
        message = ""
    if message and key:
        mistakes.add_unreadable_key(path, message)
    elif message:
        mistakes.add(path, message)
    if message:
        return True
    if kind in {_NAME, _COMPARED} and not unicodedata.is_normalized("NFC", text):
        mistakes.warn(
            path,
            f"`{text}` is written with combining marks (Unicode's form NFD), but most senders write NFC, "
            "which is another text; check which one the events have",
            key=key,
        )
    return False


def _shown(text: str, character: str) -> str:
    """Return the text around a character, with `␣` instead of it."""
    at = text.index(character)
    start, end = max(0, at - _SHOWN), at + _SHOWN
    part = text[start:end].replace(character, "␣")
    return f"{'…' if start else ''}{part}{'…' if end < len(text) else ''}"
