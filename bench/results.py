"""A figure with its bar; prints and stores figures."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.paths import ROOT

OUT: Final = ROOT / "bench" / "out"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value.

    Attributes:
        name: The name in results.json; it does not change, so that runs can be compared.
        value: The median, or the ratio of medians, in `unit`.
        unit: As in `s`, `ms`, `ratio`.
        bar: The limit of the value; None for a figure that is only shown.
        at_least: True if more is better, so that the bar is a minimum.
    """

    name: str
    value: float
    unit: str
    bar: float | None = None
    at_least: bool = False

    @property
    def ok(self) -> bool:
        """Whether the value is within the bar."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.at_least else self.value <= self.bar


def show(figures: list[Figure]) -> None:
    """Print the figures as a table."""
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        bar = "" if figure.bar is None else f"  bar {figure.bar:g}  {'ok' if figure.ok else 'MISSED'}"
        print(f"{figure.name:<{width}}  {figure.value:>10.4g} {figure.unit:<9}{bar}")


def keep(figures: list[Figure], path: Path = OUT / "results.json") -> None:
    """Write `{name: {"value", "unit", "bar", "ok"}}`, and keep the figures of other measurements."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for figure in figures:
        kept[figure.name] = {
            "value": round(figure.value, 6),
            "unit": figure.unit,
            "bar": figure.bar,
            "ok": figure.ok,
        }
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
