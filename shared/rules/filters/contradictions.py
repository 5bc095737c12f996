"""Proofs that a condition can never hold, so that a rule which never starts anything is found early.

Only what is certain is told: that nothing is found proves nothing.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import combinations
from typing import Final, cast

from shared.rules.filters.conditions import All, Any, Comparison, Condition, Not
from shared.rules.filters.operators import Compares, Number, Wanted

type _End = tuple[Number, int]
"""An end of a range: a number, and whether the end lies on it (0), just above (1) or just below (-1)."""

type _Range = tuple[_End, _End]

_LOWEST: Final = (Decimal("-Infinity"), 0)
_HIGHEST: Final = (Decimal("Infinity"), 0)

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
    return f"`{comparison}` never holds: `{comparison.key.text}` is never among {compares.value}"


def _against(first: Condition, second: Condition) -> str | None:
    """Return why two conditions never hold together."""
    if first == Not(second) or second == Not(first):
        return f"`{first}` and `{second}` never hold together"
    if not (isinstance(first, Comparison) and isinstance(second, Comparison)):
        return None
    if first.key.place != second.key.place:
        return None
    if (_is_empty(first) and _needs_a_value(second)) or (_is_empty(second) and _needs_a_value(first)):
        return f"`{first}` and `{second}` never hold together: the key is missing or it is not"
    if any(
        refused(one, other)
        for refused in (_list_refused, _ranges_refused)
        for one, other in ((first, second), (second, first))
    ):
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
    if not (_of_one_value(listed, other) or other.operator.negative):
        return False
    return not any(_satisfies(value, other) for value in listed.wanted)


def _ranges_refused(ranged: Comparison, other: Comparison) -> bool:
    """Tell whether every number that hits one comparison is refused by the other; arrays as for lists."""
    if not {ranged.operator.compares, other.operator.compares} <= _NUMBERS or ranged.operator.negative:
        return False
    pairs = [[(mine, theirs) for theirs in _ranges(other)] for mine in _ranges(ranged)]
    if other.operator.negative:
        return all(any(their[0] <= my[0] and my[1] <= their[1] for my, their in row) for row in pairs)
    apart = all(my[1] < their[0] or their[1] < my[0] for row in pairs for my, their in row)
    return apart and _of_one_value(ranged, other)


def _ranges(comparison: Comparison) -> list[_Range]:
    """Return the ranges of the numbers that hit."""
    if comparison.operator.compares is Compares.RANGES:
        return [
            ((low, 0), (high, 0)) for low, high in cast("Sequence[tuple[Number, Number]]", comparison.wanted)
        ]
    numbers = cast("Sequence[Number]", comparison.wanted)
    match comparison.operator.name:
        case "NumberGreaterThan":
            return [((numbers[0], 1), _HIGHEST)]
        case "NumberGreaterThanOrEquals":
            return [((numbers[0], 0), _HIGHEST)]
        case "NumberLessThan":
            return [(_LOWEST, (numbers[0], -1))]
        case "NumberLessThanOrEquals":
            return [(_LOWEST, (numbers[0], 0))]
        case _:
            return [((number, 0), (number, 0)) for number in numbers]


def _of_one_value(first: Comparison, second: Comparison) -> bool:
    """Tell whether a single value has to satisfy both: there is no array, or it would fail."""
    return first.key.room in _ONE_VALUE or not (first.arrays and second.arrays)


def _same_type(first: Comparison, second: Comparison) -> bool:
    types = {first.operator.compares, second.operator.compares}
    return len(types) == 1 or types == _NUMBERS


def _satisfies(value: Wanted, comparison: Comparison) -> bool:
    return comparison.operator.hits(value, comparison.wanted) is not comparison.operator.negative
