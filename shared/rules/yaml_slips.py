"""What a person wrote where YAML cannot be read: the slip, its place, and what to write.

PyYAML reports the place where it gave up, in words about its own parser. Here the lines around that place are
looked at, and the commonest slips are recognised: a tab, a template without quotes, a quote that is not
closed, a colon in a text, an indentation that fits nothing.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from shared.values.wording import clipped
from shared.visible_text import visible

_TEMPLATE: Final = re.compile(r"(?:^|[:\-,\[{])\s*(?P<template>\{\{|\{%)")
_VALUE: Final = re.compile(r"(?:^|[:\-,\[{]\s+|^\s*)(?P<value>[*&@`%|>!]\S.*|[*&@`%]$|[*&](?=[\],}]))")
_KEY: Final = re.compile(r"\s*(?:- +)*(?P<key>[^\s:#'\"{\[][^:#'\"]*?)\s*:(?:\s|$)")
_NAME: Final = re.compile(r"""(?:^|[{,\s-])name:\s+["']?(?P<name>[^\s"',}]+)""")
_RULES: Final = re.compile(r"rules\s*:")
_ITEM: Final = re.compile(r"(?P<indent>\s*)- ")
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class Slip:
    """One mistake in the YAML itself.

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


def yaml_slip(text: str, error: yaml.MarkedYAMLError, loader: Any) -> Slip:
    """Return the mistake that made PyYAML give up.

    Args:
        text: The whole file.
        error: What PyYAML raised.
        loader: The loader that raised it, which reads the text again, token by token.
    """
    place = _Place(text, error, loader)
    for look in _LOOKS:
        slip = look(place)
        if slip is not None:
            return slip
    return place.slip(
        "the YAML cannot be read here", "check the quotes, colons and indentation of this line and the last"
    )


def unquoted_template(line: str, number: int, before: int = 0) -> Slip | None:
    """Return the slip of a template that is not in quotes, or None where the line has none.

    Args:
        line: The line.
        number: Its number, from 1.
        before: Only a template that begins at this index or before it counts; 0 for any.
    """
    found = [each for each in _TEMPLATE.finditer(line) if not _in_quotes(line, each.start("template"))]
    found = [each for each in found if not before or each.start("template") <= before]
    if not found:
        return None
    start = found[-1 if before else 0].start("template")
    whole = template_at(line, start)
    return Slip("a template needs quotes", f"write `{quoted(whole)}`", number, start + 1)


def template_at(line: str, start: int) -> str:
    """Return the value that begins with a template at an index of a line."""
    rest = re.split(r"\s#", line[start:], maxsplit=1)[0].rstrip()
    if "{" in line[:start] or "[" in line[:start]:  # a value in a list or object ends with its template
        closed = re.match(r"(?:\{\{.*?\}\}|\{%.*?%\})", rest)
        return closed.group() if closed else rest
    return rest


def quoted(text: str) -> str:
    """Return a text as YAML in quotes."""
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def rule_near(lines: Sequence[str], line: int) -> str:
    """Return the name of the rule that a line of an unreadable file belongs to; empty where that is open.

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


class _Place:
    """Where PyYAML gave up."""

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
        """The line of the place."""
        return self.lines[self.row].rstrip("\r")

    def slip(self, message: str, fix: str, row: int | None = None, at: int | None = None) -> Slip:
        """Return a slip at this place, or at another row and index, both from 0."""
        return Slip(message, fix, (self.row if row is None else row) + 1, (self.at if at is None else at) + 1)

    def indentation(self, row: int) -> int:
        """Return how many characters a line is indented."""
        line = self.lines[row]
        return len(line) - len(line.lstrip())

    def before(self) -> Iterator[int]:
        """Yield the rows of the lines with content before this one, the nearest first."""
        for row in range(self.row - 1, -1, -1):
            if self.lines[row].strip() and not self.lines[row].lstrip().startswith("#"):
                yield row

    def last_quoted(self) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """Return where the last text in quotes before the place begins and ends."""
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


def _tab(place: _Place) -> Slip | None:
    for row in dict.fromkeys((place.row, place.opened[0])):
        indentation = re.match(r"\s*", place.lines[row])
        at = indentation.group().find("\t") if indentation else -1
        if at >= 0:
            return place.slip(
                "a tab in the indentation", "indent with spaces, as in the lines around", row, at
            )
    return None


def _document(place: _Place) -> Slip | None:
    if "another document" in place.problem:
        return place.slip("a second document begins here", "delete the line `---` and keep one document")
    if place.line.startswith("%") and place.row == place.opened[0] and "directive" in place.context:
        return place.slip("a line that begins with `%`", "delete it, or put the text into quotes")
    return None


def _template(place: _Place) -> Slip | None:
    return unquoted_template(place.line, place.row + 1, place.at)


def _special(place: _Place) -> Slip | None:
    """A text that begins with a character that has a meaning in YAML."""
    row, at = place.opened if place.opened[0] == place.row else (place.row, place.at)
    line = place.lines[row]
    if "undefined alias" in place.problem:
        at = place.at
        name = re.split(r"[\s,\]}]", line[at + 1 :], maxsplit=1)[0]
        fix = f"name the value with `&{name}` before it is used, or write the text as `{quoted(f'*{name}')}`"
        return place.slip(f"the alias `*{_short(name)}` has no anchor `&{_short(name)}` before it", fix)
    if at >= len(line) or line[at] not in "*&@`%|>!" or _in_quotes(line, at):
        return None
    flow = place.line[:at].count("[") + place.line[:at].count("{")
    value = re.split(r"[,\]}]" if flow else r"\s#", line[at:], maxsplit=1)[0].rstrip()
    return place.slip(
        f"a text that begins with `{line[at]}` needs quotes", f"write `{_short(quoted(value))}`", row, at
    )


def _quote(place: _Place) -> Slip | None:
    if "quoted scalar" in place.context:
        row, at = place.opened
        if "escape" in place.problem:
            value = re.sub(r"^\"|\".*$", "", place.lines[row][at:])
            return place.slip(
                "a `\\` in double quotes begins an escape, and this one does not exist",
                f"write single quotes: `{_short(quoted(value))}`",
            )
        return _unclosed(place, row, at)
    last = place.last_quoted()
    if last is None:
        return None
    (row, at), end = last
    if end[0] not in {place.row, place.row - 1}:
        return None
    if row < end[0]:
        return _unclosed(place, row, at)
    between = place.line[end[1] : place.at] if end[0] == place.row else "x"
    if between.strip():
        return None
    value = re.split(r"\s#", place.lines[row][at:], maxsplit=1)[0].rstrip()
    if "flow" in place.context and re.match(r"[\w-]+:(\s|$)", place.line[place.at :]):
        return place.slip("a `,` is missing before this", "write `,` between two members")
    inner = value[1:-1] if value.endswith(value[0]) else value.replace(value[0], "")
    fix = f"write `{_short(quoted(inner))}`"
    return place.slip("text after the closing quote", fix, place.row, min(place.at, len(place.line)))


def _unclosed(place: _Place, row: int, at: int) -> Slip:
    value = place.lines[row][at:].rstrip()
    end = value[0]
    return place.slip(
        f"the quote `{end}` that opens here is not closed in this line",
        f"write `{_short(value + end)}`",
        row,
        at,
    )


def _colon(place: _Place) -> Slip | None:
    """A second colon in a line, or a line that goes on with the text of the last one."""
    if "mapping values are not allowed" not in place.problem:
        return None
    key = _KEY.match(place.line)
    if key is not None and key.end("key") < place.at:
        value = re.split(r"\s#", place.line[key.end("key") + 1 :], maxsplit=1)[0].strip()
        return place.slip(
            "a text with `: ` in it needs quotes", f"write `{_short(f'{key["key"]}: {quoted(value)}')}`"
        )
    row = next(place.before(), None)
    if row is None:
        return None
    return _glued(place, row) or _dash(place, row) or _indentation(place)


def _glued(place: _Place, row: int) -> Slip | None:
    """A key whose colon has no space after it."""
    found = re.match(r"\s*(?:- +)?(?P<key>\w+):(?P<value>\S.*)$", place.lines[row])
    if found is None:
        return None
    fix = f"write `{found['key']}: {_short(found['value'])}`"
    return place.slip("a colon needs a space after it", fix, row, found.end("key"))


def _dash(place: _Place, row: int | None = None) -> Slip | None:
    """A `-` that has no space after it."""
    row = place.row if row is None else row
    line = place.lines[row]
    if not re.match(r"\s*-\w.*:", line):
        return None
    fix = f"write `- {_short(line.strip()[1:])}`"
    return place.slip("a `-` needs a space after it", fix, row, place.indentation(row))


def _no_colon(place: _Place) -> Slip | None:
    row, at = place.opened
    if "expected ':'" not in place.problem:
        return None
    found = re.fullmatch(r"(?P<key>\w+)(?P<value>\s+.*)?", place.lines[row].strip().removeprefix("- "))
    if found is not None:
        fix = f"write `{found['key']}:{_short((found['value'] or '').rstrip())}`"
        return place.slip("a key needs a colon after it", fix, row, at)
    return _glued(place, row) or place.slip("this line has no colon", "write `key: value`", row, at)


def _open(place: _Place) -> Slip | None:
    """A list or an object in brackets that is not closed, or that lacks a comma."""
    kind = next((kind for kind in ("flow sequence", "flow mapping") if kind in place.context), None)
    if kind is None:
        return None
    row, at = place.opened
    opens, closes = ("[", "]") if kind == "flow sequence" else ("{", "}")
    if row == place.row and place.at < len(place.line.rstrip()):
        if ":" in place.line[place.at : place.at + 2]:
            return place.slip("a text with `:` in it needs quotes", 'put the text into quotes: `"a: b"`')
        return place.slip(
            f"no `,` or `{closes}` stands before this",
            f"write `,` between two members, or `{closes}` at the end",
        )
    return place.slip(f"`{opens}` is not closed", f"write `{closes}` at the end of the line", row, at)


def _block(place: _Place) -> Slip | None:
    if "literal" in place.context or "block scalar" in place.context:
        row, at = place.opened
        value = place.lines[row][at:].rstrip()
        return place.slip(
            f"a text that begins with `{value[:1]}` needs quotes", f"write `{_short(quoted(value))}`", row, at
        )
    closing = place.line[place.at : place.at + 1]
    if closing and closing in "]}":
        return place.slip(f"nothing is open that `{closing}` would close", f"delete the `{closing}`")
    return _indentation(place) if "block" in place.context else None


def _indentation(place: _Place) -> Slip | None:
    """A line whose beginning fits none of the lines that it could go on with."""
    indentation = place.indentation(place.row)
    content = place.line.strip()
    dash = content.startswith("- ")
    levels: dict[int, bool] = {}  # of the objects and lists that are open, and whether each is a list
    lowest = None
    for row in place.before():
        level, item = place.indentation(row), place.lines[row].lstrip().startswith("- ")
        if lowest is not None and level >= lowest:
            continue
        lowest = level
        levels.setdefault(level, item)
        if item:
            levels.setdefault(level + 2, False)
    if levels.get(indentation, dash) != dash:
        shown = _short(content)
        return place.slip(
            f"`{shown}` is an item of a list among keys"
            if dash
            else f"`{shown}` stands among the items of a list",
            "indent it as the list that it belongs to"
            if dash
            else "write `- ` before it, or indent it as the item that it belongs to",
            place.row,
            indentation,
        )
    fitting = [level for level, is_list in levels.items() if is_list is dash] or [*levels]
    near = min(fitting, key=lambda level: (abs(level - indentation), -level), default=indentation)
    if near == indentation:
        return None
    return place.slip(
        f"the line is indented by {_spaces(indentation)}, which fits none of the lines before it",
        f"indent it by {_spaces(near)}",
        place.row,
        indentation,
    )


_LOOKS: Final[tuple[Callable[[_Place], Slip | None], ...]] = (
    _tab,
    _document,
    _template,
    _special,
    _quote,
    _colon,
    _no_colon,
    _open,
    _dash,
    _block,
)


def _in_quotes(line: str, index: int) -> bool:
    """Tell whether an index of a line is within quotes, as far as the line alone says."""
    quote = ""
    for at, character in enumerate(line[:index]):
        if quote:
            quote = "" if character == quote and line[at - 1] != "\\" else quote
        elif character in "'\"" and not line[at - 1 : at].isalnum():
            quote = character
    return bool(quote)


def _spaces(count: int) -> str:
    return f"{count} space{'' if count == 1 else 's'}"


def _short(text: str) -> str:
    return visible(clipped(text, _SHOWN))
