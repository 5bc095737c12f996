"""Whether a value is there: what `dedupe_by`, `latest_by` and `coalesce.by` ask of all that they read.

A key is what makes events one. So a value that many events have in common because they lack something (null,
an empty text, a list of nothing) must never become a key, or a part of one.
"""

import re
from collections.abc import Mapping
from typing import Final

_VISIBLE: Final = re.compile(r"[!-~\w]")
"""What tells for nearly every text that there is something to see."""
_INVISIBLE: Final = frozenset({"Cc", "Cf"})
"""Control and format characters, the zero-width space among them (Unicode's general categories)."""

_LIST: Final = "a list with a member that is "


class Parts(list[object]):
    """A list whose members may be empty texts: what `split` gives, and the lists that templates write.

    `'/a/b' | split('/')` has an empty first part although the event has a value.
    """

    __slots__ = ()


def absence(value: object) -> str:
    """Return what a value lacks, `null` or `empty`; an empty text where it, or anything in it, is there.

    Args:
        value: Any value of a template. Numbers, truth values and times are there, 0 and false as well.
    """
    if value is None:
        return "null"
    if isinstance(value, str):
        return "empty" if _is_blank(value) else ""
    if isinstance(value, Mapping):
        return "empty" if all(map(absence, value.values())) else ""
    return "empty" if isinstance(value, (list, tuple)) and all(map(absence, value)) else ""


def written_absence(value: object) -> str:
    """Return what a value lacks once it is written as text; an empty text where it is there.

    A list is written member by member, so none of them may be absent. An object is there as long as one of
    its members is: a whole payload is an identity, whatever else it leaves out.
    """
    if isinstance(value, (list, tuple)) and value and not isinstance(value, Parts):
        missing = next(filter(None, map(written_absence, value)), "")
        return _LIST + missing.removeprefix(_LIST) if missing else ""
    return absence(value)


def blank_message(name: str, lacks: str) -> str:
    """Say that a key cannot be made of a value.

    Args:
        name: The value, as a person knows it.
        lacks: What it lacks, as `absence` has it.
    """
    return (
        f"{name} is {lacks} for this event, so it has no identity; "
        "`| default(id, true)` names another value of the event"
    )


def _is_blank(text: str) -> bool:
    """Tell whether a text has no visible character."""
    if _VISIBLE.search(text):
        return False
    import unicodedata

    return all(character.isspace() or unicodedata.category(character) in _INVISIBLE for character in text)
