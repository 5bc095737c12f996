"""docs/codes.md: every code that the app gives is on it, and no other one."""

import re
from typing import Final, get_args

from shared.airflow.failure_table import FAILURE_TABLE
from shared.codes import CODES, HELP, AnswerCode, HttpCode
from shared.delivery.outcomes import OutcomeKind
from shared.http_api.refusals import ROWS
from tests.support.paths import ROOT

PAGE: Final = (ROOT / HELP.rstrip("#")).read_text(encoding="utf-8")
SOURCES: Final = {
    path: path.read_text(encoding="utf-8")
    for folder in ("shared", "cli", "functions")
    for path in (ROOT / folder).rglob("*.py")
    if path != ROOT / "shared" / "codes.py"
}
HTTP_CODES: Final = frozenset(get_args(HttpCode))
RAISED: Final = re.compile(r'(?:CallRefused\(\s*(\d+)|unauthorized\()[,\s]*"(\w+)"')
LONGEST_CELL: Final = 90


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the tables below each heading that begins so, without their first lines."""
    sections = re.findall(rf"^## {heading}.*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line for section in sections for line in section.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if re.match(r"(<a id|`)", row[0])]


def explained(heading: str) -> list[tuple[str, list[str]]]:
    """Return the codes with an anchor of their own, each with the cells behind it."""
    found = []
    for first, *others in rows(heading):
        anchored = re.fullmatch(r'<a id="(\w+)"></a>`(\w+)`', first)
        if anchored is not None:
            assert anchored[1] == anchored[2], first
            found.append((anchored[1], others))
    return found


def test_every_code_of_a_delivery_has_one_row() -> None:
    """The page has each code of an outcome or a dead letter exactly once."""
    named = [code for code, _ in explained("Codes of ")]
    assert sorted(named) == sorted(CODES)


def test_every_code_of_an_answer_has_one_row() -> None:
    """The page has each code of a rejected call once, with the status in the source."""
    raised = {
        (status or "401", code)
        for text in SOURCES.values()
        for status, code in RAISED.findall(text)
    } | {(str(row.status), row.code) for row in ROWS.values()}  # fmt: skip
    listed = [(others[0], code) for code, others in explained("HTTP answers")]
    assert sorted(listed) == sorted(raised)
    assert {code for _, code in raised} == HTTP_CODES


def test_every_outcome_has_one_row() -> None:
    """The page has each word of `OutcomeKind`."""
    assert [first.strip("`") for first, *_ in rows("Outcomes")] == sorted(
        (kind.value for kind in OutcomeKind), key=lambda word: PAGE.index(f"| `{word}` |")
    )


def test_every_exit_status_has_one_row() -> None:
    """The page has the exit statuses of docs/command-line.md."""
    other = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
    table = other.partition("## Exit status")[2].partition("\n## ")[0]
    known = re.findall(r"^\| (\d+) \|", table, re.MULTILINE)
    assert [first.strip("`") for first, *_ in rows("Exit status")] == known


def test_every_row_says_what_to_do() -> None:
    """A code has a meaning, a cause and a fix, in cells that stay on one line."""
    for heading, cells in (("Codes of ", 3), ("HTTP answers", 4)):
        for code, others in explained(heading):
            assert len(others) == cells, code
            assert all(0 < len(cell) <= LONGEST_CELL for cell in others), code


def test_the_failure_table_has_the_codes_of_answers() -> None:
    """Each `AnswerCode` names one row of the failure table."""
    assert sorted(row.name for row in FAILURE_TABLE) == sorted(get_args(AnswerCode))


def test_every_code_is_given_somewhere() -> None:
    """A code that no source names is not in the list."""
    named = {word for text in SOURCES.values() for word in re.findall(r'"(\w+)"', text)}
    assert named >= CODES | HTTP_CODES


def test_the_source_names_no_other_page() -> None:
    """Only one module of the source has the page's address, so that the page can be moved."""
    assert [path.name for path, text in SOURCES.items() if HELP in text] == []
