"""Conditions on an event: Event Grid's comparisons, and `all`, `any` and `not` over them."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from shared.event.members import shown
from shared.rules.filters.fields import MISSING, Fields, Found, Key, nearby_name, opening_problem
from shared.rules.filters.operators import (
    Compares,
    Operand,
    Operator,
    Wanted,
    as_boolean,
    as_number,
    as_string,
)
from shared.values.json_text import Json

_VALUES_SHOWN: Final = 5
_PLAIN: Final = re.compile(r"[A-Za-z_/][\w./:@-]{0,59}")
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")

_READ: Final[Mapping[Compares, Callable[[Json], Operand | None]]] = {
    Compares.NUMBERS: as_number,
    Compares.RANGES: as_number,
    Compares.BOOLEANS: as_boolean,
    Compares.STRINGS: as_string,
    Compares.NOTHING: lambda _: None,
}


class Condition(Protocol):
    """Holds for an event or fails, and can explain why it fails."""

    def holds(self, fields: Fields) -> bool:
        """Return whether the condition holds."""
        ...

    def failure(self, fields: Fields) -> str | None:
        """Return the first condition that failed and the value of the event; None if the condition holds."""
        ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """One of Event Grid's advanced filters.

    Attributes:
        key: The value of the event that is compared.
        operator: How it is compared.
        values: The wanted values as they are written.
        wanted: The wanted values in the form in which they are compared.
        arrays: Whether the members of arrays are compared (`enableAdvancedFilteringOnArrays`). If not, an
            array fails.
    """

    key: Key
    operator: Operator
    values: tuple[Json, ...]
    wanted: tuple[Wanted, ...]
    arrays: bool = True

    def holds(self, fields: Fields) -> bool:
        """Return whether the condition holds."""
        return self._judge(fields.get(self.key))

    def failure(self, fields: Fields) -> str | None:
        """Return the condition and the value of the event; None if the condition holds."""
        found = fields.get(self.key)
        if self._judge(found):
            return None
        if found is not MISSING:
            hint = "; in Unicode's form NFC the two are the same text" if self._differs_in_form(found) else ""
            return f"{self}: saw {shown(found)}{hint}"
        near = nearby_name(self.key, fields.event)
        same = near is not None and near.lower() in {name.lower() for name in self.key.path}
        what = "letter case matters" if same else "Unicode's normal form matters"
        hint = "" if near is None else f" (there is {shown(near)}: {what} inside data)"
        problem = opening_problem(self.key, fields.event)
        hint = hint if problem is None else f" ({problem})"
        return f"{self}: {self.key.text} is missing{hint}"

    def __str__(self) -> str:
        words = [_word(value) for value in self.values[:_VALUES_SHOWN]]
        if len(self.values) > _VALUES_SHOWN:
            words.append(f"… {len(self.values)} in all")
        listed = f" [{', '.join(words)}]" if self.operator.many else "".join(f" {word}" for word in words)
        return f"{self.key.text} {self.operator.name}{listed}"

    def _judge(self, found: Found) -> bool:
        operator = self.operator
        if found is MISSING or found is None:
            return operator.missing
        if isinstance(found, list):
            if not self.arrays and operator.compares is not Compares.NOTHING:
                return False
            hit = any(self._hits(member) for member in _flat(found))
        else:
            hit = self._hits(found)
        return hit is not operator.negative

    def _differs_in_form(self, found: Found) -> bool:
        """Return whether a text fails only because one is in Unicode's form NFD and the other in NFC."""
        if not isinstance(found, str) or found.isascii() or self.operator.negative:
            return False
        wanted = tuple(_nfc(value) if isinstance(value, str) else value for value in self.wanted)
        return self.operator.compares is Compares.STRINGS and self.operator.hits(
            _nfc(found.casefold()), wanted
        )

    def _hits(self, value: Json) -> bool:
        compares = self.operator.compares
        if self.key.group == "extension":
            value = _extension_as(compares, value)
        operand = _READ[compares](value)
        return operand is not None and self.operator.hits(operand, self.wanted)


@dataclass(frozen=True, slots=True)
class All:
    """Holds if every condition holds; without conditions it always holds."""

    conditions: tuple[Condition, ...]

    def holds(self, fields: Fields) -> bool:
        """Return whether every condition holds."""
        return all(condition.holds(fields) for condition in self.conditions)

    def failure(self, fields: Fields) -> str | None:
        """Return the failure of the first condition that fails."""
        failures = (condition.failure(fields) for condition in self.conditions)
        return next((failure for failure in failures if failure is not None), None)

    def __str__(self) -> str:
        return f"all of ({'; '.join(str(condition) for condition in self.conditions)})"


@dataclass(frozen=True, slots=True)
class Any:
    """Holds if at least one condition holds."""

    conditions: tuple[Condition, ...]

    def holds(self, fields: Fields) -> bool:
        """Return whether a condition holds."""
        return any(condition.holds(fields) for condition in self.conditions)

    def failure(self, fields: Fields) -> str | None:
        """Return the failures of all conditions; None if one holds."""
        failures: list[str] = []
        for condition in self.conditions:
            failure = condition.failure(fields)
            if failure is None:
                return None
            failures.append(failure)
        return f"none of {len(failures)} holds: {'; '.join(failures)}"

    def __str__(self) -> str:
        return f"any of ({'; '.join(str(condition) for condition in self.conditions)})"


@dataclass(frozen=True, slots=True)
class Not:
    """Holds if its condition fails."""

    condition: Condition

    def holds(self, fields: Fields) -> bool:
        """Return whether the condition fails."""
        return not self.condition.holds(fields)

    def failure(self, fields: Fields) -> str | None:
        """Return the condition that holds, with the value of the event; None if it fails."""
        if not self.condition.holds(fields):
            return None
        seen = ""
        if isinstance(self.condition, Comparison):
            found = fields.get(self.condition.key)
            seen = ": it is missing" if found is MISSING else f": saw {shown(found)}"
        return f"not ({self.condition}){seen}"

    def __str__(self) -> str:
        return f"not ({self.condition})"


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _word(value: Json) -> str:
    """Return a wanted value as in YAML, with quotes only if it is not text without them."""
    plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value not in {"true", "false", "null"}
    return str(value) if plain else shown(value)


def certain_comparisons(condition: Condition | None) -> Iterator[Comparison]:
    """Yield the comparisons that must hold whenever the condition holds."""
    if isinstance(condition, Comparison):
        yield condition
    elif isinstance(condition, All):
        for inner in condition.conditions:
            yield from certain_comparisons(inner)


def _flat(members: list[Json]) -> Iterator[Json]:
    """Yield the scalars of an array and of the arrays in it; filters ignore objects."""
    stack: list[Json] = [members]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(value)
        elif not isinstance(value, dict):
            yield value


def _extension_as(compares: Compares, value: Json) -> Json:
    """Return an extension attribute in the type that the operator compares.

    In HTTP headers every attribute is text in its type's canonical form (CloudEvents, Type System), so `5`
    and `"5"` are the same value.
    """
    if compares is Compares.STRINGS:
        return str(value).lower() if isinstance(value, int) else value
    if isinstance(value, str):
        if compares is Compares.BOOLEANS:
            return {"true": True, "false": False}.get(value, value)
        if _INTEGER.fullmatch(value) is not None:
            return int(value)
    return value
