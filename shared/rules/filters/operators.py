"""Event Grid's nineteen operators, as a table.

What each means for a scalar, an array and a missing key is Event Grid's own
(https://learn.microsoft.com/azure/event-grid/event-filtering#advanced-filtering); what that page leaves open
is decided in docs/filters.md.
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
    """What type of value an operator compares; values of another type are passed over."""

    NUMBERS = "numbers"
    RANGES = "number ranges"
    BOOLEANS = "booleans"
    STRINGS = "strings"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator.

    Attributes:
        name: As Event Grid spells it.
        compares: The type of value that it is about.
        many: Whether it takes several values (`values`), any of which may hit, or one (`value`).
        hits: Whether a value of the event hits one of the wanted values; the null tests have none.
        negative: Whether a hit means that the condition fails.
        missing: Whether a key that is missing or null matches.
    """

    name: str
    compares: Compares
    many: bool
    hits: Callable[..., bool]
    negative: bool = False
    missing: bool = False


def as_number(value: Json) -> Number | None:
    """Return a finite number, or None where the value is not one: a boolean is not."""
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
    """Return a string in the form in which letter case does not matter, or None where it is no string."""
    return value.casefold() if isinstance(value, str) else None


def as_boolean(value: Json) -> bool | None:
    """Return a boolean, or None where it is none."""
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
"""The operators by the names that Event Grid gives them."""

BY_LOWER_NAME: Final = {name.lower(): operator for name, operator in OPERATORS.items()}
"""The same by lower-case names, which the Azure CLI uses."""
