"""Words for messages: "did you mean", durations, and long values cut short."""

import difflib
from collections.abc import Iterable
from typing import Final

from shared.visible_text import visible

MAX_SHOWN: Final = 200
"""Characters of a value of the event that a reason or a note shows."""

_LISTED: Final = 5


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean `x`?)` for the nearest known word, or nothing where none is near.

    Letter case is left out of the comparison: a wrong case is the nearest mistake of all.
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean `{by_lower[near[0]]}`?)" if near else ""


def clipped(text: str, length: int) -> str:
    """Return a text of at most `length` characters; `…` stands for what was cut off."""
    return text if len(text) <= length else text[: length - 1] + "…"


def duration_text(seconds: float) -> str:
    """Return a duration as a person says it, as in `24 h`, `10 min` or `90 s`."""
    if seconds >= 3_600:  # noqa: PLR2004 - an hour
        return f"{seconds / 3_600:.3g} h"
    return f"{seconds / 60:.3g} min" if seconds >= 120 else f"{seconds:.3g} s"  # noqa: PLR2004 - two minutes


def shown(value: str) -> str:
    """Return a value of the event in backquotes, visible and cut at `MAX_SHOWN` characters."""
    return f"`{visible(value, MAX_SHOWN)}`"


def one_of(values: list[str]) -> str:
    """Return the first values in backquotes with `or` between them, and how many more there are."""
    first = " or ".join(f"`{value}`" for value in values[:_LISTED])
    return first if len(values) <= _LISTED else f"{first} or {len(values) - _LISTED} more"
