"""Parses JSON strictly; each error is an EventError.

The standard library's decoder reads what JSON forbids (NaN) and raises what callers do not expect
(RecursionError). A usual text takes one pass through its C scanner; only
a text that fails or looks doubtful is checked in more detail.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Final

from shared.errors import EventError

type Json = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
type JsonObject = dict[str, Json]

MAX_DEPTH: Final = 100
"""Levels of nesting: far more than any published event has, far fewer than Python's recursion allows."""

_SHOWN: Final = 40
_TOKEN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)
"""A string, or a bracket or comma outside one. A string without an end matches too, because otherwise each
quote in it would start another scan."""


type _Container = list[Json] | JsonObject


def parse(text: str) -> Json:
    """Return the value of a JSON text.

    Numbers with a fraction or an exponent are IEEE doubles (RFC 8259 section 6); integers are exact.

    Raises:
        EventError: The text is not JSON (RFC 8259), or holds a value that Airflow's database cannot hold:
            a number beyond a double's range or of more digits than Python reads (4,300), half of a
            surrogate pair, or more than `MAX_DEPTH` levels of nesting.
    """
    try:
        value: Json = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        if not text.strip():
            raise EventError("the body is empty") from None
        raise EventError(
            f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # int() refuses more than 4,300 digits, because the conversion takes quadratic time
        raise EventError("the body holds an integer of more than 4,300 digits: send it as a string") from None
    if text.count("[") + text.count("{") > MAX_DEPTH or "\\ud" in text or "\\uD" in text:
        check_carriable(value)
    return value


def parse_kept(text: str) -> Json:
    """Return the value of JSON text that this app wrote itself.

    Its content was checked when it first arrived, and may be nested a few levels deeper now.

    Raises:
        EventError: It holds NaN, or a number beyond a double's range.
        ValueError: It is not JSON.
        RecursionError: It is nested too deep for Python.
    """
    value: Json = _DECODER.decode(text)
    return value


def compact_text(value: Json, *, ascii_only: bool = False) -> str:
    """Return JSON text without blanks.

    Args:
        value: The value.
        ascii_only: Whether to escape all other characters; half of a surrogate pair needs it.
    """
    return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))


def check_carriable(value: Json) -> None:
    """Check that a value is not nested too deep and has no half of a surrogate pair.

    Raises:
        EventError: It is, or has.
    """
    level: list[_Container] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        level = list(_containers_in(level))
        if not level:
            return
    raise _too_deep()


def split_array(text: str) -> list[str] | None:
    """Return the text of each member of a JSON array, also of members that are not valid JSON.

    A bad member must not affect the others; it goes to the dead-letter store as it arrived.

    Args:
        text: Any text; the result is None if it is not `[…]` with balanced brackets.
    """
    stripped = text.strip()
    if not stripped.startswith("["):
        return None
    members: list[str] = []
    start, depth = 1, 0
    for token in _TOKEN.finditer(stripped):
        mark = token.group()
        if mark in "[{":
            depth += 1
        elif mark in "]}":
            depth -= 1
            if depth == 0:
                if token.end() != len(stripped) or mark != "]":
                    return None
                members.append(stripped[start : token.start()].strip())
                return members if members != [""] else []
        elif mark == "," and depth == 1:
            members.append(stripped[start : token.start()].strip())
            start = token.end()
    return None


def _containers_in(level: list[_Container]) -> Iterator[_Container]:
    """Yield the arrays and objects one level deeper, and refuse text that cannot be encoded."""
    for container in level:
        if isinstance(container, dict):
            for name in container:
                _check_encodable(name)
        for value in container.values() if isinstance(container, dict) else container:
            if isinstance(value, list | dict):
                yield value
            elif isinstance(value, str):
                _check_encodable(value)


def _check_encodable(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise EventError(
            f"the body holds half of a surrogate pair (\\u{ord(text[error.start]):04x}), which is not a"
            " character: send the pair or leave it out"
        ) from None


def _too_deep() -> EventError:
    return EventError(f"the body is nested more than {MAX_DEPTH} levels deep: send a flatter event")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise EventError(f"the number {text[:_SHOWN]} is beyond a double's range: send it as a string")
    return number


def _no_constant(name: str) -> float:
    raise EventError(f"the body holds {name}, which is not JSON: send null or a string")


_DECODER: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)
