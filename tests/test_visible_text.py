import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from shared.values.invisible import invisible_in
from shared.visible_text import CUT, INVISIBLE, visible

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_each_character_of_unicode_is_visible_or_an_escape() -> None:
    """Every control, format, surrogate, separator, blank or ignorable character of Unicode is escaped."""
    for code in range(0x110000):
        character = chr(code)
        shown = visible(character)
        if unicodedata.category(character) in _UNSEEN or INVISIBLE.match(character):
            assert re.fullmatch(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[tnr])", shown), hex(code)
        elif character == " " or unicodedata.category(character) != "Zs":
            assert shown == character


@given(st.text(st.characters(codec=None)))
def test_encoding_again_changes_nothing(text: str) -> None:
    """A second call changes nothing, and the result has no invisible character."""
    once = visible(text)
    assert visible(once) == once
    assert once.isprintable()
    assert invisible_in(once) is None
    once.encode()


@given(st.text(st.characters(codec=None)), st.integers(1, 20))
def test_a_limit_is_kept(text: str, limit: int) -> None:
    """The result has at most so many characters, and a mark if text was cut off."""
    shown = visible(text, limit)
    assert len(shown) <= limit
    assert shown == visible(text) or (shown.endswith(CUT) and visible(text).startswith(shown[:-1]))
