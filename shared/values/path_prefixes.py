"""Beginnings of paths: an ARM id or a path is compared up to a segment's end.

`/a/web` takes `/a/web` and `/a/web/x`, and not `/a/web-of-somebody-else`. A `*` at the end says that the rest
of the segment is open. What has no `/` is no path, and is compared as the text that it is.
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
    """Tell whether a path has a segment `.` or `..`, so that it is about another thing than it begins with.

    RFC 3986 section 5.2.4 says how such a path is resolved. The dots and the separators may be
    percent-encoded, also more than once, and a backslash separates too: programs differ in what they decode.
    """
    return ("." in path or "%" in path) and _DOTS.search(path) is not None


def begins_with(path: str, beginning: str) -> bool:
    """Tell whether a path begins with another one at a segment's end, or as text where that ends with `*`.

    Args:
        path: In the letter case in which it is compared.
        beginning: In the same one. Without a `/` in it, it is compared as text.
    """
    if beginning.endswith("*"):
        return path.startswith(beginning[:-1])
    if not path.startswith(beginning):
        return False
    is_whole = len(path) == len(beginning) or beginning.endswith("/") or "/" not in beginning
    return is_whole or path[len(beginning)] in _ENDS


def begins_with_any(path: str, beginnings: Iterable[str]) -> bool:
    """Tell whether a path begins with one of some others, and has no segment `.` or `..`."""
    return any(begins_with(path, each) for each in beginnings) and not has_dot_segments(path)
