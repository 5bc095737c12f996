"""The report of a DAG file that Airflow cannot import: the file, its line and the error."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.dags_watch import ImportFailure

FILE = Path("/srv/dags/release_check.py")


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        (
            f"""Traceback (most recent call last):
  File "/lib/python3.13/importlib.py", line 488, in _call
  File "{FILE}", line 4
    def check(:
              ^
SyntaxError: invalid syntax
""",
            f"{FILE}:4: SyntaxError: invalid syntax",
        ),
        (
            f"""Traceback (most recent call last):
  File "{FILE}", line 9, in <module>
    release_check()
  File "{FILE}", line 5, in release_check
    load()
  File "/srv/dags/other.py", line 70, in load
KeyError: 'x'""",
            f"{FILE}:5: KeyError: 'x'",
        ),
        ("Task t has a cycle", f"{FILE}: Task t has a cycle"),
        ("ValueError: \x1b[31mred", f"{FILE}: ValueError: \\x1b[31mred"),
        ("", f"{FILE}: no reason was given"),
    ],
    ids=["syntax error", "last line of the file", "no traceback", "control characters", "no reason"],
)
def test_the_report_has_the_line_of_the_dag_file_and_the_last_line_of_the_error(
    trace: str, expected: str
) -> None:
    """The line is a line of the DAG file, not of a library, and control characters are escaped."""
    first, where, fix = ImportFailure(FILE, trace, datetime.now(UTC)).report.split("\n")
    assert first == f"{FILE}: Airflow cannot import this DAG file."
    assert where == f"  {expected}"
    assert fix == "  fix: correct the file and save it; Airflow then reads it again"
