"""The nearest rule for an event that no rule matches, and its first condition that failed.

It is for the event's log line, so its cost is limited: at most `MOST_RULES` rules with the event's type are
checked. If there is no such rule, at most `MOST_TYPES` type names are compared.
"""

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from shared.deciding.matching import Matching
from shared.values.wording import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.event import Event
    from shared.rules import Rules

MOST_RULES: Final = 10
"""Rules that are checked."""
MOST_TYPES: Final = 100
"""Type names that are compared."""
_LEAST_ALIKE: Final = 4
"""Characters that the beginnings of two similar type names have in common."""
_COMPARED: Final = 200


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Why no rule matched an event.

    Attributes:
        rule: The nearest rule; or an empty text.
        reason: The failed condition, with the value of the event.
    """

    rule: str
    reason: str


def nearest(event: "Event", rules: "Rules") -> Unmatched:
    """Return the rule whose conditions failed last in the fixed order, and the condition that failed."""
    candidates = rules.for_type(event.type.lower())
    if not candidates:
        return _of_type(event, rules)
    matching = Matching(event)
    found = [(matching.steps_held(rule), rule) for rule in candidates[:MOST_RULES]]
    most = max(steps for steps, _ in found)
    rule = next(rule for steps, rule in found if steps == most)
    reason = matching.failure(rule)
    left = len(candidates) - MOST_RULES
    others = f" ({left} more rules with this type were not checked)" if left > 0 else ""
    return Unmatched(rule.name, f"{reason}{others}")


def _of_type(event: "Event", rules: "Rules") -> Unmatched:
    """Return that no rule has the type, with the rule whose type has the longest common beginning."""
    wanted = event.type[:_COMPARED].lower()
    best, near = _LEAST_ALIKE - 1, None
    for rule, name in islice(_types(rules), MOST_TYPES):
        alike = _alike(wanted, name.lower())
        if alike > best:
            best, near = alike, (rule, name)
    none = f"no rule has the type {shown(event.type)}"
    if near is None:
        return Unmatched("", none)
    rule, name = near
    return Unmatched(rule, f"{none}; the nearest type is `{name}` of the rule `{rule}`")


def _types(rules: "Rules") -> "Iterator[tuple[str, str]]":
    for rule in rules.rules:
        for name in rule.spec.when.types or ():
            yield rule.name, name


def _alike(one: str, other: str) -> int:
    """Return the length of the common beginning of two texts."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
