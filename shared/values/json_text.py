"""JSON text to values: strict, and never an error of another type than EventError.

The standard library's decoder reads what JSON forbids (NaN) and raises what callers do not expect
(RecursionError). Here the usual text takes one pass through its C scanner; only
a text that fails, or might hold something doubtful, is looked at more closely.
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
"""Levels of nesting: far above any published event, far below what Python's own recursion allows."""

_SHOWN: Final = 40
_TOKEN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)
"""A string, also one that never ends (or every quote in it would be tried anew), or a mark outside one."""


type _Container = list[Json] | JsonObject


def parse(text: str) -> Json:
    """Return the value of a JSON text.

    Numbers with a fraction or an exponent are IEEE doubles (RFC 8259 section 6); integers are exact.

    Raises:
        EventError: The text is no JSON (RFC 8259), or holds what cannot be carried to Airflow's database:
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
    except ValueError:  # int() refuses more than 4,300 digits, so that nobody pays for them
        raise EventError("the body holds an integer of more than 4,300 digits: send it as a string") from None
    if text.count("[") + text.count("{") > MAX_DEPTH or "\\ud" in text or "\\uD" in text:
        check_carriable(value)
    return value


def parse_kept(text: str) -> Json:
    """Return the value of JSON text that this app wrote itself.

    What it holds was checked when it first arrived, and may lie a few levels deeper now.

    Raises:
        EventError: It holds NaN, or a number beyond a double's range.
        ValueError: It is no JSON.
        RecursionError: It is nested beyond reason.
    """
    value: Json = _DECODER.decode(text)
    return value


def compact_text(value: Json, *, ascii_only: bool = False) -> str:
    """Return JSON text without blanks.

    Args:
        value: The value.
        ascii_only: Whether to escape every other character, as half of a surrogate pair has to be.
    """
    return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))


def check_carriable(value: Json) -> None:
    """Refuse a value that is nested too deep, or holds half of a surrogate pair.

    Raises:
        EventError: It does.
    """
    level: list[_Container] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        level = list(_containers_in(level))
        if not level:
            return
    raise _too_deep()


def split_array(text: str) -> list[str] | None:
    """Return the text of each member of a JSON array, whether or not a member is itself valid JSON.

    One bad member must not take its neighbours down, and each goes to the dead-letter store as it arrived.

    Args:
        text: Anything; what is not `[…]` with balanced brackets yields None.
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
    """Yield the arrays and objects one level further down, and refuse text that cannot be encoded."""
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
            f"the body holds half of a surrogate pair (\\u{ord(text[error.start]):04x}), which is no"
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
    raise EventError(f"the body holds {name}, which is no JSON: send null or a string")


_DECODER: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)
