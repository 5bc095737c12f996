"""Invisible characters: which they are, which are removed, and which stay as orthography."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.values.invisible import invisible_in, named, trimmed, without_invisible

UNSEEN = [
    *("\t\n\r\x00\x0b\x1b\x7f\x85\xa0\xad"),
    *("\u034f\u061c\u115f\u1160\u1680\u17b4\u180e\u2000\u2007\u200a\u200b\u200e\u200f\u2028\u2029"),
    *("\u202a\u202e\u202f\u205f\u2060\u2061\u2066\u2069\u206f\u2800\u3164\ufeff\uffa0\ufff9\U000e0041"),
    *("\u200c\u200d\u3000\ufe0f\U000e0100"),
]
PASTED = st.text(st.sampled_from([*UNSEEN, " "]), max_size=5)


@pytest.mark.parametrize("character", UNSEEN, ids=named)
def test_each_is_found_inside_latin_text_and_cut_off_its_ends(character: str) -> None:
    """Each one between Latin letters is found; each one at the ends is removed."""
    assert invisible_in(f"air{character}flow") == character
    assert trimmed(f"{character}airflow{character}") == "airflow"
    inner = " " if character.isspace() else ""
    assert without_invisible(f"{character}air{character}flow ") == f"air{inner}flow"


@pytest.mark.parametrize("category", ["Cc", "Cf", "Zl", "Zp", "Zs"])
def test_every_control_format_and_blank_is_covered(category: str) -> None:
    """Each invisible character by Unicode's categories is found, except the plain blank.

    The number signs of Arabic and other scripts are formats by category, but visible.
    """
    seen = {
        *range(0x600, 0x606),
        0x6DD,
        0x70F,
        0x890,
        0x891,
        0x8E2,
        0x110BD,
        0x110CD,
        *range(0x13430, 0x13440),
    }
    characters = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == category]
    missed = [each for each in characters if each != " " and ord(each) not in seen and not invisible_in(each)]
    assert not missed, [named(each) for each in missed]


@pytest.mark.parametrize(
    "text",
    [
        *("Müller & Söhne", "a b", "山田\u3000太郎", "葛\U000e0100城", "👩\u200d💻", "❤\ufe0f"),
        *("\u0645\u06cc\u200c\u062e\u0648", "\u0915\u094d\u200d\u0937"),
    ],
)
def test_orthography_is_no_mistake(text: str) -> None:
    """Characters that a script or an emoji needs stay, also at the end."""
    assert invisible_in(text) is None
    assert trimmed(text) == text


def test_lines_are_allowed_where_a_text_may_have_several() -> None:
    """A template may hold tabs and line ends; every other invisible character is found."""
    assert invisible_in("a\tb\r\nc", lines=True) is None
    assert invisible_in("a\nb\u200bc", lines=True) == "\u200b"


@given(before=PASTED, text=st.text("abc \u00e9", max_size=10), after=PASTED)
def test_pasted_values_lose_only_their_ends(before: str, text: str, after: str) -> None:
    """All that is pasted around a value is removed, the value stays, and a second call changes nothing."""
    value = trimmed(before + text + after)
    assert value == text.strip()
    assert trimmed(value) == value


@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("\u200b", "U+200B ZERO WIDTH SPACE"),
        ("\xa0", "U+00A0 NO-BREAK SPACE"),
        ("\n", "U+000A LINE FEED"),
        ("\x01", "U+0001"),
    ],
)
def test_a_character_has_a_name(character: str, name: str) -> None:
    """A message names an invisible character."""
    assert named(character) == name
