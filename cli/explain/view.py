"""Shows the decisions of `updraft explain`: as plain lines, or on a terminal as a tree in colour."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

from cli.output import plural, printable

if TYPE_CHECKING:
    from cli.explain.explained import Explained
    from shared.deciding.decide import Decision
    from shared.runs.request import RunRequest

_GUIDE: Final = 4
"""Columns by which a branch of a rich tree is indented."""
_NAMES: Final = 14
"""Columns of the names of a request's facts."""
_NARROWEST: Final = 20


@dataclass(frozen=True, slots=True)
class View:
    """Shows events.

    Attributes:
        descriptions: The rules' descriptions, by their names.
        files: Whether the file of each event is shown, because there are several.
    """

    descriptions: Mapping[str, str]
    files: bool

    def lines(self, each: "Explained", left_out: int = 0) -> Iterator[str]:
        """Yield an event, and the decision of each rule, as plain lines.

        Args:
            each: The event.
            left_out: How many rules that do not match are not among its decisions.
        """
        yield _headline(each)
        yield from (printable(f"  {fact}") for fact in self._about(each, left_out))
        for decision in each.decisions:
            yield printable(f"  {decision.rule}: {_verdict(decision)}")
            if decision.matched and self.descriptions.get(decision.rule):
                yield printable(f"    description: {self.descriptions[decision.rule]}")
            if decision.request is not None:
                for name, value in _facts(decision.request):
                    yield printable(f"    {name}: {value}")
                yield "    conf:"
                for line in json.dumps(decision.request.conf, indent=2).splitlines():
                    yield f"      {line}"
        if left_out:
            yield f"  {_left_out(each, left_out)}"

    def _about(self, each: "Explained", left_out: int) -> Iterator[str]:
        """Yield what is known of an event beside its decisions; arguments as for `lines`."""
        if self._names_file(each):
            yield f"file: {each.file}"
        if each.source is not None:
            yield f"source: {each.source}"
        yield f"via: {_via(each)}" if each.error is None else f"error: {each.error}"
        yield from (f"note: {note}" for note in each.notes)
        if summary := _summary(each, left_out):
            yield summary

    def tree(self, each: "Explained", left_out: int, width: int) -> Any:
        """Return an event, and the decision of each rule, as a rich tree.

        Args:
            each: The event.
            left_out: As for `lines`.
            width: The terminal's width.
        """
        from rich.text import Text
        from rich.tree import Tree

        tree = Tree(Text(_headline(each, width), style="bold"), guide_style="dim")
        inner = width - _GUIDE
        if self._names_file(each):
            tree.add(_text(str(each.file), inner, "dim"))
        if each.source is not None:
            tree.add(_text(each.source, inner, "dim"))
        if each.error is None:
            tree.add(_text(f"via {_via(each)}", inner, "dim"))
        for note in each.notes:
            tree.add(_text(note, inner, "yellow"))
        if each.error is not None:
            tree.add(_text(each.error, inner, "red"))
        elif summary := _summary(each, left_out):
            hits = any(decision.matched for decision in each.decisions)
            tree.add(_text(summary, inner, "cyan" if hits else "dim"))
        for decision in each.decisions:
            self._add(tree, decision, inner)
        if left_out:
            tree.add(_text(_left_out(each, left_out), inner, "dim"))
        return tree

    def _add(self, tree: Any, decision: "Decision", width: int) -> None:
        verdict = f"{decision.rule}: {_verdict(decision)}"
        if not decision.matched:
            tree.add(_text(verdict, width, "dim"))
            return
        starts = decision.request is not None or decision.burst_key is not None
        line = _text(verdict, width, "green" if starts else "red")
        line.stylize("bold", 0, len(printable(decision.rule)))
        branch = tree.add(line)
        if self.descriptions.get(decision.rule):
            branch.add(_text(self.descriptions[decision.rule], width - _GUIDE, "italic"))
        if decision.request is not None:
            branch.add(_request(decision.request, width - _GUIDE))

    def _names_file(self, each: "Explained") -> bool:
        return each.file is not None and (self.files or each.error is not None)


def _text(text: str, width: int, style: str) -> Any:
    """Return a text with line breaks between words; a word that is longer than a line is not broken."""
    from rich.text import Text

    return Text("\n".join(_broken(text, width)), style=style)


def _broken(text: str, width: int) -> list[str]:
    most = max(width, _NARROWEST)
    return wrap(printable(text), most, break_long_words=False, break_on_hyphens=False) or [""]


def _request(request: "RunRequest", width: int) -> Any:
    """Return a request: each value after its name, and conf as JSON with unbroken lines."""
    from rich.json import JSON
    from rich.text import Text

    shown = Text()
    for name, value in _facts(request):
        first, *more = _broken(value, width - _NAMES)
        shown.append(name.ljust(_NAMES), style="dim")
        shown.append("\n".join([first, *(" " * _NAMES + line for line in more)]) + "\n")
    shown.append("conf", style="dim")
    for line in JSON(json.dumps(request.conf), ensure_ascii=True).text.split():
        shown.append("\n  ")
        shown.append_text(line)
    return shown


def _summary(each: "Explained", left_out: int) -> str:
    """Return how many rules match; empty for a text that is not an event, and for a single rule."""
    rules = len(each.decisions) + left_out
    if each.error is not None or rules < 2:
        return ""
    hits = sum(decision.matched for decision in each.decisions)
    return f"matches {hits or 'none'} of {plural(rules, 'rule')}"


def _left_out(each: "Explained", left_out: int) -> str:
    count = plural(left_out, "other rule" if each.decisions else "rule")
    return f"{count} {'does' if left_out == 1 else 'do'} not match; --rule NAME shows why"


def _via(each: "Explained") -> str:
    return each.via if each.via != "unknown" else "unknown; give it with `--via`"


def _headline(each: "Explained", width: int | None = None) -> str:
    """Return the type and the id, unbroken, and on two lines if one line is too short."""
    if each.error is not None and each.id is None and each.type is None:
        return "not an event"
    parts = (printable(each.type or "unknown type"), printable(each.id or "no id"))
    line = "  ".join(parts)
    return line if width is None or len(line) <= width else "\n".join(parts)


def _facts(request: "RunRequest") -> Iterator[tuple[str, str]]:
    """Yield the values of a request by name, without conf."""
    yield "connection", request.connection
    yield "dag", request.dag_id
    yield "run id", request.dag_run_id
    for name, value in (("logical date", request.logical_date), ("run after", request.run_after)):
        if value is not None:
            yield name, value
    yield "note", request.note or ""


def _verdict(decision: "Decision") -> str:
    if not decision.matched:
        return f"no match: {decision.reason}"
    burst = decision.burst_key
    if burst is None:
        return "match" if decision.request else f"match, but the run cannot be requested: {decision.reason}"
    collected = f"match, collected for {burst.seconds} s with others of the key `{burst.key}`"
    if decision.request is None:
        return f"{collected}; it cannot be rendered from this event alone: {decision.reason}"
    return f"{collected}; alone, it starts this run"
