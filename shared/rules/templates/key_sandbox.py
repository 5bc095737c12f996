"""The sandbox of templates for keys: `dedupe_by`, `latest_by` and `coalesce.by`.

Every value that such a template reads or makes must be present (`presence.py`). A value of the event, or the
result of a filter, that is null or empty becomes a `Blank`: an undefined value that raises wherever it is
used, except in `default`. So filters, other text, conditions and tests cannot hide a missing value.

`default` handles a missing value if it names another value of the event: `{{ data.build | default(id) }}`.
With `true` as its second argument it also handles null and empty values. A fixed text in `default` would give
all events without the value the same identity, so it becomes a `Blank`, too.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, cast

from jinja2 import Undefined, nodes
from jinja2.visitor import NodeTransformer

from shared.errors import TemplateError
from shared.rules.templates.environment import (
    TESTS,
    Environment,
    Missing,
    counted,
    make_environment,
    raise_undefined,
)
from shared.rules.templates.filters import FILTERS
from shared.rules.templates.presence import Parts, absence, blank_message, written_absence
from shared.rules.templates.sandbox import CONCATENATE, Dialect
from shared.values.storable import to_text

_GIVEN: Final = "_given"
_LITERAL: Final = "_literal"
_FIXED: Final = "_fixed"
_FIXED_MESSAGE: Final = (
    "this event lacks a value, and `default` has a fixed text, so the event has no identity; name another "
    "value of the event, as in `| default(id)`"
)
_SAME_FOR_ALL: Final = frozenset({"rule", "specversion"})
"""Names that are the same for every event of a rule."""
_NAVIGATING: Final = frozenset({"first", "last", "map", "without_reserved"})
"""Filters that return a part of a value; all others use the whole value."""


class Blank(Missing):
    """Replaces a null, empty or fixed value: it raises when it is used."""

    __slots__ = ()


def _blank(name: str, lacks: str) -> Blank:
    return Blank(hint=blank_message(name, lacks))


def _given(value: object) -> object:
    """Return a value that may be part of a key; an empty text can only be the template's own here."""
    raise_undefined(value)
    lacks = "" if isinstance(value, str) else written_absence(value)
    if lacks:
        raise TemplateError(blank_message("a value", lacks))
    return value


def _written(value: object) -> str:
    return to_text(_given(value))


def _concatenate(parts: list[object]) -> str:
    return str(FILTERS["join"]([_written(part) for part in parts]))


def _filter(name: str, make: Callable[..., object]) -> Callable[..., object]:
    """Return a filter that refuses absent values, and returns a `Blank` if its result is absent."""
    bounded = counted(make)

    def strict(value: object, *args: object, **kwargs: object) -> object:
        for each in (value, *args, *kwargs.values()):
            raise_undefined(each)
        lacks = absence(value) if name in _NAVIGATING else written_absence(value)
        if lacks:
            raise TemplateError(blank_message(f"the input of `{name}`", lacks))
        made = bounded(value, *args, **kwargs)
        if lacks := absence(made):
            return _blank(f"the result of `{name}`", lacks)
        return Parts(cast("list[object]", made)) if name == "split" else made

    return strict


def _default(
    value: object,
    otherwise: object = None,
    boolean: bool = False,  # noqa: FBT001, FBT002 - Jinja's signature
) -> object:
    """Return another value for a missing one; with `true` also for a null or empty one."""
    if isinstance(value, Blank) and not boolean:
        return value
    return otherwise if isinstance(value, Undefined) or (boolean and not value) else value


def _test(test: Callable[[object], bool]) -> Callable[[object], bool]:
    def strict(value: object) -> bool:
        raise_undefined(value)
        return test(value)

    return strict


class _KeyEnvironment(Environment):
    """Returns a `Blank` for each member that is null or empty."""

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look up `obj[argument]`."""
        found = super().getitem(obj, argument)
        if isinstance(found, Undefined):
            return found
        if lacks := absence(found):
            return _blank("a part" if isinstance(argument, slice) else f"`{str(argument)[:60]}`", lacks)
        return Parts(found) if isinstance(obj, Parts) and isinstance(found, list) else found

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Apply an operator within the limits."""
        operands = (list(each) if isinstance(each, Parts) else each for each in (left, right))
        return super().call_binop(context, operator, *operands)


class _Strictly(NodeTransformer):
    """Checks presence where Jinja does not use the value: in lists, objects and comparisons."""

    def visit_List(self, node: nodes.List) -> nodes.Filter:  # noqa: N802 - Jinja's naming
        """Return the list with checked members."""
        self.generic_visit(node)
        given = nodes.List([_call(_GIVEN, item) for item in node.items], lineno=node.lineno)
        return _call(_LITERAL, given)

    visit_Tuple = visit_List  # noqa: N815 - as above; only the members of a tuple differ by name

    def visit_Pair(self, node: nodes.Pair) -> nodes.Pair:  # noqa: N802 - as above
        """Return the member of an object with a checked value."""
        self.generic_visit(node)
        return nodes.Pair(node.key, _call(_GIVEN, node.value), lineno=node.lineno)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:  # noqa: N802 - as above
        """Return the comparison of checked values."""
        self.generic_visit(node)
        operands = [nodes.Operand(each.op, _call(_GIVEN, each.expr), lineno=each.lineno) for each in node.ops]
        return nodes.Compare(_call(_GIVEN, node.expr), operands, lineno=node.lineno)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Filter:  # noqa: N802 - as above
        """Return a `default` without a fixed value."""
        if node.name in {"default", "d"}:
            fixed = _call(_FIXED, nodes.Const(None))
            named = [each for each in node.kwargs if each.key == "otherwise"]
            if node.args and not _of_the_event(node.args[0]):
                node.args[0] = fixed
            elif not node.args and not named:
                node.args = [fixed]
            for keyword in named:
                if not _of_the_event(keyword.value):
                    keyword.value = fixed
        self.generic_visit(node)
        return node


def _call(name: str, value: nodes.Node) -> nodes.Filter:
    return nodes.Filter(cast("nodes.Expr", value), name, [], [], None, None, lineno=value.lineno)


def _of_the_event(node: nodes.Node) -> bool:
    """Return whether an expression has a name whose value differs from event to event."""
    names = [node] if isinstance(node, nodes.Name) else [*node.find_all(nodes.Name)]
    return any(each.name not in _SAME_FOR_ALL for each in names)


def _scope(scope: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        name: _blank(f"`{name}`", lacks) if (lacks := absence(value)) else value
        for name, value in scope.items()
    }


def _result(value: object) -> None:
    if lacks := written_absence(value):
        raise TemplateError(blank_message("the key", lacks))


@lru_cache(maxsize=1)
def key_dialect() -> Dialect:
    """Return the dialect of keys."""
    filters: dict[str, Callable[..., object]] = {name: _filter(name, make) for name, make in FILTERS.items()}
    filters |= {
        "default": _default,
        "d": _default,
        CONCATENATE: counted(_concatenate),
        _GIVEN: _given,
        _LITERAL: Parts,
        _FIXED: lambda _: Blank(hint=_FIXED_MESSAGE),
    }
    tests = {name: _test(test) for name, test in TESTS.items()}
    environment = make_environment(_KeyEnvironment, _written, filters, tests)
    return Dialect(environment, prepare=_Strictly().visit, scope=_scope, check=_result)
