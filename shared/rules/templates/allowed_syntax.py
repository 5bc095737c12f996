"""The syntax that templates may use: expressions and `{% if %}`, without loops, assignments, macros or calls.

So each part of a template is evaluated at most once, and a template has at most `MAX_NODES` parts.
"""

from collections.abc import Mapping
from typing import Final

from jinja2 import nodes

from shared.errors import TemplateError
from shared.rules.templates.environment import TESTS
from shared.rules.templates.filters import FILTERS
from shared.rules.templates.scope import BURST_NAMES, NAMES, fixed_member_problem, unknown_name
from shared.values.wording import did_you_mean

MAX_NODES: Final = 250
"""Parts of one template's syntax tree."""

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
    "only expressions and `{% if %}` are available in templates; delete macros, blocks and imports"
)


def check_syntax(tree: nodes.Template, names: frozenset[str]) -> None:
    """Refuse syntax that is not allowed, and names, filters and tests that do not exist.

    Raises:
        TemplateError: Each line of its message is one error.
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
        if isinstance(node, _ALLOWED):  # refused syntax is reported once, without its parts
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
        return f"`{name}` exists only in a rule with `coalesce`, and not in its `by`; write `event`"
    extension = name.isascii() and name.isalnum() and name == name.lower()
    if optional and extension:
        return None
    return unknown_name(name, names)


def _note_optional(node: nodes.Node, optional: set[int]) -> None:
    """Add the name that a `default` filter or an `is defined` test makes optional."""
    if (isinstance(node, nodes.Filter) and node.name in {"default", "d"}) or (
        isinstance(node, nodes.Test) and node.name in {"defined", "undefined"}
    ):
        inner = node.node
        while isinstance(inner, (nodes.Getattr, nodes.Getitem)):
            inner = inner.node
        optional.add(id(inner))
