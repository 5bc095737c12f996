"""What `updraft explain` shows a person: plain lines, or a tree in colour where there is a terminal."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.output import plural, printable

if TYPE_CHECKING:
    from cli.explained import Explained
    from shared.deciding.decide import Decision
    from shared.runs.request import RunRequest


@dataclass(frozen=True, slots=True)
class View:
    """How events are shown.

    Attributes:
        descriptions: The rules' descriptions, by their names.
        files: Whether to say which file an event comes from, because there are several.
    """

    descriptions: Mapping[str, str]
    files: bool

    def lines(self, each: "Explained") -> Iterator[str]:
        """Yield an event, and what every rule says of it, as plain lines."""
        yield printable(_headline(each))
        if self._names_file(each):
            yield printable(f"  file: {each.file}")
        if each.source is not None:
            yield printable(f"  source: {each.source}")
        yield printable(f"  via: {_via(each)}" if each.error is None else f"  error: {each.error}")
        for note in each.notes:
            yield printable(f"  note: {note}")
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

    def tree(self, each: "Explained") -> Any:
        """Return an event, and what every rule says of it, as a rich tree."""
        from rich.text import Text
        from rich.tree import Tree

        tree = Tree(Text(printable(_headline(each)), style="bold"), guide_style="dim")
        if self._names_file(each):
            tree.add(Text(printable(str(each.file)), style="dim"))
        if each.source is not None:
            tree.add(Text(printable(each.source), style="dim", overflow="fold"))
        if each.error is None:
            tree.add(Text(printable(f"via {_via(each)}"), style="dim"))
        for note in each.notes:
            tree.add(Text(printable(note), style="yellow"))
        if each.error is not None:
            tree.add(Text(printable(each.error), style="red"))
        elif len(each.decisions) > 1:
            hits = sum(decision.matched for decision in each.decisions)
            told = f"matches {hits or 'none'} of {plural(len(each.decisions), 'rule')}"
            tree.add(Text(told, style="cyan" if hits else "dim"))
        for decision in each.decisions:
            self._add(tree, decision)
        return tree

    def _add(self, tree: Any, decision: "Decision") -> None:
        from rich.text import Text

        if not decision.matched:
            tree.add(Text(printable(f"{decision.rule}: {_verdict(decision)}"), style="dim"))
            return
        line = Text(printable(decision.rule), style="bold")
        line.append(": ", style="not bold")
        starts = decision.request is not None or decision.burst_key is not None
        line.append(printable(_verdict(decision)), style="not bold green" if starts else "not bold red")
        branch = tree.add(line)
        if self.descriptions.get(decision.rule):
            branch.add(Text(printable(self.descriptions[decision.rule]), style="italic"))
        if decision.request is not None:
            branch.add(_request(decision.request))

    def _names_file(self, each: "Explained") -> bool:
        return each.file is not None and (self.files or each.error is not None)


def _request(request: "RunRequest") -> Any:
    """Return a request as two columns, so that a long value keeps to its own."""
    from rich.json import JSON
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _facts(request):
        table.add_row(name, Text(printable(value)))
    conf = JSON(json.dumps(request.conf), ensure_ascii=True).text
    conf.no_wrap, conf.overflow = False, "fold"  # JSON would be cut at the terminal's width
    table.add_row("conf", conf)
    return table


def _via(each: "Explained") -> str:
    return each.via if each.via != "unknown" else "not said (--via)"


def _headline(each: "Explained") -> str:
    if each.error is not None and each.id is None and each.type is None:
        return "not an event"
    return f"{each.type or 'unknown type'}  {each.id or 'no id'}"


def _facts(request: "RunRequest") -> Iterator[tuple[str, str]]:
    """Yield what is asked for beside the conf, by name."""
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
        return "match" if decision.request else f"match, but the run cannot be asked for: {decision.reason}"
    collected = f"match, collected for {burst.seconds} s with others of the key `{burst.key}`"
    if decision.request is None:
        return (
            f"{collected}; the run is rendered from the whole window: alone it cannot be: {decision.reason}"
        )
    return f"{collected}; alone, it starts this run"
