"""Scalars of YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema) as JSON.

So `no`, `on`, `1_000`, `12:30` and `2026-03-01` are texts, as editors show them, and `010` is ten. Numbers
that JSON cannot hold (infinity, NaN, overflow of a double) are errors: as text they look like numbers.
"""

import math
import re
from typing import Final

from shared.values.json_text import Json

MAX_DIGITS: Final = 400
"""Characters of the longest number."""

_NULL: Final = re.compile(r"~|null|Null|NULL|")
_BOOLEAN: Final = {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_INTEGERS: Final = (
    (re.compile(r"[-+]?([0-9]+)"), 10),
    (re.compile(r"0o([0-7]+)"), 8),
    (re.compile(r"0x([0-9a-fA-F]+)"), 16),
)
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_IN_JSON: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_FIRST: Final = frozenset({"", *"+-.0123456789~nNtTfF"})
"""The first characters of all scalars that are not text."""

_TYPES: Final = {"int": int, "float": float, "bool": bool, "null": type(None), "str": str, "!": str}
_MAX_SHOWN: Final = 60
_LIKE_TEXT: Final = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+|[-+]?0[0-9]+|[0-9]+[eE][-+]?[0-9]+")
"""Hexadecimal and octal numbers, leading zeros, and numbers such as the commit hash `12e4567`."""


def looks_like_text(number: str) -> bool:
    """Return whether a plain scalar that is a number may be meant as text, or as another number."""
    return _LIKE_TEXT.fullmatch(number) is not None


def plain_scalar(text: str) -> Json:
    """Return the value of a scalar without quotes and without a tag.

    Raises:
        ValueError: It is a number that JSON cannot hold.
    """
    if text[:1] not in _FIRST:  # most scalars are texts
        return text
    if _NULL.fullmatch(text):
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    for pattern, base in _INTEGERS:
        match = pattern.fullmatch(text)
        if match is not None:
            number = int(_bounded(match[1]), base)
            return -number if text.startswith("-") else number
    if _FLOAT.fullmatch(text) or _NOT_IN_JSON.fullmatch(text):
        return _decimal(text)
    return text


def tagged_scalar(text: str, tag: str) -> Json:
    """Return the value of a scalar with a tag of the core schema, or with `!`, which means text.

    Args:
        text: The scalar.
        tag: The tag, without `tag:yaml.org,2002:`.

    Raises:
        ValueError: The tag is unknown, or does not match the text.
    """
    wanted = _TYPES.get(tag)
    if wanted is None:
        raise ValueError(f"the YAML tag `{tag}` is not available; write plain values")
    if wanted is str:
        return text
    value = _decimal(text) if tag == "float" and _FLOAT.fullmatch(text) else plain_scalar(text)
    if type(value) is not wanted:
        raise ValueError(f"`{text[:_MAX_SHOWN]}` does not match the YAML tag `!!{tag}`; delete the tag")
    return value


def _decimal(text: str) -> float:
    number = None if _NOT_IN_JSON.fullmatch(text) else float(_bounded(text))
    if number is None or not math.isfinite(number):
        raise ValueError(f"`{text}` is not a number that JSON can hold; if it is text, write it in quotes")
    return number


def _bounded(digits: str) -> str:
    if len(digits) > MAX_DIGITS:
        raise ValueError(
            f"a number has at most {MAX_DIGITS} characters, and this one has {len(digits):,}; if it is text, "
            "write it in quotes"
        )
    return digits
