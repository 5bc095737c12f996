"""The Jinja2 environment of templates: members of JSON alone, bounded arithmetic, a budget for filters.

* Members are looked up in JSON alone, never as Python attributes. So `data.items` is the event's own `items`,
  and a template cannot reach the inside of a Python object.
* `*`, `-`, `/`, `//` and `%` accept only numbers. `+` accepts two numbers, two texts or two lists. Numbers
  have at most `MAX_BITS` bits, and there is no `**`.
* The sizes of all that filters and operators produce in one evaluation are added up, to at most `MAX_WORK`.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2 import StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from shared.errors import TemplateError
from shared.rules.templates.scope import MISSING, NAMES, absent_name, member, missing_message

MAX_BITS: Final = 256
"""Bits of a whole number in a template's arithmetic."""

MAX_WORK: Final = 4_000_000
"""Characters and list members that the filters and operators of one evaluation may produce."""

TESTS: Final[Mapping[str, Callable[[object], bool]]] = {
    "boolean": lambda value: isinstance(value, bool),
    "defined": lambda value: not isinstance(value, Undefined),
    "mapping": lambda value: isinstance(value, Mapping),
    "none": lambda value: value is None,
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "sequence": lambda value: isinstance(value, (list, tuple)),
    "string": lambda value: isinstance(value, str),
    "undefined": lambda value: isinstance(value, Undefined),
}
_spent = threading.local()


def reset_budget() -> None:
    """Begin a new evaluation on this thread."""
    _spent.work = 0


def _spend(amount: int) -> None:
    _spent.work = getattr(_spent, "work", 0) + amount
    if _spent.work > MAX_WORK:
        raise TemplateError(
            f"makes more than {MAX_WORK:,} characters in all its steps; make the template simpler"
        )


def counted(make: Callable[..., object]) -> Callable[..., object]:
    """Return a filter whose input and result count against the evaluation's budget."""

    def bounded(value: object, *args: object, **kwargs: object) -> object:
        raise_undefined(value)
        if isinstance(value, str):
            _spend(len(value))
        made = make(value, *args, **kwargs)
        _spend(len(made) if isinstance(made, (str, list, Mapping)) else 1)
        return made

    return bounded


def raise_undefined(value: object) -> None:
    """Raise the error of an undefined value.

    Raises:
        UndefinedError: The value is undefined.
    """
    if isinstance(value, Undefined):
        str(value)


class Environment(ImmutableSandboxedEnvironment):
    """Members of JSON alone, bounded arithmetic, and messages that name what is missing."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look up `obj.attribute`."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look up `obj[argument]`."""
        if isinstance(obj, Undefined):
            return obj
        found = member(obj, argument)
        return self.undefined(hint=missing_message(obj, argument)) if found is MISSING else found

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002 - Jinja's signature
        """Apply an operator within the limits."""
        for operand in (left, right):
            raise_undefined(operand)
        if operator == "+" and type(left) is type(right) and isinstance(left, (str, list)):
            _spend(len(left) + len(right))
        elif not all(isinstance(operand, (int, float)) for operand in (left, right)):
            raise TemplateError(f"`{operator}` needs two numbers{', two texts' if operator == '+' else ''}")
        elif max(_bits(left), _bits(right), _bits(left) + _bits(right) if operator == "*" else 0) > MAX_BITS:
            raise TemplateError(f"`{operator}` makes a number of more than {MAX_BITS} bits")
        return self.binop_table[operator](left, right)


def _bits(value: float) -> int:
    return value.bit_length() if isinstance(value, int) else 0


class Missing(StrictUndefined):
    """An undefined value whose message names what the event does not have."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return self._undefined_hint or absent_name(self._undefined_name or "?", NAMES)


def make_environment(
    kind: type[Environment],
    finalize: Callable[[object], object],
    filters: Mapping[str, Callable[..., object]],
    tests: Mapping[str, Callable[[object], bool]],
) -> Environment:
    """Return an environment with exactly these filters and tests.

    Args:
        kind: Its class.
        finalize: Writes a value within text.
        filters: By name.
        tests: By name.
    """
    environment = kind(undefined=Missing, finalize=finalize, cache_size=0, optimized=False, autoescape=False)
    environment.globals.clear()
    environment.filters.clear()
    environment.filters.update(filters)
    environment.tests.clear()
    environment.tests.update(tests)
    return environment
