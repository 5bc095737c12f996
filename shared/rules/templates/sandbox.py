"""Jinja2, cut down to what a rule needs, so that no event and no template can hang or fill the memory.

On top of Jinja's own ImmutableSandboxedEnvironment:

* a list of allowed syntax: expressions and `{% if %}`, no loops, assignments, macros or calls; so every
  part of a template is evaluated at most once, and a template has at most `MAX_NODES` parts;
* members are looked up in JSON alone, never as Python attributes (so `data.items` is the event's own
  `items`, and there is no way to an object's inside);
* `*`, `-`, `/`, `//` and `%` take numbers alone, `+` numbers, or text with text, or list with list;
  numbers stay under `MAX_BITS` bits, and there is no `**`;
* what the filters and operators make is counted against a budget for the whole evaluation.

This module imports jinja2, so it is imported itself only when the first template needs it
(`compile.py` renders plain paths such as `{{ data.url }}` without it).
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

from jinja2 import StrictUndefined, Undefined, nodes
from jinja2 import TemplateError as JinjaError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from shared.errors import TemplateError
from shared.rules.templates.filters import FILTERS
from shared.rules.templates.scope import (
    BURST_NAMES,
    MISSING,
    NAMES,
    absent_name,
    fixed_member_problem,
    member,
    missing_message,
    unknown_name,
)
from shared.values.markdown_text import marked
from shared.values.storable import MAX_TEXT, to_text
from shared.values.wording import did_you_mean

MAX_NODES: Final = 250
"""Parts of one template's syntax tree."""

MAX_BITS: Final = 256
"""Bits of a whole number that a template's arithmetic may make."""

MAX_WORK: Final = 4_000_000
"""Characters and list members that one evaluation's filters and operators may make."""

_ALLOWED: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr),
    *(nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword),
    *(nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos),
    nodes.Concat,
)
_REMEDY: Final[Mapping[type[nodes.Node], str]] = {
    nodes.Call: "calls are not available in templates; write a filter, as in `{{ data.url | split('/') }}`",
    nodes.Pow: "`**` is not available in templates; write `*`",
    nodes.For: "loops are not available in templates; write `map`, as in "
    "`{{ data.files | map(attribute='url') }}`",
    nodes.Assign: "`{% set %}` is not available in templates; write the expression where it is used",
    nodes.AssignBlock: "`{% set %}` is not available in templates; write the expression where it is used",
}
_OTHER_SYNTAX: Final = (
    "only expressions and `{% if %}` are available in templates; write it without macros, blocks and imports"
)
_RENDERING_ERRORS: Final = (
    *(JinjaError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError),
    *(RecursionError, MemoryError),
)

