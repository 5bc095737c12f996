"""Every mutant of a module: one change of its text, found in its syntax tree.

Texts for people are left alone: docstrings, strings with a space in them, f-strings, and everything in a
`raise`. So is code that does not run: annotations and the blocks of `TYPE_CHECKING`.
"""

import ast
import copy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_COMPARISONS: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
_OPPOSITES: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}
_NO_EXPRESSIONS: Final = (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom, ast.TypeAlias)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of a module.

    Attributes:
        path: The module's path in the repository.
        where: The dotted names of the class and function around the change; empty at the top.
        line: The number of the first line of the change.
        context: The text of the line.
        before: The replaced text, on one line.
        after: The new text.
        start: The first byte of the replaced text.
        end: The byte after it.
    """

    path: str
    where: str
    line: int
    context: str
    before: str
    after: str
    start: int
    end: int

    @property
    def key(self) -> str:
        """The mutant's key in accepted.txt; it stays the same if the module or the function moves."""
        words = repr((self.where, self.context, self.before, self.after))
        return hashlib.sha256(words.encode()).hexdigest()[:12]

    def applied(self, source: str) -> str:
        """Return the module's text with this change."""
        raw = source.encode()
        return (raw[: self.start] + self.after.encode() + raw[self.end :]).decode()


def mutants(path: str, source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, each of which can be compiled.

    Args:
        path: The module's path in the repository.
        source: The module's text.
    """
    lines = source.encode().splitlines(keepends=True)
    starts = [0]
    for text in lines:
        starts.append(starts[-1] + len(text))
    for where, node, after in _changes(ast.parse(source), ""):
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        before = " ".join(source.encode()[start:end].decode().split())
        context = lines[node.lineno - 1].decode().strip()
        mutant = Mutant(path, where, node.lineno, context, before, after, start, end)
        try:
            compile(mutant.applied(source), path, "exec")
        except SyntaxError:  # not every change is valid Python
            continue
        yield mutant


type _Change = tuple[str, ast.expr | ast.stmt, str]


def _changes(node: ast.AST, where: str) -> Iterator[_Change]:
    """Yield the changes of everything below a node."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        where = f"{where}.{node.name}".lstrip(".")
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.stmt):
                yield from ((where, child, after) for after in _of_statement(child))
            elif isinstance(child, ast.expr):
                yield from ((where, child, after) for after in _of_expression(child, node, field))
            if (
                isinstance(child, ast.AST)
                and not isinstance(child, _NO_EXPRESSIONS)
                and not _for_types(child)
            ):
                yield from _changes(child, where)


def _for_types(node: ast.AST) -> bool:
    """Return whether a statement is only for type checkers and readers."""
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0]) == "__all__"
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _of_statement(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.Expr(value=ast.Constant()):
            return
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield "return None"
        case ast.Expr() | ast.Raise() | ast.AugAssign() | ast.Continue() | ast.Break() | ast.Delete():
            yield "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]):
            yield "pass"


def _of_expression(node: ast.expr, parent: ast.AST, field: str) -> Iterator[str]:
    if field == "test" and isinstance(node, ast.Name | ast.Attribute | ast.Call) and not _for_types(parent):
        yield f"(not {ast.unparse(node)})"
    match node:
        case ast.Compare():
            yield from _of_comparison(node)
        case ast.BoolOp():
            yield from _of_condition(node)
        case ast.UnaryOp(op=ast.Not()):
            yield f"({ast.unparse(node.operand)})"
        case ast.BinOp(op=operator) if type(operator) in _ARITHMETIC and not _is_text(node):
            yield f"({ast.unparse(ast.BinOp(node.left, _ARITHMETIC[type(operator)](), node.right))})"
        case ast.Call(func=ast.Name(id=name)) if name in _OPPOSITES:
            yield ast.unparse(ast.Call(ast.Name(_OPPOSITES[name]), node.args, node.keywords))
        case ast.Slice():
            yield from _of_slice(node)
        case ast.Constant() if not isinstance(parent, ast.Expr):
            yield from _of_constant(node.value)


def _of_comparison(node: ast.Compare) -> Iterator[str]:
    for number, operator in enumerate(node.ops):
        for other in _COMPARISONS[type(operator)]:
            changed = copy.deepcopy(node)
            changed.ops[number] = other()
            yield f"({ast.unparse(changed)})"


def _of_condition(node: ast.BoolOp) -> Iterator[str]:
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield f"({ast.unparse(ast.BoolOp(other, node.values))})"
    for number in range(len(node.values)):
        rest = [value for at, value in enumerate(node.values) if at != number]
        yield f"({ast.unparse(ast.BoolOp(node.op, rest) if len(rest) > 1 else rest[0])})"


def _of_slice(node: ast.Slice) -> Iterator[str]:
    if node.lower is not None:
        yield ast.unparse(ast.Slice(None, node.upper, node.step))
    if node.upper is not None:
        yield ast.unparse(ast.Slice(node.lower, None, node.step))


def _is_text(node: ast.BinOp) -> bool:
    texts = (side for side in (node.left, node.right) if isinstance(side, ast.Constant | ast.JoinedStr))
    return any(isinstance(side, ast.JoinedStr) or isinstance(side.value, str | bytes) for side in texts)


def _of_constant(value: object) -> Iterator[str]:
    match value:
        case bool():
            yield repr(not value)
        case int() | float():
            yield f"({value + 1!r})"
            yield f"({value - 1!r})"
        case str() if " " not in value:
            yield repr(f"{value}-mutant")
