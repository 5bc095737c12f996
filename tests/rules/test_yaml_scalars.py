"""YAML 1.2's core schema: a table, and a comparison with the schema's productions."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.yaml_scalars import MAX_DIGITS, plain_scalar, tagged_scalar
from shared.values.json_text import Json

INTEGER_10 = r"[-+]?[0-9]+"
INTEGER_8 = r"0o[0-7]+"
INTEGER_16 = r"0x[0-9a-fA-F]+"
FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
INFINITY = r"[-+]?(\.inf|\.Inf|\.INF)"
NOT_A_NUMBER = r"\.nan|\.NaN|\.NAN"
"""The table of https://yaml.org/spec/1.2.2/#1032-tag-resolution, word for word."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None), ("nULL", "nULL")),
        *(("true", True), ("True", True), ("TRUE", True), ("false", False), ("tRUE", "tRUE")),
        *(("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y")),
        *(
            ("0", 0),
            ("12", 12),
            ("+12", 12),
            ("-12", -12),
            ("-0", 0),
            ("010", 10),
            ("-007", -7),
            ("0099", 99),
        ),
        *(("0x1F", 31), ("0xff", 255), ("0x0", 0), ("0o17", 15), ("0o7", 7), ("0o007", 7)),
        *(("-0x10", "-0x10"), ("+0o7", "+0o7"), ("0X1F", "0X1F"), ("0O17", "0O17"), ("0o8", "0o8")),
        *(("0xG", "0xG"), ("0x", "0x"), ("0o", "0o"), ("0b101", "0b101"), ("1_000", "1_000"), ("1,5", "1,5")),
        *((".5", 0.5), ("1.", 1.0), ("-1.5", -1.5), ("+.5", 0.5), ("1e3", 1000.0), ("1E+3", 1000.0)),
        *(("1.5e-3", 0.0015), ("01.50", 1.5), (".", "."), (".e5", ".e5"), ("1e", "1e"), ("e5", "e5")),
        *(("1.2.3", "1.2.3"), ("--1", "--1"), ("+", "+"), ("-", "-"), ("1 ", "1 "), ("\u0661", "\u0661")),
        *(
            ("12:30", "12:30"),
            ("2026-03-01", "2026-03-01"),
            ("+.nan", "+.nan"),
            ("inf", "inf"),
            ("NaN", "NaN"),
        ),
        *((".iNF", ".iNF"), ("infinity", "infinity"), ("-.nan", "-.nan")),
    ],
)
def test_a_plain_scalar_is_what_the_schema_says(text: str, expected: Json) -> None:
    """Value and type are as in the core schema."""
    value = plain_scalar(text)
    assert value == expected
    assert isinstance(value, type(expected))


@pytest.mark.parametrize(
    "text",
    [
        ".inf",
        "-.INF",
        "+.Inf",
        ".nan",
        ".NaN",
        ".NAN",
        "1e999",
        "-1e400",
        "9" * 401,
        f"0x{'f' * 401}",
        "1." + "0" * 400,
    ],
)
def test_a_number_that_json_cannot_hold_is_refused(text: str) -> None:
    """A number that JSON cannot hold is an error, not a text; in quotes it is a text."""
    with pytest.raises(ValueError, match="write it in quotes"):
        plain_scalar(text)


def resolved(text: str) -> str:
    """Return the type of a plain scalar by the productions of the schema, in their order."""
    productions = {
        "null": "null|Null|NULL|~|",
        "bool": "true|True|TRUE|false|False|FALSE",
        "int": f"{INTEGER_10}|{INTEGER_8}|{INTEGER_16}",
        "float": FLOAT,
        "none": f"{INFINITY}|{NOT_A_NUMBER}",
    }
    return next((name for name, pattern in productions.items() if re.fullmatch(pattern, text)), "str")


NUMERIC = st.text("0123456789xXoOabfeEinfNAI.+-_ ~tru", max_size=8)


@given(text=NUMERIC | st.text(max_size=6) | st.floats().map(repr) | st.integers().map(str))
def test_any_plain_scalar_has_the_schemas_type(text: str) -> None:
    """The type is as in the schema's productions, and a number has its value."""
    expected = resolved(text)
    try:
        value = plain_scalar(text)
    except ValueError:
        assert expected == "none" or (expected == "float" and not math.isfinite(float(text)))
        return
    types = {"null": type(None), "bool": bool, "int": int, "float": float, "str": str}
    assert type(value) is types[expected]
    if expected == "float":
        assert value == float(text)
    elif expected == "int" and re.fullmatch(INTEGER_10, text):
        assert value == int(text)
    elif expected == "str":
        assert value == text


@given(number=st.integers(min_value=0, max_value=2**70))
def test_a_number_is_itself_in_every_base(number: int) -> None:
    """Decimal, octal and hexadecimal numbers have the same value."""
    writings = (f"{number}", f"+{number}", f"00{number}", f"0o{number:o}", f"0x{number:x}", f"0x{number:X}")
    assert {plain_scalar(text) for text in writings} == {number}


@pytest.mark.parametrize(
    ("text", "tag", "expected"),
    [
        *(("12", "str", "12"), ("12", "!", "12"), (".inf", "str", ".inf"), ("0x1F", "int", 31)),
        *(("1", "float", 1.0), ("1.5", "float", 1.5), ("true", "bool", True), ("", "null", None)),
    ],
)
def test_a_tag_says_the_type(text: str, tag: str, expected: Json) -> None:
    """A tag of the core schema sets the type."""
    value = tagged_scalar(text, tag)
    assert value == expected
    assert isinstance(value, type(expected))


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        *(("abc", "int"), ("true", "int"), ("1.5", "int"), ("yes", "bool"), ("x", "null"), ("abc", "float")),
        *((".inf", "float"), ("9" * (MAX_DIGITS + 1), "float"), ("2026-03-01", "timestamp"), ("x", "!env")),
    ],
)
def test_a_tag_that_does_not_go_with_its_text_is_a_mistake(text: str, tag: str) -> None:
    """A tag does not convert a value."""
    with pytest.raises(ValueError, match=r"delete the tag|write plain values|write it in quotes"):
        tagged_scalar(text, tag)