_RESULT: Final = "result"
CONCATENATE: Final = "_concatenate"
"""The filter that stands for `~`."""
_spent = threading.local()


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one kind of template allows beyond the syntax.

    Attributes:
        environment: Looks up members, and has the filters and tests.
        prepare: Changes an allowed syntax tree before it is compiled.
        scope: Changes what the template sees.
        check: Looks at an expression's value; raises TemplateError.
        text: Whether the value is text also where the template is exactly one expression.
    """

    environment: "Environment"
    prepare: Callable[[nodes.Node], nodes.Node] = lambda node: node
    scope: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda scope: scope
    check: Callable[[object], None] = lambda _: None
    text: bool = False


def compile_with_jinja(
    text: str, names: frozenset[str] = NAMES, dialect: Dialect | None = None
) -> Callable[[Mapping[str, Any]], object]:
    """Compile a template into a function from the scope to its value.

    Args:
        text: Jinja2 source from rules.yaml, never from an event.
        names: What it may name.
        dialect: The kind of template; None for the usual one.

    Returns:
        A function that evaluates the template. Where it is exactly one `{{ expression }}` the value has
        the expression's own type, otherwise it is text. It raises TemplateError.

    Raises:
        TemplateError: The syntax is wrong, or uses something that is not available or not defined.
    """
    dialect = dialect or _usual()
    environment = dialect.environment
    try:
        tree = environment.parse(text)
        _check(tree, names)
        expression = _only_expression(tree if text == text.strip() else environment.parse(text.strip()))
        if expression is None or dialect.text:
            tree = _Concatenations().visit(dialect.prepare(tree))
            return _texts(environment.from_string(tree), dialect)
        expression = cast("nodes.Expr", _Concatenations().visit(dialect.prepare(expression)))
        assign = nodes.Assign(nodes.Name(_RESULT, "store", lineno=1), expression, lineno=1)
        return _values(environment.from_string(nodes.Template([assign], lineno=1)), dialect)
    except JinjaError as error:
        from shared.rules.templates.syntax_errors import syntax_problem

        raise TemplateError(syntax_problem(text, error)) from error
    except RecursionError as error:
        raise TemplateError("the template is nested too deeply; make it simpler") from error


def _texts(template: Any, dialect: Dialect) -> Callable[[Mapping[str, Any]], object]:
    def evaluate(scope: Mapping[str, Any]) -> object:
        _spent.work = 0
        pieces: list[str] = []
        size = 0
        try:
            context = template.new_context(dialect.scope(scope), shared=True)
            for piece in template.root_render_func(context):
                pieces.append(piece)
                size += len(piece)
                if size > MAX_TEXT:
                    raise TemplateError(f"writes more than {MAX_TEXT:,} characters")
        except _RENDERING_ERRORS as error:
            raise _explained(error) from error
        return "".join(pieces)

    return evaluate


def _values(template: Any, dialect: Dialect) -> Callable[[Mapping[str, Any]], object]:
    def evaluate(scope: Mapping[str, Any]) -> object:
        _spent.work = 0
        try:
            context = template.new_context(dialect.scope(scope), shared=True)
            for _ in template.root_render_func(context):
                pass
            value = context.vars[_RESULT]
            if isinstance(value, Undefined):
                str(value)  # raises what is undefined
            dialect.check(value)
        except _RENDERING_ERRORS as error:
            raise _explained(error) from error
        return value

    return evaluate


def _explained(error: BaseException) -> TemplateError:
    if isinstance(error, JinjaError):
        return TemplateError(error.message or "cannot be rendered")
    if isinstance(error, RecursionError):
        return TemplateError("the value is nested too deeply")
    if isinstance(error, ZeroDivisionError):
        return TemplateError("divides by zero")
    return TemplateError(f"cannot be rendered: {str(error)[:200] or type(error).__name__}")


# --- what the syntax may hold -----------------------------------------------------------------------------


def _check(tree: nodes.Template, names: frozenset[str]) -> None:
    """Refuse syntax that is not on the list, names and filters that do not exist; all at once.

    Raises:
        TemplateError: Something is refused; each line of the message is one mistake.
    """
    problems: list[str] = []
    optional: set[int] = set()
    count = 0
    pending: list[nodes.Node] = [tree]
    while pending:
        node = pending.pop()
        count += 1
        _note_optional(node, optional)
        problem = _problem(node, names, id(node) in optional)
        if problem and problem not in problems:
            problems.append(problem)
        if isinstance(node, _ALLOWED):  # what is inside of anything else has to be written anew
            pending.extend(reversed(list(node.iter_child_nodes())))
    if count > MAX_NODES:
        problems.append(f"the template has {count} parts, more than {MAX_NODES}; make it simpler")
    if problems:
        raise TemplateError(*problems)


def _problem(node: nodes.Node, names: frozenset[str], optional: bool) -> str | None:  # noqa: FBT001 - two cases of one question
    if not isinstance(node, _ALLOWED):
        return next((text for kind, text in _REMEDY.items() if isinstance(node, kind)), _OTHER_SYNTAX)
    if isinstance(node, nodes.Name):
        return _name_problem(node.name, names, optional)
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
        return fixed_member_problem(node.node.name, node.attr)
    if isinstance(node, nodes.Filter):
        return _filter_problem(node)
    if isinstance(node, nodes.Test):
        return _word_problem("test", node.name, set(TESTS))
    return None


def _filter_problem(node: nodes.Filter) -> str | None:
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        return "`*` and `**` arguments are not available in templates; write each argument"
    return _word_problem("filter", node.name, {*FILTERS, "default", "d"})


def _word_problem(kind: str, name: str, known: set[str]) -> str | None:
    if name in known:
        return None
    return f"unknown {kind} `{name}`{did_you_mean(name, known)}; there are {', '.join(sorted(known))}"


def _name_problem(name: str, names: frozenset[str], optional: bool) -> str | None:  # noqa: FBT001 - as `_problem`
    if name in names:
        return None
    if name in BURST_NAMES - NAMES:
        return f"`{name}` is there only in a rule with `coalesce`, and not in its `by`; write `event` for one"
    extension = name.isascii() and name.isalnum() and name == name.lower()
    if optional and extension:
        return None
    return unknown_name(name, names)


def _note_optional(node: nodes.Node, optional: set[int]) -> None:
    """Remember the name whose absence a `default` filter or an `is defined` test allows."""
    if (isinstance(node, nodes.Filter) and node.name in {"default", "d"}) or (
        isinstance(node, nodes.Test) and node.name in {"defined", "undefined"}
    ):
        inner = node.node
        while isinstance(inner, (nodes.Getattr, nodes.Getitem)):
            inner = inner.node
        optional.add(id(inner))


def _only_expression(tree: nodes.Template) -> nodes.Expr | None:
    if len(tree.body) == 1 and isinstance(tree.body[0], nodes.Output) and len(tree.body[0].nodes) == 1:
        only = tree.body[0].nodes[0]
        return None if isinstance(only, nodes.TemplateData) else only
    return None


class _Concatenations(NodeTransformer):
    """Turns `a ~ b` into a filter, so that what it makes is counted."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802 - Jinja's naming
        """Return the filter in place of the operator."""
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, CONCATENATE, [], [], None, None, lineno=node.lineno)


