"""Parts of messages: "did you mean", durations, and long values cut off."""

import difflib
from collections.abc import Iterable
from itertools import islice
from typing import Final

from shared.visible_text import visible

MAX_SHOWN: Final = 200
"""The most characters of an event's value that a reason or a note shows."""

MOST_COMPARED: Final = 100
"""A wrong word is compared with only so many known words."""

_COMPARED_LENGTH: Final = 80
_SHORTEST_COMPARED: Final = 3
_LISTED: Final = 5


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean `x`?)` for the nearest known word, or an empty text if none is near.

    Use it for words of this app or its operator, such as the keys of rules.yaml. For names of an event use
    `near_miss`, which costs less. Letter case is ignored.
    """
    by_lower = {candidate[:_COMPARED_LENGTH].lower(): candidate for candidate in islice(known, MOST_COMPARED)}
    near = difflib.get_close_matches(word[:_COMPARED_LENGTH].lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean `{by_lower[near[0]]}`?)" if near else ""


def near_miss(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean `x`?)` for a known word that differs by letter case or by one character.

    Only the first words are compared, each once from its beginning and once from its end: the sender of an
    event may choose ten thousand names and cause a hundred rejections a second.
    """
    wanted = word[:_COMPARED_LENGTH].lower()
    for candidate in islice(known, MOST_COMPARED):
        if candidate != word and _one_apart(wanted, candidate[:_COMPARED_LENGTH].lower()):
            return f" (did you mean `{candidate[:_COMPARED_LENGTH]}`?)"
    return ""


def _one_apart(one: str, other: str) -> bool:
    """Return whether two texts differ by one character, or by two that are swapped."""
    longest = max(len(one), len(other))
    if abs(len(one) - len(other)) > 1 or longest < _SHORTEST_COMPARED:
        return one == other
    alike = next(
        (at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right),
        min(len(one), len(other)),
    )
    rest, other_rest = one[alike:], other[alike:]
    return (
        rest[1:] == other_rest[1:]
        or rest[1:] == other_rest
        or rest == other_rest[1:]
        or (rest[:2] == other_rest[1::-1] and rest[2:] == other_rest[2:])
    )


def clipped(text: str, length: int) -> str:
    """Return a text of at most `length` characters; `…` replaces the rest."""
    return text if len(text) <= length else text[: length - 1] + "…"


def duration_text(seconds: float) -> str:
    """Return a duration as text, as in `24 h`, `10 min` or `90 s`."""
    if seconds >= 3_600:
        return f"{seconds / 3_600:.3g} h"
    return f"{seconds / 60:.3g} min" if seconds >= 120 else f"{seconds:.3g} s"


def shown(value: str) -> str:
    """Return a value of the event in backquotes, visible and cut at `MAX_SHOWN` characters."""
    return f"`{visible(value, MAX_SHOWN)}`"


def one_of(values: list[str]) -> str:
    """Return the first values in backquotes with `or` between them, and the number of further ones."""
    first = " or ".join(f"`{value}`" for value in values[:_LISTED])
    return first if len(values) <= _LISTED else f"{first} or {len(values) - _LISTED} more"
