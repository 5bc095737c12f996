"""The position of a syntax error in a YAML file: its lines, its rule, and the quotes in the line."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

_TEMPLATE: Final = re.compile(r"(?:^|[:\-,\[{])\s*(?P<template>\{\{|\{%)")
_NAME: Final = re.compile(r"""(?:^|[{,\s-])name:\s+["']?(?P<name>[^\s"',}]+)""")
_RULES: Final = re.compile(r"rules\s*:")
_ITEM: Final = re.compile(r"(?P<indent>\s*)- ")


@dataclass(frozen=True, slots=True)
class Slip:
    """One syntax error of YAML.

    Attributes:
        message: What is wrong.
        fix: What to write.
        line: Counted from 1.
        column: Counted from 1.
    """

    message: str
    fix: str
    line: int
    column: int


class Position:
    """The position where PyYAML stopped."""

    def __init__(self, text: str, error: yaml.MarkedYAMLError, loader: Any) -> None:
        self.lines = text.split("\n")
        self.problem = str(error.problem or error.context or "")
        self.context = str(error.context or "")
        mark = error.problem_mark or error.context_mark
        self.row, self.at = (mark.line, mark.column) if mark else (0, 0)
        last = len(self.lines) - 1
        if self.row > last:
            self.row, self.at = last, len(self.lines[last])
        opened = error.context_mark
        self.opened = (opened.line, opened.column) if opened and opened.line <= last else (self.row, self.at)
        self._text, self._loader = text, loader

    @property
    def line(self) -> str:
        """The line of this position."""
        return self.lines[self.row].rstrip("\r")

    def slip(self, message: str, fix: str, row: int | None = None, at: int | None = None) -> Slip:
        """Return a slip at this position, or at another row and index, both from 0."""
        return Slip(message, fix, (self.row if row is None else row) + 1, (self.at if at is None else at) + 1)

    def indentation(self, row: int) -> int:
        """Return the indentation of a line."""
        line = self.lines[row]
        return len(line) - len(line.lstrip())

    def before(self) -> Iterator[int]:
        """Yield the rows of the previous lines with content, the nearest first."""
        for row in range(self.row - 1, -1, -1):
            if self.lines[row].strip() and not self.lines[row].lstrip().startswith("#"):
                yield row

    def last_quoted(self) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """Return where the last text in quotes before this position begins and ends."""
        last = None
        try:
            for token in yaml.scan(self._text, Loader=self._loader):
                if isinstance(token, yaml.ScalarToken):
                    quotes = not token.plain and str(token.style) in {"'", '"'}
                    begin, end = token.start_mark, token.end_mark
                    last = ((begin.line, begin.column), (end.line, end.column)) if quotes else last
                    if (begin.line, begin.column) >= (self.row, self.at):
                        break
        except yaml.YAMLError:
            pass
        return last


def unquoted_template(line: str, number: int, before: int = 0) -> Slip | None:
    """Return the slip of a template without quotes, or None if the line has no such template.

    Args:
        line: The line.
        number: Its number, from 1.
        before: The last index at which the template may begin; 0 for any.
    """
    found = [each for each in _TEMPLATE.finditer(line) if not in_quotes(line, each.start("template"))]
    found = [each for each in found if not before or each.start("template") <= before]
    if not found:
        return None
    start = found[-1 if before else 0].start("template")
    whole = template_at(line, start)
    return Slip("a template needs quotes", f"write `{quoted(whole)}`", number, start + 1)


def template_at(line: str, start: int) -> str:
    """Return the value that begins with a template at an index of a line."""
    rest = re.split(r"\s#", line[start:], maxsplit=1)[0].rstrip()
    if "{" in line[:start] or "[" in line[:start]:  # in a list or object, the value ends with its template
        closed = re.match(r"(?:\{\{.*?\}\}|\{%.*?%\})", rest)
        return closed.group() if closed else rest
    return rest


def quoted(text: str) -> str:
    """Return a text as YAML in quotes."""
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def rule_near(lines: Sequence[str], line: int) -> str:
    """Return the name of the rule of a line in an unreadable file; empty if it is not known.

    Args:
        lines: The file's lines.
        line: The line's number, from 1.
    """
    top = next((at for at, each in enumerate(lines) if _RULES.match(each)), None)
    if top is None or line <= top + 1:
        return ""
    items = [(at, found["indent"]) for at in range(top, len(lines)) if (found := _ITEM.match(lines[at]))]
    starts = [at for at, indent in items if len(indent) <= len(items[0][1])]
    begin = max((at for at in starts if at < line), default=None)
    if begin is None:
        return ""
    end = min((at for at in starts if at > begin), default=len(lines))
    named = (_NAME.search(each) for each in lines[begin:end])
    return next((found["name"] for found in named if found), "")


def in_quotes(line: str, index: int) -> bool:
    """Return whether an index of a line is within quotes, judged by this line alone."""
    quote = ""
    for at, character in enumerate(line[:index]):
        if quote:
            quote = "" if character == quote and line[at - 1] != "\\" else quote
        elif character in "'\"" and not line[at - 1 : at].isalnum():
            quote = character
    return bool(quote)
