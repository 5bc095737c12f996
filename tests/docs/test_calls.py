"""docs/calls.md: every refusal that the code can give is on it."""

import re

from shared.http_api.refusals import ROWS
from tests.support.paths import ROOT

PAGE = (ROOT / "docs/calls.md").read_text(encoding="utf-8")
SOURCES = (ROOT / "shared").rglob("*.py")
RAISED = re.compile(r'(?:CallRefused\(\s*(\d+)|unauthorized\()[,\s]*"(\w+)"')
INTERNAL = {"internal_error"}  # a mistake of this app, which nobody can do anything about


def test_every_refusal_is_on_the_page() -> None:
    """Each code stands in the row of its status, and no row has a code that is never given."""
    given = {
        (status or "401", code)
        for source in SOURCES
        for status, code in RAISED.findall(source.read_text(encoding="utf-8"))
        if code not in INTERNAL
    } | {(str(row.status), row.code) for row in ROWS.values()}
    rows = re.findall(r"^\| (\d{3}) \| (.+?) \|", PAGE, re.MULTILINE)
    listed = {(status, code) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    assert listed == given
