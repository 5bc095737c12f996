"""The tests' shared fixtures have unique names."""

import ast
from collections import defaultdict

from tests.support.paths import TESTS

SHARED = [TESTS / "conftest.py", *sorted((TESTS / "support").glob("*.py"))]


def _calls_pytest_fixture(decorator: ast.expr) -> bool:
    return ast.unparse(decorator).startswith("pytest.fixture")


def test_a_shared_fixtures_name_is_its_own() -> None:
    """No two shared fixtures have the same name: pytest would use the last one without a warning."""
    named = defaultdict(list)
    for path in SHARED:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and any(map(_calls_pytest_fixture, node.decorator_list)):
                named[node.name].append(path.name)
    assert {"azurite", "clock", "identity", "authority"} <= named.keys()
    assert {name: files for name, files in named.items() if len(files) > 1} == {}


def test_plugins_are_named_in_one_place() -> None:
    """No test module has `pytest_plugins`: they would affect all other tests of the same run."""
    assert [
        path.name for path in TESTS.rglob("test_*.py") if "\npytest_plugins" in path.read_text("utf-8")
    ] == []
