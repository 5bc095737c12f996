"""rules.yaml is the operator's file: no test depends on its content."""

import ast
from typing import Final

from tests.support.paths import ROOT, TESTS

OPERATORS: Final = "rules.yaml"
LOCATES_IT: Final = {"tests/test_settings.py", "tests/test_operators_files.py"}
"""Files that compare its path and do not read it."""


def opens_it(tree: ast.AST) -> list[int]:
    """Return the lines that use `rules.yaml` of the checkout's root, as in `ROOT / "rules.yaml"`."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp)
        and isinstance(node.right, ast.Constant)
        and node.right.value == OPERATORS
        and isinstance(node.left, ast.Name | ast.Attribute)
        and ast.unparse(node.left).endswith("ROOT")
    ]


def test_no_test_opens_the_operators_rules() -> None:
    """A test uses `examples/rules.yaml` or its own file, so that an edit of rules.yaml breaks no test."""
    found = {
        name: lines
        for path in TESTS.rglob("*.py")
        if (name := str(path.relative_to(ROOT))) not in LOCATES_IT
        and (lines := opens_it(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert found == {}


def test_the_check_finds_a_reader() -> None:
    """The check finds a use."""
    assert opens_it(ast.parse('text = (ROOT / "rules.yaml").read_text()')) == [1]
    assert opens_it(ast.parse('text = (folder / "rules.yaml").read_text()')) == []
