"""Whether a value is present, as `dedupe_by`, `latest_by` and `coalesce.by` require of all that they read.

Events with the same key share a run. So a value that many events have because they lack something (null, an
empty text, a list of nulls) must not become a key or a part of a key.
"""

import re
from collections.abc import Mapping
from typing import Final

_VISIBLE: Final = re.compile(r"[!-~\w]")
"""Decides for nearly every text, without Unicode's categories."""
_INVISIBLE: Final = frozenset({"Cc", "Cf"})
"""Unicode's categories of control and format characters, such as the zero-width space."""

_LIST: Final = "a list with a member that is "


class Parts(list[object]):
    """A list whose members may be empty texts: the result of `split`, and lists written in templates.

    `'/a/b' | split('/')` has an empty first part although the event has a value.
    """

    __slots__ = ()


def absence(value: object) -> str:
    """Return `null` or `empty` for an absent value, and an empty text if it, or anything in it, is present.

    Args:
        value: Any value of a template. Numbers, booleans and times are present, also 0 and false.
    """
    if value is None:
        return "null"
    if isinstance(value, str):
        return "empty" if _is_blank(value) else ""
    if isinstance(value, Mapping):
        return "empty" if all(map(absence, value.values())) else ""
    return "empty" if isinstance(value, (list, tuple)) and all(map(absence, value)) else ""


def written_absence(value: object) -> str:
    """Return why a value is absent when it is written as text; an empty text if it is present.

    A list is written member by member, so none of them may be absent. An object is present if one of its
    members is: a whole payload is an identity, also with null members.
    """
    if isinstance(value, (list, tuple)) and value and not isinstance(value, Parts):
        missing = next(filter(None, map(written_absence, value)), "")
        return _LIST + missing.removeprefix(_LIST) if missing else ""
    return absence(value)


def blank_message(name: str, lacks: str) -> str:
    """Return the message that a key cannot be made of a value.

    Args:
        name: The value, as the rule's author knows it.
        lacks: The result of `absence`.
    """
    return (
        f"{name} is {lacks} for this event, so it has no identity; "
        "`| default(id, true)` names another value of the event"
    )


def _is_blank(text: str) -> bool:
    """Return whether a text has no visible character."""
    if _VISIBLE.search(text):
        return False
    import unicodedata

    return all(character.isspace() or unicodedata.category(character) in _INVISIBLE for character in text)