# --- the environment --------------------------------------------------------------------------------------


def _spend(amount: int) -> None:
    _spent.work = getattr(_spent, "work", 0) + amount
    if _spent.work > MAX_WORK:
        raise TemplateError(f"makes more than {MAX_WORK:,} characters on the way; make the template simpler")


def counted(make: Callable[..., object]) -> Callable[..., object]:
    """Count what a filter takes and makes against the evaluation's budget."""

    def bounded(value: object, *args: object, **kwargs: object) -> object:
        if isinstance(value, Undefined):
            str(value)  # raises what is undefined
        if isinstance(value, str):
            _spend(len(value))
        made = make(value, *args, **kwargs)
        _spend(len(made) if isinstance(made, (str, list, Mapping)) else 1)
        return made

    return bounded


def _default(
    value: object,
    otherwise: object = "",
    boolean: bool = False,  # noqa: FBT001, FBT002 - Jinja's signature
) -> object:
    """Give another value where there is none (with `true`: or where it is empty)."""
    return otherwise if isinstance(value, Undefined) or (boolean and not value) else value


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
        """Apply an operator within the bounds."""
        for operand in (left, right):
            if isinstance(operand, Undefined):
                str(operand)  # raises what is undefined
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
    """Says which name of the scope the event does not have."""

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
    """Return an environment with these filters and tests, and no others.

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


@lru_cache(maxsize=1)
def _usual() -> Dialect:
    """Return the usual dialect, made when the first template is compiled."""
    filters: dict[str, Callable[..., object]] = {name: counted(make) for name, make in FILTERS.items()}
    filters |= {"default": _default, "d": _default, CONCATENATE: counted(_concatenate)}
    return Dialect(make_environment(Environment, _finalize, filters, TESTS))


@lru_cache(maxsize=1)
def note_dialect() -> Dialect:
    """Return the dialect of notes: what an expression writes is marked as a value (`markdown_text.py`)."""
    filters: dict[str, Callable[..., object]] = _usual().environment.filters
    return Dialect(make_environment(Environment, _mark, filters, TESTS), text=True)


def _mark(value: object) -> str:
    return marked(str(_finalize(value)))


def _concatenate(parts: list[object]) -> str:
    """Return `a ~ b`, counted while it grows."""
    return str(FILTERS["join"]([_finalize(part) for part in parts]))


def _finalize(value: object) -> object:
    """Write a value within text; an undefined one raises."""
    if isinstance(value, Undefined):
        return str(value)
    return to_text(value)
