"""Jinja2 with limits, so that no event and no template can block the app or fill its memory.

It extends Jinja's own ImmutableSandboxedEnvironment: `allowed_syntax.py` limits the syntax, and
`environment.py` limits members, arithmetic and the size of results.

This module imports jinja2, so it is imported only for the first template that needs it: `compile.py` renders
plain paths such as `{{ data.url }}` without it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

from jinja2 import TemplateError as JinjaError
from jinja2 import Undefined, nodes
from jinja2.visitor import NodeTransformer

from shared.errors import TemplateError
from shared.rules.templates.allowed_syntax import check_syntax
from shared.rules.templates.environment import (
    TESTS,
    Environment,
    counted,
    make_environment,
    raise_undefined,
    reset_budget,
)
from shared.rules.templates.filters import FILTERS
from shared.rules.templates.scope import NAMES
from shared.values.markdown_text import marked
from shared.values.storable import MAX_TEXT, to_text

_RENDERING_ERRORS: Final = (
    *(JinjaError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError),
    *(RecursionError, MemoryError),
)

_RESULT: Final = "result"
CONCATENATE: Final = "_concatenate"
"""The filter that replaces `~`."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between kinds of templates.

    Attributes:
        environment: The filters and tests, and how members are looked up.
        prepare: Changes an allowed syntax tree before it is compiled.
        scope: Changes the names that the template sees.
        check: Checks an expression's value; raises TemplateError.
        text: Whether the value is text even if the template is exactly one expression.
    """

    environment: Environment
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
        names: The names that it may use.
        dialect: The kind of template; None for the usual one.

    Returns:
        A function that evaluates the template. If the template is exactly one `{{ expression }}`, the value
        keeps the expression's type, otherwise it is text. The function raises TemplateError.

    Raises:
        TemplateError: The syntax is wrong, or a name or filter does not exist.
    """
    dialect = dialect or _usual()
    environment = dialect.environment
    try:
        tree = environment.parse(text)
        check_syntax(tree, names)
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
        reset_budget()
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
        reset_budget()
        try:
            context = template.new_context(dialect.scope(scope), shared=True)
            for _ in template.root_render_func(context):
                pass
            value = context.vars[_RESULT]
            raise_undefined(value)
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


def _only_expression(tree: nodes.Template) -> nodes.Expr | None:
    if len(tree.body) == 1 and isinstance(tree.body[0], nodes.Output) and len(tree.body[0].nodes) == 1:
        only = tree.body[0].nodes[0]
        return None if isinstance(only, nodes.TemplateData) else only
    return None


class _Concatenations(NodeTransformer):
    """Replaces `a ~ b` by a filter, so that its result is counted."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802 - Jinja's naming
        """Return the filter for an operator."""
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, CONCATENATE, [], [], None, None, lineno=node.lineno)


def _default(
    value: object,
    otherwise: object = "",
    boolean: bool = False,  # noqa: FBT001, FBT002 - Jinja's signature
) -> object:
    """Return another value for an undefined one; with `true` also for an empty one."""
    return otherwise if isinstance(value, Undefined) or (boolean and not value) else value


@lru_cache(maxsize=1)
def _usual() -> Dialect:
    """Return the usual dialect."""
    filters: dict[str, Callable[..., object]] = {name: counted(make) for name, make in FILTERS.items()}
    filters |= {"default": _default, "d": _default, CONCATENATE: counted(_concatenate)}
    return Dialect(make_environment(Environment, _finalize, filters, TESTS))


@lru_cache(maxsize=1)
def note_dialect() -> Dialect:
    """Return the dialect of notes: the values of expressions are marked (`markdown_text.py`)."""
    filters: dict[str, Callable[..., object]] = _usual().environment.filters
    return Dialect(make_environment(Environment, _mark, filters, TESTS), text=True)


def _mark(value: object) -> str:
    return marked(str(_finalize(value)))


def _concatenate(parts: list[object]) -> str:
    """Return the text of `a ~ b`."""
    return str(FILTERS["join"]([_finalize(part) for part in parts]))


def _finalize(value: object) -> object:
    """Return a value as part of a text; an undefined value raises."""
    if isinstance(value, Undefined):
        return str(value)
    return to_text(value)
