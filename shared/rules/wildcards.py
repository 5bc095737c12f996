"""Patterns with `*`, which `callers` of rules.yaml uses for DAGs, conf keys, event types and sources.

A caller chooses the name, so the cost must not depend on how name and pattern fit. Each part between two `*`
is searched once, after the part before it. A regular expression could backtrack instead.
"""

from collections.abc import Iterable


def matches_any(patterns: Iterable[str] | None, name: str, *, case: bool = True) -> bool:
    """Return whether a name matches one of the patterns; without patterns nothing matches.

    Args:
        patterns: Names in which `*` matches any characters.
        name: The name.
        case: Whether letter case must match.
    """
    seen = name if case else name.lower()
    return any(matches(pattern if case else pattern.lower(), seen) for pattern in patterns or ())


def matches(pattern: str, name: str) -> bool:
    """Return whether a whole name matches a pattern, in linear time.

    The first match of a part is sufficient: it leaves the longest rest of the name for the other parts.
    """
    first, *parts = pattern.split("*")
    if not parts:
        return name == first
    last = parts.pop()
    at, end = len(first), len(name) - len(last)
    if at > end or not name.startswith(first) or not name.endswith(last):
        return False
    for part in parts:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
