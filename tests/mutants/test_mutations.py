"""The changes of a module, and the code that is not changed."""

import ast
import re

import pytest

from tests.mutants.__main__ import ACCEPTED, accepted_keys
from tests.mutants.mutations import mutants
from tests.mutants.targets import TARGETS
from tests.support.paths import ROOT


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("x = a < b", {"x = (a <= b)", "x = (a >= b)"}),
        ("x = a in b", {"x = (a not in b)"}),
        ("x = a and b", {"x = (a or b)", "x = (a)", "x = (b)"}),
        ("x = not a", {"x = (a)"}),
        ("x = a + b", {"x = (a - b)"}),
        ("x = 7", {"x = (8)", "x = (6)"}),
        ("x = True", {"x = False"}),
        ("x = 'word'", {"x = 'word-mutant'"}),
        ("x = min(a, b)", {"x = max(a, b)"}),
        ("x = a[b:c]", {"x = a[:c]", "x = a[b:]"}),
        ("if a: f = b", {"if (not a): f = b"}),
        ("f()", {"pass"}),
        ("raise E('no number 7')", {"pass"}),
        ("a.b = c", {"pass"}),
        ("def f():\n    return a", {"def f():\n    return None"}),
    ],
)
def test_each_kind_of_change(source: str, changed: set[str]) -> None:
    """Each kind of change is made at each possible point, one at a time."""
    assert {mutant.applied(source) for mutant in mutants("m.py", source)} == changed


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""',
        "x = 'a text for people'",
        "x = f'{a}7'",
        "x: Literal['word'] = a",
        "def f(a: Literal[7]) -> Literal[7]: ...",
        "@cached(7)\ndef f(): ...",
        "if TYPE_CHECKING:\n    x = 7",
        "def f():\n    return None",
        "__all__ = ['name']",
    ],
)
def test_what_no_test_could_notice_is_left_alone(source: str) -> None:
    """Texts for people and what does not run have no mutants."""
    assert list(mutants("m.py", source)) == []


def test_a_mutant_changes_only_its_place() -> None:
    """Positions are counted in bytes, as `ast` counts them, with the line ends of any platform."""
    source = "a = 'ä€'; b = 1\n"
    assert {mutant.applied(source) for mutant in mutants("m.py", source) if mutant.before == "1"} == {
        "a = 'ä€'; b = (2)\n",
        "a = 'ä€'; b = (0)\n",
    }


def test_the_key_stays_when_a_module_moves() -> None:
    """An accepted mutant stays accepted if lines are added above it or the file is renamed."""
    before = {mutant.key for mutant in mutants("m.py", "def f(a):\n    return a < 7\n")}
    after = {mutant.key for mutant in mutants("n.py", "import m\n\ndef f(a):\n    return a < 7\n")}
    assert before == after


def test_every_target_has_modules_and_tests() -> None:
    """All targets have modules and test files, so a renamed file makes this test fail."""
    for target in TARGETS:
        assert target.paths(), target.name
        for pattern in target.modules:
            assert list(ROOT.glob(pattern)), pattern
        for path in target.tests:
            assert (ROOT / path).exists(), path


def test_every_accepted_mutant_has_a_reason() -> None:
    """A line of accepted.txt is a key, the change in words, and after `#` the reason to accept it."""
    lines = ACCEPTED.read_text(encoding="utf-8").splitlines()
    assert len(accepted_keys()) == len(lines)
    for line in lines:
        assert re.fullmatch(r"[0-9a-f]{12} .+ # .+", line), line


def test_every_mutant_can_be_parsed() -> None:
    """All mutants are valid Python."""
    path = TARGETS[0].paths()[0]
    source = (ROOT / path).read_text(encoding="utf-8")
    found = list(mutants(path, source))
    assert found
    for mutant in found:
        ast.parse(mutant.applied(source))
