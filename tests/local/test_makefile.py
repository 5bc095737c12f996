"""`make` lists what can be made."""

import re

from local.processes import programs
from tests.support.paths import ROOT


def test_every_documented_target_is_listed_in_straight_columns() -> None:
    """The names that have digits are listed too, and all descriptions begin in one column."""
    documented = re.findall(
        r"^(\S+):.*## (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    lines = programs.run(["make", "--no-print-directory", "help"], cwd=ROOT, check=True).stdout.splitlines()
    assert [line.split()[1] for line in lines] == [name for name, _ in documented]
    assert "airflow2" in [name for name, _ in documented]
    columns = {line.index(words) for line, (_, words) in zip(lines, documented, strict=True)}
    assert len(columns) == 1
