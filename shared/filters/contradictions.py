"""Proofs that a condition can never hold, so that a rule which never starts anything is found early.

Only what is certain is told: that nothing is found proves nothing.
"""

from collections.abc import Iterable
from itertools import combinations
from typing import Final

from shared.filters.conditions import All, Any, Comparison, Condition, Not
from shared.filters.operators import Compares, Wanted

_ONE_VALUE: Final = frozenset({"attribute", "app", "extension"})
"""The rooms of keys whose value is never an array: there, one value has to satisfy every condition."""

_TYPED: Final = frozenset({"attribute", "app"})
"""The rooms of keys whose values have a known type."""

_LISTS: Final = frozenset({"StringIn", "NumberIn", "BoolEquals"})
"""The operators that name every value that satisfies them."""

_NUMBERS: Final = frozenset({Compares.NUMBERS, Compares.RANGES})


def contradiction(condition: Condition) -> str | None:
    """Return why a condition can hold for no event, in words, or None where that cannot be proven."""
    match condition:
        case Any():
            reasons = [contradiction(each) for each in condition.conditions]
            return None if None in reasons else str(reasons[0])
        case All():
            parts = list(_conjuncts(condition))
            alone = (contradiction(part) for part in parts)
            pairs = (_against(first, second) for first, second in combinations(parts, 2))
            return next((reason for reason in (*alone, *pairs) if reason is not None), None)
        case Comparison():
            return _impossible(condition)
        case _:
            return None


def _conjuncts(condition: All) -> Iterable[Condition]:
    """Yield what must hold together, lists in lists opened."""
    for part in condition.conditions:
        if isinstance(part, All):
            yield from _conjuncts(part)
        else:
            yield part


def _impossible(comparison: Comparison) -> str | None:
    """Return why a comparison fails by the type of its key alone."""
    room, compares = comparison.key.room, comparison.operator.compares
    if comparison.operator.negative or compares is Compares.NOTHING or room not in _TYPED:
        return None
    holds = Compares.BOOLEANS if comparison.key.path == ("succeeded",) else Compares.STRINGS
    if compares is holds:
        return None
    return f"{comparison} ` never holds: `{comparison.key.text}` is never among {compares.value}"


def _against(first: Condition, second: Condition) -> str | None:
    """Return why two conditions never hold together."""
    if first == Not(second) or second == Not(first):
        return f"`{first}` and `{second}` never hold together"
    if not (isinstance(first, Comparison) and isinstance(second, Comparison)):
        return None
    if (first.key.room, first.key.path) != (second.key.room, second.key.path):
        return None
    if (_is_empty(first) and _needs_a_value(second)) or (_is_empty(second) and _needs_a_value(first)):
        return f"`{first}` and `{second}` never hold together: the key is missing or it is not"
    if _list_refused(first, second) or _list_refused(second, first):
        return f"`{first}` and `{second}` never hold together: they have no value in common"
    return None


def _is_empty(comparison: Comparison) -> bool:
    return comparison.operator.name == "IsNullOrUndefined"


def _needs_a_value(comparison: Comparison) -> bool:
    return not comparison.operator.missing


def _list_refused(listed: Comparison, other: Comparison) -> bool:
    """Tell whether every value that one comparison lists is refused by the other.

    Where the key may hold an array, one member may satisfy this and another that; only a negative
    comparison speaks of all of them.
    """
    if listed.operator.name not in _LISTS or not _same_type(listed, other):
        return False
    if listed.key.room not in _ONE_VALUE and not other.operator.negative:
        return False
    return not any(_satisfies(value, other) for value in listed.wanted)


def _same_type(first: Comparison, second: Comparison) -> bool:
    types = {first.operator.compares, second.operator.compares}
    return len(types) == 1 or types == _NUMBERS


def _satisfies(value: Wanted, comparison: Comparison) -> bool:
    return comparison.operator.hits(value, comparison.wanted) is not comparison.operator.negative
