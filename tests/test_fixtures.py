"""The tests' shared fixtures: one name means one thing."""

import ast
from collections import defaultdict

from tests.support.paths import TESTS

SHARED = [TESTS / "conftest.py", *sorted((TESTS / "support").glob("*.py"))]


def _calls_pytest_fixture(decorator: ast.expr) -> bool:
    return ast.unparse(decorator).startswith("pytest.fixture")


def test_a_shared_fixtures_name_is_its_own() -> None:
    """Of two shared fixtures with one name pytest takes the last, silently and in every test of the run."""
    named = defaultdict(list)
    for path in SHARED:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and any(map(_calls_pytest_fixture, node.decorator_list)):
                named[node.name].append(path.name)
    assert {"azurite", "clock", "identity", "authority"} <= named.keys()
    assert {name: files for name, files in named.items() if len(files) > 1} == {}


def test_plugins_are_named_in_one_place() -> None:
    """A test module's own `pytest_plugins` would give its fixtures to all, by the chance of what is run."""
    assert [
        path.name for path in TESTS.rglob("test_*.py") if "\npytest_plugins" in path.read_text("utf-8")
    ] == []
