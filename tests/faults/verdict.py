"""The result of a fault's audit, and the file with the figures of all faults."""

import fcntl
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.faults.stream import Run
from tests.support.paths import ROOT

FIGURES: Final = ROOT / "bench" / "out" / "faults.json"
PAGE: Final = ROOT / "docs" / "faults.md"
_BEGIN: Final = "<!-- faults: written by make faults -->"
_END: Final = "<!-- end of faults -->"
FAST_ENOUGH: Final = "fast_enough"
"""The figure in `more` about speed, which the tests do not judge."""
_SHORT: Final = "short_form"
_HEAD: Final = (
    "| fault | events | runs expected | runs | lost | twice | counts | Airflow | seconds | and |",
    "|---|--:|--:|--:|--:|--:|---|---|--:|---|",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures of one fault.

    Attributes:
        events: The number of events, without redeliveries.
        expected_runs: The number of expected runs.
        runs: The number of runs in Airflow.
        lost: The number of expected runs and dead letters that are missing.
        twice: The number of runs that are not expected.
        counts_balance: Whether the counts have exactly one end for each delivery.
        airflow_alive: Whether Airflow answers in the end, its scheduler included.
        seconds: The duration.
        more: Figures that only this fault has.
    """

    events: int
    expected_runs: int
    runs: int
    lost: int
    twice: int
    counts_balance: bool
    airflow_alive: bool
    seconds: float
    more: Mapping[str, float | bool | str] = field(default_factory=dict)

    @property
    def kept(self) -> bool:
        """Whether the promises hold, at any speed; a figure in `more` that is False breaks them."""
        broken = {name for name, figure in self.more.items() if figure is False} - {FAST_ENOUGH}
        audited = self.lost == 0 and self.twice == 0 and self.counts_balance and self.airflow_alive
        return audited and not broken

    @property
    def holds(self) -> bool:
        """Whether the promises hold, and the fault was fast enough if its speed is judged."""
        return self.kept and self.more.get(FAST_ENOUGH) is not False

    def to_json(self) -> dict[str, Any]:
        """Return the figures as they are in the file."""
        figures = asdict(self)
        return {name: figures[name] for name in figures if name != "more"} | dict(self.more)


def compare(expected: frozenset[Run], found: Counter[Run]) -> tuple[int, int]:
    """Return how many expected runs are missing, and how many runs are not expected."""
    return len(expected - found.keys()), found.total() - len(expected & found.keys())


def keep(name: str, verdict: Verdict, *, short: bool = False) -> None:
    """Write one fault's figures into the file of all faults; a lock prevents writes at the same time.

    Args:
        name: The fault's name.
        verdict: The fault's figures.
        short: Whether the fault ran in its short form; its figures never replace figures of the long form.
    """
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    with FIGURES.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
        if short and _SHORT not in kept.get(name, {_SHORT: True}):
            return
        kept[name] = verdict.to_json() | ({_SHORT: True} if short else {})
        FIGURES.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def write_table(page: Path = PAGE) -> None:
    """Write the figures into the page's table; the rows of faults without figures stay."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    table, _, after = rest.partition(_END)
    rows = {_fault(row): row for row in table.strip().splitlines()[len(_HEAD) :]}
    rows |= {_fault(row): row for row in _rows(json.loads(FIGURES.read_text(encoding="utf-8")))}
    table = "\n".join([*_HEAD, *(rows[fault] for fault in sorted(rows, key=_order))])
    page.write_text(f"{before}{_BEGIN}\n{table}\n{_END}{after}", encoding="utf-8")


def _fault(row: str) -> str:
    return row.split("|")[1].strip()


def _rows(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = []
    usual = set(Verdict.__dataclass_fields__)
    for name, figure in figures.items():
        if _SHORT in figure:
            continue
        more = ", ".join(f"{key}: {_shown(value)}" for key, value in figure.items() if key not in usual)
        cells = [name, *(figure[key] for key in ("events", "expected_runs", "runs", "lost", "twice"))]
        cells.append("balances" if figure["counts_balance"] else "**does not balance**")
        cells += ["alive" if figure["airflow_alive"] else "**dead**", f"{figure['seconds']:.1f}", more]
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return rows


def _order(name: str) -> tuple[int, str]:
    number = name.split(maxsplit=1)[0].rstrip("abcdefg.")
    return (int(number) if number.isdigit() else 99, name)


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
