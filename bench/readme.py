"""Writes the figures of bench/out/results.json into README.md."""

import json
from typing import Any, Final

from bench.results import OUT
from local.paths import ROOT
from local.processes import default_signals

BEGIN: Final = "<!-- bench: begin -->"
END: Final = "<!-- bench: end -->"

_APPS: Final = ("floor", "updraft", "plain")
_ROWS: Final = (
    ("cold start: the runtime indexes the app, first event handled", "cold_start", "s", ".2f"),
    ("CPU per warm event", "cpu_per_event", "ms", ".2f"),
    ("warm events per second, 8 at once", "events_per_second", "", ",.0f"),
    ("peak memory", "peak_memory", "MB", ".0f"),
)


def table(results: dict[str, Any]) -> str:
    """Return the figures as Markdown: one row each, the three apps side by side."""
    lines = [
        "| | a bare app with one no-op function | **Updraft** | a plain sample |",
        "|---|---|---|---|",
    ]
    for words, name, unit, form in _ROWS:
        cells = [f"{results[f'{name}_{app}']['value']:{form}} {unit}".strip() for app in _APPS]
        lines.append(f"| {words} | {cells[0]} | **{cells[1]}** | {cells[2]} |")
    return "\n".join(lines)


def sentence(results: dict[str, Any]) -> str:
    """Return the table's ratios, which differ less between machines than milliseconds."""
    cold = results["cold_start_of_plain"]["value"]
    cpu = results["cpu_per_event_of_plain"]["value"]
    event = results["cpu_per_event_updraft"]["value"]
    decide = results["read_and_decide_100_rules"]["value"]
    return (
        f"Updraft's cold start takes {100 * cold:.0f} % of the plain sample's time, "
        f"and a warm event takes {100 * cpu:.0f} % of its CPU time.\n"
        f"Of the {event:.2f} ms of CPU per event, "
        f"reading and deciding with 100 rules takes {decide:.2f} ms.\n"
        "The measurement alternated between the three apps, on two cores, "
        "with local stubs for Azure and Airflow.\n"
        "`make bench` measures again, and `python -m bench.readme` writes the result here."
    )


def write() -> None:
    """Put the current figures between the markers of README.md."""
    results = json.loads((OUT / "results.json").read_text(encoding="utf-8"))
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    readme.write_text(
        f"{before}{BEGIN}\n{table(results)}\n\n{sentence(results)}\n{END}{after}", encoding="utf-8"
    )


if __name__ == "__main__":
    default_signals.restore()
    write()
