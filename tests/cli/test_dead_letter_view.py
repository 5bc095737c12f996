"""What `updraft replay` shows of dead letters, without their store."""

import pytest

from cli.dead_letter_container import Kept
from cli.dead_letter_view import overview, show
from shared.stores.dead_letter_reader import Letter
from tests.support.delivery import event


def kept(name: str, code: str) -> Kept:
    """Return a blob with one letter."""
    return Kept(name, [Letter(event(), code, "no", text="{}")])


def test_a_list_names_the_page_of_each_code_once() -> None:
    """A code of many letters has one place on the page, and Event Grid's own codes have none."""
    codes = ["DagNotFound", "BadRequest", "DagNotFound", "UndeliverableDueToClientError"]
    lines = list(overview([kept(f"{n}.json", code) for n, code in enumerate(codes)], "letters"))
    pages = [line for line in lines if "docs/codes.md" in line]
    assert pages == ["  see docs/codes.md#BadRequest, docs/codes.md#DagNotFound"]


def test_an_empty_list_names_no_page() -> None:
    """Where nothing was given up, there is nothing to explain."""
    assert list(overview([], "letters")) == ["0 dead letters in letters"]


@pytest.mark.parametrize(
    ("code", "help_line"),
    [("DagNotFound", "help      docs/codes.md#DagNotFound\n"), ("UndeliverableDueToClientError", "")],
)
def test_a_letter_names_the_page_of_its_code(
    code: str, help_line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One letter has a line with the place that explains its code, below the reason."""
    show(kept("1.json", code), thing="dead letter")
    out = capsys.readouterr().out
    assert out.startswith(f"rule      (any rule)\nreason    {code}: no\n{help_line}attempts")
