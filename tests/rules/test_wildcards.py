"""Patterns with `*`: the same results as a regular expression, without its cost."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.rules.wildcards import matches, matches_any


@settings(deadline=None)
@given(pattern=st.text("ab*", max_size=8), name=st.text("ab", max_size=10))
def test_a_star_is_any_characters(pattern: str, name: str) -> None:
    """Each `*` matches any characters or none, and every other character matches only itself."""
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None
    assert matches(pattern, name) is expected


@settings(deadline=None)
@given(parts=st.lists(st.text("abc", max_size=3), min_size=1, max_size=4), filler=st.text("abc", max_size=3))
def test_what_a_pattern_was_made_of_fits_it(parts: list[str], filler: str) -> None:
    """A name that is made of a pattern's parts, with any text between them, matches the pattern."""
    assert matches("*".join(parts), filler.join(parts))


def test_no_part_is_used_twice() -> None:
    """Beginning, middle and end of a name do not overlap."""
    assert not matches("ab*ba", "aba")
    assert not matches("a*b*b", "ab")
    assert not matches("*aa*aa*", "aaa")
    assert matches("ab*ba", "abba")


def test_letter_case_counts_unless_it_is_said_not_to() -> None:
    """Names of DAGs differ by letter case, types of events do not."""
    assert not matches_any(["A*"], "abc")
    assert matches_any(["A*"], "abc", case=False)
    assert matches_any(["a*"], "ABC", case=False)
    assert not matches_any(None, "abc")
