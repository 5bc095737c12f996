"""The right spelling of keys that are written as in a template, in JSONPath or in code.

A filter compares every value of a list, so a key cannot have an index.
"""

import re
from collections.abc import Sequence
from typing import Final

NAMES_OF_TEMPLATES: Final = frozenset({"event", "extensions", "$", "@"})
"""First names in templates and in JSONPath that a key does not have."""

_PUNCTUATION: Final = re.compile(r"[\[\](){}|]")
_INDEX: Final = re.compile(r"-?[0-9]+|\*|")
_STEP: Final = re.compile(
    r"\.?\[\s*(?:'(?P<single>[^']+)'|\"(?P<double>[^\"]+)\"|(?P<bare>[^\[\]'\"]*?))\s*\]"
    r"|\.?(?P<dotted>[^.\[\](){}|'\"\s]+)"
)


def needs_quotes(name: str) -> bool:
    """Return whether a name inside data needs quotes, because it has another meaning without them."""
    return bool(_PUNCTUATION.search(name) or _INDEX.fullmatch(name) or name != name.strip())


def right_spelling(text: str, name: str) -> str:
    """Return what is wrong with a key, and how it is spelt.

    Args:
        text: The key as it is written.
        name: The part of it that is not a name.
    """
    problem = f"{text!r} is not a key of a filter"
    inner = text.strip().removeprefix("{{").removesuffix("}}").strip()
    plain, pipe, _ = inner.partition("|")
    steps = _steps(plain.strip())
    if steps is None:
        return (
            f"{problem}; write names joined by dots, as in data.sourceSlot; a name that contains "
            f"`{name.strip()}` needs quotes"
        )
    index = next((at for at, (_, is_index) in enumerate(steps) if is_index), None)
    names = [step for step, _ in steps]
    if index is None:
        filters = ", without the template's filter" if pipe else ""
        return f"{problem}; write {joined(names)}{filters}"
    objects = ", and cannot read objects in a list" if index < len(names) - 1 else ""
    named = (
        f" (a member with the name `{names[index]}` needs quotes: {joined(names)})"
        if names[index] not in {"", "*"}
        else ""
    )
    return (
        f"{problem}: a filter compares every value of a list{objects}; write {joined(names[:index])}{named}"
    )


def joined(names: Sequence[str]) -> str:
    """Return the key for some names."""
    return ".".join(
        '"' + name.replace('"', '""') + '"'
        if at and (needs_quotes(name) or "." in name or name[:1] in "\"'")
        else name
        for at, name in enumerate(names)
    )


def _steps(text: str) -> list[tuple[str, bool]] | None:
    """Return the names of a path and whether each is an index; None if the text is not a path."""
    matches = list(_STEP.finditer(text))
    if not matches or "".join(match.group() for match in matches) != text:
        return None
    steps: list[tuple[str, bool]] = []
    for match in matches:
        name = next(part for part in match.groups() if part is not None)
        quoted = match["single"] is not None or match["double"] is not None
        steps.append((name, not quoted and _INDEX.fullmatch(name) is not None))
    if len(steps) > 1 and steps[0][0] in NAMES_OF_TEMPLATES:
        del steps[0]
    return None if steps[0][1] else steps
