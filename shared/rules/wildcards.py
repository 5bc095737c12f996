"""Names with `*` in them, as `callers` of rules.yaml writes DAGs, conf keys, event types and sources."""

import re
from collections.abc import Iterable
from functools import lru_cache


def matches_any(patterns: Iterable[str] | None, name: str, *, case: bool = True) -> bool:
    """Tell whether a name fits one of the patterns; None has none, so that nothing fits.

    Args:
        patterns: Names in which `*` stands for any characters.
        name: The name.
        case: Whether letter case counts.
    """
    seen = name if case else name.lower()
    return any(
        _compiled(pattern if case else pattern.lower()).fullmatch(seen) is not None
        for pattern in patterns or ()
    )


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
