"""The two forms of the attacks: short in `make test`, long in `make attacks`."""

import os
import sys

import pytest

from local.processes import programs
from tests.support.paths import ROOT

ASKS = """
from tests.support import attacks
attacks.pytest_configure()
from hypothesis import settings
print(attacks.times(3, 700), settings.default.max_examples, settings.default.deadline)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("word", "answer"), [("", "3 100 None"), ("long", "700 3000 None")])
def test_make_attacks_repeats_more(word: str, answer: str) -> None:
    """`make attacks` sets a variable that chooses the long numbers; no example has a deadline."""
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    ended = programs.run(
        [sys.executable, "-c", ASKS], cwd=ROOT, env={**environment, "UPDRAFT_ATTACKS": word}, check=True
    )
    assert ended.stdout.strip() == answer


def test_make_attacks_names_what_is_there() -> None:
    """Each path of the Makefile's list of attacks exists, and tests/security is the first."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (line,) = (line for line in makefile.splitlines() if line.startswith("ATTACKS := "))
    paths = line.removeprefix("ATTACKS := ").split()
    assert paths[0] == "tests/security"
    assert [path for path in paths if not (ROOT / path).exists()] == []
