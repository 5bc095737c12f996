"""Compiles one comparison of a filter, written as in an Event Grid subscription."""

import re
from collections.abc import Callable, Iterable
from typing import Final

from shared.event.members import kind, shown
from shared.rules.filters.conditions import Comparison
from shared.rules.filters.fields import Key, parse_key
from shared.rules.filters.operators import (
    BY_LOWER_NAME,
    OPERATORS,
    Compares,
    Number,
    Operator,
    Wanted,
    as_boolean,
    as_number,
    as_string,
)
from shared.values.json_text import Json, JsonObject
from shared.values.wording import did_you_mean
from shared.visible_text import visible

type Path = tuple[str | int, ...]

_PAIR: Final = 2
_MEMBERS: Final = {
    "operatortype": "operator",
    "operator": "operator",
    "key": "key",
    "value": "value",
    "values": "values",
}
_EXAMPLES: Final = {
    Compares.NUMBERS: "10",
    Compares.RANGES: "[[1, 5]]",
    Compares.BOOLEANS: "true",
    Compares.STRINGS: "[production]",
}
_KNOWN: Final = ("operatorType", "key", "value", "values", "all", "any", "not")


class Mistake(Exception):
    """One error in a filter, with its path."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path, self.message = path, message


class Problems:
    """Collects the errors of a filter."""

    def __init__(self) -> None:
        self.found: list[tuple[Path, str]] = []

    def add(self, path: Path, message: str) -> None:
        """Add an error."""
        self.found.append((path, message))

    def attempt[**P, T](self, part: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Return the result of a part, or add its error and return None."""
        try:
            return part(*args, **kwargs)
        except Mistake as mistake:
            self.add(mistake.path, mistake.message)
            return None


def compile_comparison(
    spec: JsonObject, path: Path, problems: Problems, *, arrays: bool
) -> Comparison | None:
    """Return the comparison that an object describes, or add its errors and return None.

    Args:
        spec: The object, with `operatorType`, `key` and `value` or `values`, in any letter case.
        path: Its path in the filter.
        problems: Takes the errors.
        arrays: Whether the members of arrays are compared.
    """
    members = _members(spec, path, problems)
    misspelt = len(members) < len(spec)  # a missing member may then be the misspelt one
    operator = (
        None if misspelt and "operator" not in members else problems.attempt(_operator, spec, members, path)
    )
    key = None if misspelt and "key" not in members else problems.attempt(_key, spec, members, path)
    if operator is None or (misspelt and members.keys().isdisjoint({"value", "values"})):
        return None
    given = problems.attempt(_given, spec, members, path, operator)
    if given is None:
        return None
    operands = [problems.attempt(_wanted, value, place, operator) for place, value in given]
    wanted = tuple(operand for operand in operands if operand is not None)
    if key is None or len(wanted) < len(given):
        return None
    return Comparison(key, operator, tuple(value for _, value in given), wanted, arrays)


def unknown(name: str, known: Iterable[str]) -> str:
    """Return the message for an unknown member."""
    return (
        f"unknown key `{visible(name, 60)}`{did_you_mean(name, known) or f'; there are {", ".join(known)}'}"
    )


def _members(spec: JsonObject, path: Path, problems: Problems) -> dict[str, str]:
    """Return each known member and its spelling in the file."""
    members: dict[str, str] = {}
    for name in map(str, spec):
        meaning = _MEMBERS.get(name.lower())
        if meaning is None:
            problems.add((*path, name), unknown(name, _KNOWN))
        elif meaning in members:
            problems.add((*path, name), f"`{name}` and `{members[meaning]}` mean the same; leave one out")
        else:
            members[meaning] = name
    return members


