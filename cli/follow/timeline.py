"""The timeline of an event: when each step happened, in milliseconds since it was published, one a line.

`updraft publish --wait` and `make demo` show it. The steps in Airflow come from the run as its API describes
it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cli.output import printable
from shared.errors import UnusableValue
from shared.values.json_text import JsonObject
from shared.values.times import parse_time

ENDED: Final = frozenset({"success", "failed"})
"""The states of a run that has ended."""
_NAMES: Final = {
    "started": ("run created", "cyan"),
    "success": ("succeeded", "green"),
    "failed": ("failed", "red"),
    "rejected": ("rejected", "red"),
    "duplicate": ("duplicate", "yellow"),
}


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """One step.

    Attributes:
        at: When it happened.
        name: The step, as in `running` or `success`.
        words: Details for the line; may be empty.
    """

    at: datetime
    name: str
    words: str = ""


def run_moments(run: JsonObject) -> list[Moment]:
    """Return the steps of a run in their order: created, running, and its end.

    Args:
        run: A run as Airflow's API describes it.
    """
    state = run.get("state")
    steps = [("queued_at", "started", ""), ("start_date", "running", "")]
    if isinstance(state, str) and state in ENDED:
        steps.append(("end_date", state, _conf_in_words(run)))
    found = [(_time(run, member), name, words) for member, name, words in steps]
    return [Moment(at, name, words) for at, name, words in found if at is not None]


def line(milliseconds: float, name: str, words: str = "") -> str:
    """Return a line of the timeline without colours."""
    shown, _ = _NAMES.get(name, (name, ""))
    return printable(f"{_number(milliseconds)}  {shown:<11} {words}".rstrip())


def markup(milliseconds: float, name: str, words: str = "") -> str:
    """Return a line of the timeline in rich's markup."""
    from rich.markup import escape

    shown, colour = _NAMES.get(name, (name, "cyan"))
    padded = f"{shown:<11} " if words else shown
    return f"{_number(milliseconds)}  [{colour}]{padded}[/]{escape(printable(words))}"


def line_printer(*, terminal: bool) -> Callable[[float, str, str], None]:
    """Return a function that prints a line, with colours where standard output is a terminal."""
    if not terminal:
        return lambda milliseconds, name, words: print(line(milliseconds, name, words), flush=True)
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    return lambda milliseconds, name, words: console.print(markup(milliseconds, name, words))


def milliseconds_since(start: datetime, at: datetime) -> float:
    """Return the time between two moments; never negative, though the clocks of two machines may differ."""
    return max((at - start).total_seconds() * 1000, 0.0)


def _number(milliseconds: float) -> str:
    return f"{milliseconds:,.0f}".replace(",", " ").rjust(7) + " ms"


def _conf_in_words(run: JsonObject) -> str:
    conf = run.get("conf")
    members = conf.items() if isinstance(conf, dict) else ()
    return ", ".join(f"{name} {value}" for name, value in members if not name.startswith("_"))


def _time(run: JsonObject, member: str) -> datetime | None:
    value = run.get(member)
    try:
        return parse_time(value) if isinstance(value, str) else None
    except UnusableValue:
        return None
