"""Changes top-level members of a JSON object in its text, so that the rest of the text stays unchanged.

A value that is parsed and written again may look different: `1.10` becomes `1.1`, and a number of many digits
loses the last ones.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

_DECODER: Final = json.JSONDecoder(parse_float=str, parse_int=str)
_BLANKS: Final = re.compile(r"[ \t\n\r]*")


def with_members(text: str, changes: Mapping[str, str | None], *, same: Callable[[str], str] = str) -> str:
    """Return the text of a JSON object with other values of some members.

    Args:
        text: The object; it is JSON.
        changes: The JSON text of each new value by its member's name, as `same` gives it; None leaves the
            member out. A missing member is added at the end.
        same: Returns the form in which names are compared, as in `str.lower`.
    """
    kept: list[str] = []
    missing = {name for name, value in changes.items() if value is not None}
    for name, written, value in _members(text):
        key = same(name)
        if key not in changes:
            kept.append(f"{written}: {value}")
        elif (new := changes[key]) is not None and key in missing:
            kept.append(f"{written}: {new}")
            missing.remove(key)
    kept += [f"{json.dumps(name)}: {changes[name]}" for name in changes if name in missing]
    return f"{{{', '.join(kept)}}}"


def _members(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield each member's name, the name as it is written, and the value as it is written."""
    at = _after_blanks(text, text.index("{") + 1)
    while text[at] != "}":
        name, end = _DECODER.raw_decode(text, at)
        written = text[at:end]
        begin = _after_blanks(text, _after_blanks(text, end) + 1)  # the colon
        _, end = _DECODER.raw_decode(text, begin)
        yield str(name), written, text[begin:end]
        at = _after_blanks(text, end)
        if text[at] == ",":
            at = _after_blanks(text, at + 1)


def _after_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at
