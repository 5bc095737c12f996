"""The audit of the fault suite finds a missing run, and an extra one."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults import verdict
from tests.faults.stream import ORDER, RULES_OF, stream
from tests.faults.verdict import Verdict, compare, keep, write_table

GOOD = Verdict(
    events=2,
    expected_runs=3,
    runs=3,
    lost=0,
    twice=0,
    counts_balance=True,
    airflow_alive=True,
    seconds=1.25,
    more={"peak": 0, "ratio": 0.0},
)


def test_a_stream_is_the_same_each_time_and_a_fifth_of_it_comes_again() -> None:
    """Redeliveries are real ones, in no order, and every rule's run is expected once."""
    one, other = stream(50, name="a"), stream(50, name="a")
    assert one == other
    assert len(one.deliveries) == 60
    ids = Counter(delivery.event_id for delivery in one.deliveries)
    assert len(ids) == 50
    assert sum(count == 2 for count in ids.values()) == 10
    assert [delivery.event_id for delivery in one.deliveries] != sorted(ids)
    orders = stream(3, name="b", types=(ORDER,))
    assert orders.expected == {(rule, f"b-{number}") for number in range(3) for rule in RULES_OF[ORDER]}


@pytest.mark.parametrize(
    ("found", "lost", "twice"),
    [
        ({("r", "1"): 1, ("r", "2"): 1}, 0, 0),
        ({("r", "1"): 1}, 1, 0),
        ({("r", "1"): 2, ("r", "2"): 1}, 0, 1),
        ({("r", "1"): 1, ("r", "2"): 1, ("", ""): 1}, 0, 1),
        ({("r", "1"): 3}, 1, 2),
    ],
)
def test_the_audit_counts_what_is_missing_and_what_is_too_many(
    found: dict[tuple[str, str], int], lost: int, twice: int
) -> None:
    """A missing run, a second one, and an unexpected one are each found."""
    assert compare(frozenset({("r", "1"), ("r", "2")}), Counter(found)) == (lost, twice)


@pytest.mark.parametrize(
    "broken",
    [
        {"lost": 1},
        {"twice": 1},
        {"counts_balance": False},
        {"airflow_alive": False},
        {"more": {"held": False}},
    ],
)
def test_a_verdict_holds_only_where_all_of_it_does(broken: dict[str, object]) -> None:
    """One broken promise breaks the verdict; a figure of zero is not a promise."""
    assert GOOD.holds
    known = {name: getattr(GOOD, name) for name in Verdict.__dataclass_fields__}
    verdict = Verdict(**(known | broken))
    assert (verdict.kept, verdict.holds) == (False, False)


def test_a_speed_that_is_too_low_breaks_no_promise() -> None:
    """It breaks the verdict of `make faults`, and not the verdict of a test."""
    slow = replace(GOOD, more={"fast_enough": False})
    assert (slow.kept, slow.holds) == (True, False)
    assert GOOD.kept


def test_figures_are_kept_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has the agreed keys for each fault, and the page a row, in the order of the numbers."""
    monkeypatch.setattr(verdict, "FIGURES", tmp_path / "out" / "faults.json")
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- faults: written by make faults -->\n<!-- end of faults -->\nafter\n")
    keep("10 later", GOOD)
    keep("2b first", GOOD)
    keep("2b first", replace(GOOD, events=1), short=True)
    keep("3 short", GOOD, short=True)
    write_table(page)
    kept = json.loads((tmp_path / "out" / "faults.json").read_text())
    assert kept["2b first"].keys() >= {
        "events",
        "expected_runs",
        "runs",
        "lost",
        "twice",
        "counts_balance",
        "airflow_alive",
        "seconds",
    }
    lines = page.read_text().splitlines()
    assert lines[0] == "before"
    assert lines[-1] == "after"
    assert kept["2b first"]["events"] == GOOD.events, "the short form replaces nothing"
    assert kept["3 short"]["short_form"]
    rows = [line for line in lines if line.startswith("| ") and "events" not in line]
    assert [row.split(" | ")[0] for row in rows] == ["| 2b first", "| 10 later"]
    assert rows[0].endswith("| balances | alive | 1.2 | peak: 0, ratio: 0 |")


def test_a_selection_leaves_the_other_rows_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of faults that have no figures here stay in the page; a fault that was run again has a new row."""
    monkeypatch.setattr(verdict, "FIGURES", tmp_path / "faults.json")
    page = tmp_path / "page.md"
    page.write_text("<!-- faults: written by make faults -->\n<!-- end of faults -->\n")
    keep("3 some", GOOD)
    keep("1 other", GOOD)
    write_table(page)
    before = page.read_text()
    (tmp_path / "faults.json").unlink()
    keep("3 some", replace(GOOD, seconds=9.0))
    write_table(page)
    assert (
        page.read_text().splitlines()
        == before.replace("| 1.2 |", "| 9.0 |").replace("| 9.0 |", "| 1.2 |", 1).splitlines()
    )
