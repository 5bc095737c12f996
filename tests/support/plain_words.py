"""Words and phrases that pages and code must not have, each with the plain word."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

WORDS: Final = {
    r"what (?:comes|becomes) of|comes? of it": "result",
    r"whoever|whosoever": "the noun: the sender, the operator",
    r"mend(?:s|ed|ing)?": "fix",
    r"see to": "check",
    r"for (?:itself|themselves)": "the noun, or nothing",
    r"of (?:no )?use": "has an effect, has no effect, is used",
    r"(?:is|are) none(?: that)?": "is not a",
    r"such (?!as\b)[\w' -]{1,60}? as": "the noun",
    r"(?:that|those) of": "the noun",
    r"(?<!there )(?:is|are) no(?! longer\b)": "is not a",
    r"told|tells?": "reports, returns, shows",
    r"says (?:which|so|what|how|that)": "names, reports",
    r"strangers?": "unauthenticated client, sender",
    r"(?<!\.)(?:gates?|doors?)(?!:)": "throttle, limit, check",
    r"stands? (?:in|at|here|there|beside|behind|before)|lies? (?:in|at|there)": "is in",
    r"lets? (?:\w+ )?in|get(?:s|ting)? (?:\w+ )?in": "accepts, may call",
    r"(?:no|its|a|their) place|places? in line|in line": "slot, wait queue",
    r"(?:its|their|in) turns?": "lease tenure, order",
    r"proofs?": "credential",
    r"(?:a|the|its|each|our|this) letters?": "dead letter",
    r"person (?:must|has to) act": "operator action needed",
    r"none the less|besides|thereof|therein": "also, still",
    r"in silence": "without a log line",
    r"heals?": "is fixed, continues",
    r"cliff": "the number at which it fails",
}
"""Patterns of words and phrases, each with the plain word."""

_ABBREVIATIONS: Final = re.compile(r"\b(?:e\.g|i\.e|etc|vs|No|approx)\.")
_CODE: Final = re.compile(r"`[^`]*`")
_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


def plain(line: str) -> str:
    """Return a line with each code span as one word, links as their text, and no abbreviations."""
    return _ABBREVIATIONS.sub("abbreviation", _LINK.sub(r"\1", _CODE.sub("Code", line)))


def words_of_our_own(text: str) -> Iterator[tuple[str, str]]:
    """Yield each phrase of `WORDS` in a text, with the plain word."""
    for found in _any_word().finditer(text):
        yield found[0], list(WORDS.values())[int(str(found.lastgroup).removeprefix("word"))]


@cache
def _any_word() -> re.Pattern[str]:
    words = "|".join(f"(?P<word{number}>{pattern})" for number, pattern in enumerate(WORDS))
    return re.compile(rf"\b(?:{words})(?!\w)", re.IGNORECASE)
