"""Names with `*` in them, as `callers` of rules.yaml writes DAGs, conf keys, event types and sources.

The operator writes the pattern and a caller writes the name, so the cost must not depend on how the two fit:
each part between two `*` is searched once, from where the part before it ended. Nothing is tried twice, as a
backtracking regular expression would.
"""

from collections.abc import Iterable


def matches_any(patterns: Iterable[str] | None, name: str, *, case: bool = True) -> bool:
    """Tell whether a name fits one of the patterns; None has none, so that nothing fits.

    Args:
        patterns: Names in which `*` stands for any characters.
        name: The name.
        case: Whether letter case counts.
    """
    seen = name if case else name.lower()
    return any(matches(pattern if case else pattern.lower(), seen) for pattern in patterns or ())


def matches(pattern: str, name: str) -> bool:
    """Tell whether a whole name fits a pattern; the time grows with the name's length, never faster.

    The first place where a part fits is as good as any later one: it leaves the most of the name to the parts
    that follow.
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