def _operator(spec: JsonObject, members: dict[str, str], path: Path) -> Operator:
    if "operator" not in members:
        raise Mistake(path, f"`operatorType` is missing; write one of {', '.join(OPERATORS)}")
    name = members["operator"]
    value = spec[name]
    if not isinstance(value, str):
        raise Mistake(
            (*path, name),
            f"`{name}` is {kind(value)}, not the name of an operator; write one such as `StringIn`",
        )
    operator = BY_LOWER_NAME.get(value.lower())
    if operator is None:
        meant = did_you_mean(value, OPERATORS) or f"; write one of {', '.join(OPERATORS)}"
        raise Mistake((*path, name), f"{shown(value)} is not an operator of Event Grid{meant}")
    return operator


def _key(spec: JsonObject, members: dict[str, str], path: Path) -> Key:
    if "key" not in members:
        raise Mistake(path, "`key` is missing; write what to compare, as in `key: data.targetSlot`")
    name = members["key"]
    value = spec[name]
    if not isinstance(value, str):
        raise Mistake(
            (*path, name), f"`{name}` is {kind(value)}, not a text; write a name such as `data.targetSlot`"
        )
    try:
        return parse_key(value)
    except ValueError as error:
        raise Mistake((*path, name), str(error)) from None


def _given(
    spec: JsonObject, members: dict[str, str], path: Path, operator: Operator
) -> list[tuple[Path, Json]]:
    """Return the values of the comparison, each with its path."""
    names = [name for name in ("values", "value") if name in members]
    if operator.compares is Compares.NOTHING:
        for name in names:
            if spec[members[name]] not in (None, []):
                raise Mistake((*path, members[name]), f"{operator.name} takes no value; leave `{name}` out")
        return []
    expected = "values" if operator.many else "value"
    if not names:
        fix = f"write `{expected}: {_EXAMPLES[operator.compares]}`"
        compares = f"{operator.name} compares with {operator.compares.value}"
        raise Mistake(path, f"`{expected}` is missing; {compares}: {fix}")
    if len(names) > 1:
        raise Mistake(path, f"`value` and `values` are both present; keep `{expected}` for {operator.name}")
    here = (*path, members[names[0]])
    value = spec[members[names[0]]]
    if not isinstance(value, list):
        return [(here, value)]
    if not value:
        raise Mistake(here, f"`{names[0]}` is empty; write what {operator.name} compares with")
    if len(value) > 1 and not operator.many:
        message = f"{operator.name} compares with one value, and there are {len(value)}"
        raise Mistake(here, f"{message}; write one filter for each, inside `any`")
    return [((*here, index), each) for index, each in enumerate(value)]


def _wanted(value: Json, path: Path, operator: Operator) -> Wanted:
    """Return a wanted value in the form in which it is compared."""
    found: Wanted | None
    match operator.compares:
        case Compares.RANGES:
            return _range(value, path, operator)
        case Compares.NUMBERS:
            found, remedy = as_number(value), _plain(value) or "write a number, without quotes"
        case Compares.BOOLEANS:
            found, remedy = as_boolean(value), _plain(value) or "write true or false, without quotes"
        case _:
            found, remedy = (
                as_string(value),
                f'write text in quotes: `"{shown(value)}"`'
                if isinstance(value, (bool, int, float))
                else "write text",
            )
    if found is None:
        raise Mistake(
            path,
            f"{operator.name} compares with {operator.compares.value}, and {shown(value)} is {kind(value)};"
            f" {remedy}",
        )
    return found


def _plain(value: Json) -> str:
    """Return the fix for a number or a boolean in quotes."""
    quoted = isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]+)?|true|false", value)
    return f"write `{value}`, without quotes" if quoted else ""


def _range(value: Json, path: Path, operator: Operator) -> tuple[Number, Number]:
    ends = [as_number(end) for end in value] if isinstance(value, list) else []
    low, high = ends if len(ends) == _PAIR else (None, None)
    if low is None or high is None:
        raise Mistake(
            path,
            f"{operator.name} compares with pairs of numbers, and this is {shown(value)}; write pairs, as in"
            " `values: [[1, 5], [10, 20]]`",
        )
    if low > high:
        raise Mistake(path, f"no number is in the range {shown(value)}; write the lower end first")
    return low, high
