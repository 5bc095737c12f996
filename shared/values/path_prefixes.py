"""Compares the beginnings of ARM ids and paths, segment by segment.

`/a/web` matches `/a/web` and `/a/web/x`, but not `/a/web-of-somebody-else`. A `*` at the end matches the rest
of the segment. A value without `/` is not a path and is compared as text.
"""

import re
from collections.abc import Iterable
from typing import Final

_SEPARATOR: Final = r"(?:[/\\]|%(?:25)*+(?:2f|5c))"
_DOT: Final = r"(?:\.|%(?:25)*+2e)"
_DOTS: Final = re.compile(
    rf"(?:^|{_SEPARATOR}){_DOT}{{1,2}}(?:$|[?#;]|{_SEPARATOR}|%(?:25)*+(?:3b|3f|23))", re.IGNORECASE
)
_ENDS: Final = ("/", "?", "#")


def has_dot_segments(path: str) -> bool:
    """Return whether a path has a segment `.` or `..`, so that it means another thing than its beginning.

    RFC 3986 section 5.2.4 defines how such a path is resolved. Dots and separators may be percent-encoded,
    also more than once, and a backslash counts as a separator: programs differ in what they decode.
    """
    return ("." in path or "%" in path) and _DOTS.search(path) is not None


def begins_with(path: str, beginning: str) -> bool:
    """Return whether a path begins with another one: by segments, or as text if that one ends with `*`.

    Args:
        path: The path; letter case counts.
        beginning: The beginning; without a `/`, it is compared as text.
    """
    if beginning.endswith("*"):
        return path.startswith(beginning[:-1])
    if not path.startswith(beginning):
        return False
    is_whole = len(path) == len(beginning) or beginning.endswith("/") or "/" not in beginning
    return is_whole or path[len(beginning)] in _ENDS


def begins_with_any(path: str, beginnings: Iterable[str]) -> bool:
    """Return whether a path begins with one of several others, and has no segment `.` or `..`."""
    return any(begins_with(path, each) for each in beginnings) and not has_dot_segments(path)
