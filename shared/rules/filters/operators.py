"""Event Grid's nineteen operators, as a table.

Event Grid defines their results for a scalar, an array and a missing key
(https://learn.microsoft.com/azure/event-grid/event-filtering#advanced-filtering).
docs/filters.md has the cases that this page leaves open.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import isfinite
from typing import Final

from shared.values.json_text import Json

type Number = int | float
type Operand = str | bool | Number
type Wanted = Operand | tuple[Number, Number]


class Compares(Enum):
    """The type of value that an operator compares; values of another type are ignored."""

    NUMBERS = "numbers"
    RANGES = "number ranges"
    BOOLEANS = "booleans"
    STRINGS = "strings"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator.

    Attributes:
        name: Event Grid's name.
        compares: The type of value that it compares.
        many: Whether it has several values (`values`) or one (`value`).
        hits: Whether a value of the event matches one of the wanted values.
        negative: Whether the condition fails if a value matches.
        missing: Whether the condition holds if the key is missing or null.
    """

    name: str
    compares: Compares
    many: bool
    hits: Callable[..., bool]
    negative: bool = False
    missing: bool = False


def as_number(value: Json) -> Number | None:
    """Return a finite number, or None for any other value, also for a boolean."""
    match value:
        case bool():
            return None
        case int():
            return value
        case float():
            return value if isfinite(value) else None
        case _:
            return None


def as_string(value: Json) -> str | None:
    """Return a string in a form without letter case, or None for any other value."""
    return value.casefold() if isinstance(value, str) else None


def as_boolean(value: Json) -> bool | None:
    """Return a boolean, or None for any other value."""
    return value if isinstance(value, bool) else None


def _is_in(value: Operand, wanted: tuple[Operand, ...]) -> bool:
    return value in wanted


def _in_range(value: Number, wanted: tuple[tuple[Number, Number], ...]) -> bool:
    return any(low <= value <= high for low, high in wanted)


def _contains(value: str, wanted: tuple[str, ...]) -> bool:
    return any(part in value for part in wanted)


def _begins(value: str, wanted: tuple[str, ...]) -> bool:
    return value.startswith(wanted)


def _ends(value: str, wanted: tuple[str, ...]) -> bool:
    return value.endswith(wanted)


def _greater(value: Number, wanted: tuple[Number, ...]) -> bool:
    return value > wanted[0]


def _greater_or_equal(value: Number, wanted: tuple[Number, ...]) -> bool:
    return value >= wanted[0]


def _less(value: Number, wanted: tuple[Number, ...]) -> bool:
    return value < wanted[0]


def _less_or_equal(value: Number, wanted: tuple[Number, ...]) -> bool:
    return value <= wanted[0]


_N, _R, _B, _S = Compares.NUMBERS, Compares.RANGES, Compares.BOOLEANS, Compares.STRINGS

_TABLE: Final = (
    Operator("NumberGreaterThan", _N, many=False, hits=_greater),
    Operator("NumberGreaterThanOrEquals", _N, many=False, hits=_greater_or_equal),
    Operator("NumberLessThan", _N, many=False, hits=_less),
    Operator("NumberLessThanOrEquals", _N, many=False, hits=_less_or_equal),
    Operator("NumberIn", _N, many=True, hits=_is_in),
    Operator("NumberNotIn", _N, many=True, hits=_is_in, negative=True, missing=True),
    Operator("NumberInRange", _R, many=True, hits=_in_range),
    Operator("NumberNotInRange", _R, many=True, hits=_in_range, negative=True, missing=True),
    Operator("BoolEquals", _B, many=False, hits=_is_in),
    Operator("StringContains", _S, many=True, hits=_contains),
    Operator("StringNotContains", _S, many=True, hits=_contains, negative=True),
    Operator("StringBeginsWith", _S, many=True, hits=_begins),
    Operator("StringNotBeginsWith", _S, many=True, hits=_begins, negative=True),
    Operator("StringEndsWith", _S, many=True, hits=_ends),
    Operator("StringNotEndsWith", _S, many=True, hits=_ends, negative=True),
    Operator("StringIn", _S, many=True, hits=_is_in),
    Operator("StringNotIn", _S, many=True, hits=_is_in, negative=True, missing=True),
    Operator("IsNullOrUndefined", Compares.NOTHING, many=False, hits=_is_in, missing=True),
    Operator("IsNotNull", Compares.NOTHING, many=False, hits=_is_in, negative=True),
)

OPERATORS: Final = {operator.name: operator for operator in _TABLE}
"""The operators by their names."""

BY_LOWER_NAME: Final = {name.lower(): operator for name, operator in OPERATORS.items()}
"""The operators by lower-case names, as the Azure CLI writes them."""
