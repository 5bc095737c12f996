"""Messages for syntax errors of YAML: what is wrong, where, and what to write.

PyYAML reports where its parser stopped, in the parser's own terms. This module recognises the commonest
mistakes in the lines around that position: a tab, a template without quotes, a missing quote, a colon in a
text, a wrong indentation.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import yaml

from shared.rules.yaml_position import Position, Slip, in_quotes, quoted, unquoted_template
from shared.values.invisible import invisible_in, named
from shared.values.wording import clipped
from shared.visible_text import visible

_KEY_OF_LINE: Final = re.compile(r"\s*(?:- +)*(?P<key>[^\s:#'\"{\[][^:#'\"]*):(?:\s|$)")
_SHOWN: Final = 80


def yaml_slip(text: str, error: yaml.MarkedYAMLError, loader: Any) -> Slip:
    """Return the message for a syntax error.

    Args:
        text: The whole file.
        error: The error that PyYAML raised.
        loader: The loader that raised it; it reads the text again, token by token.
    """
    position = Position(text, error, loader)
    for check in _CHECKS:
        slip = check(position)
        if slip is not None:
            return slip
    return position.slip(
        "this is not valid YAML", "check the quotes, colons and indentation of this line and the line before"
    )


def _tab(position: Position) -> Slip | None:
    for row in dict.fromkeys((position.row, position.opened[0])):
        indentation = re.match(r"\s*", position.lines[row])
        at = indentation.group().find("\t") if indentation else -1
        if at >= 0:
            return position.slip(
                "there is a tab in the indentation", "indent with spaces, as in the other lines", row, at
            )
    return None


def _invisible(position: Position) -> Slip | None:
    """An invisible character, such as the no-break space of a web page."""
    for row in dict.fromkeys((position.row, position.opened[0])):
        character = invisible_in(position.lines[row].rstrip("\r"), lines=True)
        if character is not None:
            at = position.lines[row].index(character)
            return position.slip(
                f"{named(character)} is not allowed here", "delete it, or write a space", row, at
            )
    return None


def _document(position: Position) -> Slip | None:
    if "another document" in position.problem:
        return position.slip("a second document begins here", "delete the line `---` and keep one document")
    if (
        position.line.startswith("%")
        and position.row == position.opened[0]
        and "directive" in position.context
    ):
        return position.slip("a line must not begin with `%`", "delete it, or write the text in quotes")
    return None


def _template(position: Position) -> Slip | None:
    return unquoted_template(position.line, position.row + 1, position.at)


def _special(position: Position) -> Slip | None:
    """A text whose first character has a meaning in YAML."""
    row, at = position.opened if position.opened[0] == position.row else (position.row, position.at)
    line = position.lines[row]
    if "undefined alias" in position.problem:
        at = position.at
        name = re.split(r"[\s,\]}]", line[at + 1 :], maxsplit=1)[0]
        fix = (
            f"write `&{name}` before the value, above this line, or write the text as `{quoted(f'*{name}')}`"
        )
        return position.slip(f"the alias `*{_short(name)}` has no anchor `&{_short(name)}` before it", fix)
    if at >= len(line) or line[at] not in "*&@`%|>!" or in_quotes(line, at):
        return None
    flow = position.line[:at].count("[") + position.line[:at].count("{")
    value = re.split(r"[,\]}]" if flow else r"\s#", line[at:], maxsplit=1)[0].rstrip()
    return position.slip(
        f"a text that begins with `{line[at]}` needs quotes", f"write `{_short(quoted(value))}`", row, at
    )


def _quote(position: Position) -> Slip | None:
    """A quote that is not closed in its line, or text after the closing quote."""
    if "quoted scalar" in position.context:
        row, at = position.opened
        return _escape(position, row, at) if "escape" in position.problem else _unclosed(position, row, at)
    last = position.last_quoted()
    if last is None or last[1][0] not in {position.row, position.row - 1}:
        return None
    (row, at), end = last
    if row < end[0]:
        return _unclosed(position, row, at)
    between = position.line[end[1] : position.at] if end[0] == position.row else "x"
    return None if between.strip() else _behind_quote(position, row, at)


def _escape(position: Position, row: int, at: int) -> Slip:
    value = re.sub(r"^\"|\".*$", "", position.lines[row][at:])
    message = "`\\` in double quotes begins an escape, and there is no such escape"
    return position.slip(message, f"write single quotes: `{_short(quoted(value))}`")


def _behind_quote(position: Position, row: int, at: int) -> Slip:
    if "flow" in position.context and re.match(r"[\w-]+:(\s|$)", position.line[position.at :]):
        return position.slip("a `,` is missing before this", "write `,` between two members")
    value = re.split(r"\s#", position.lines[row][at:], maxsplit=1)[0].rstrip()
    inner = value[1:-1] if value.endswith(value[0]) else value.replace(value[0], "")
    fix = f"write `{_short(quoted(inner))}`"
    return position.slip(
        "there is text after the closing quote", fix, position.row, min(position.at, len(position.line))
    )


def _unclosed(position: Position, row: int, at: int) -> Slip:
    value = position.lines[row][at:].rstrip()
    end = value[0]
    flow = "{" in position.lines[row][:at] or "[" in position.lines[row][:at]
    if flow and (template := re.match(r"[\"']\{\{.*?\}\}", value)):
        value = template.group()
    return position.slip(
        f"this quote `{end}` is not closed in its line",
        f"write `{_short(value + end)}`",
        row,
        at,
    )


def _colon(position: Position) -> Slip | None:
    """A second colon in a line, or a line that continues the text of the previous line."""
    if "mapping values are not allowed" not in position.problem:
        return None
    key = _KEY_OF_LINE.match(position.line)
    if key is not None and key.end("key") < position.at:
        value = re.split(r"\s#", position.line[key.end("key") + 1 :], maxsplit=1)[0].strip()
        return position.slip(
            "a text with `: ` in it needs quotes",
            f"write `{_short(f'{key["key"].rstrip()}: {quoted(value)}')}`",
        )
    row = next(position.before(), None)
    if row is None:
        return None
    return _glued(position, row) or _dash(position, row) or _indentation(position)


def _glued(position: Position, row: int) -> Slip | None:
    """A key without a space after its colon."""
    found = re.match(r"\s*(?:- +)?(?P<key>\w+):(?P<value>\S.*)$", position.lines[row])
    if found is None:
        return None
    fix = f"write `{found['key']}: {_short(found['value'])}`"
    return position.slip("a colon needs a space after it", fix, row, found.end("key"))


def _dash(position: Position, row: int | None = None) -> Slip | None:
    """A `-` without a space after it."""
    row = position.row if row is None else row
    line = position.lines[row]
    if not re.match(r"\s*-\w.*:", line):
        return None
    fix = f"write `- {_short(line.strip()[1:])}`"
    return position.slip("a `-` needs a space after it", fix, row, position.indentation(row))


def _no_colon(position: Position) -> Slip | None:
    row, at = position.opened
    if "expected ':'" not in position.problem:
        return None
    found = re.fullmatch(r"(?P<key>\w+)(?P<value>\s+.*)?", position.lines[row].strip().removeprefix("- "))
    if found is not None:
        fix = f"write `{found['key']}:{_short((found['value'] or '').rstrip())}`"
        return position.slip("a key needs a colon after it", fix, row, at)
    return _glued(position, row) or position.slip("this line has no colon", "write `key: value`", row, at)


def _open(position: Position) -> Slip | None:
    """A list or an object in brackets that is not closed, or without a comma."""
    kind = next((kind for kind in ("flow sequence", "flow mapping") if kind in position.context), None)
    if kind is None:
        return None
    row, at = position.opened
    opens, closes = ("[", "]") if kind == "flow sequence" else ("{", "}")
    if row == position.row and position.at < len(position.line.rstrip()):
        if ":" in position.line[position.at : position.at + 2]:
            return position.slip(
                "a text with `:` in it needs quotes", 'write the text in quotes, as in `"a: b"`'
            )
        return position.slip(
            f"a `,` or `{closes}` is missing before this",
            f"write `,` between two members, or `{closes}` at the end",
        )
    return position.slip(f"`{opens}` is not closed", f"write `{closes}` at the end of the line", row, at)


def _block(position: Position) -> Slip | None:
    if "literal" in position.context or "block scalar" in position.context:
        row, at = position.opened
        value = position.lines[row][at:].rstrip()
        return position.slip(
            f"a text that begins with `{value[:1]}` needs quotes", f"write `{_short(quoted(value))}`", row, at
        )
    closing = position.line[position.at : position.at + 1]
    if closing and closing in "]}":
        return position.slip(f"`{closing}` has no opening bracket", f"delete the `{closing}`")
    return _indentation(position) if "block" in position.context else None


def _indentation(position: Position) -> Slip | None:
    """A line whose indentation fits no open list or object."""
    indentation = position.indentation(position.row)
    content = position.line.strip()
    dash = content.startswith("- ")
    levels: dict[int, bool] = {}  # indentation of each open list (True) or object (False)
    lowest = None
    for row in position.before():
        level, item = position.indentation(row), position.lines[row].lstrip().startswith("- ")
        if lowest is not None and level >= lowest:
            continue
        lowest = level
        levels.setdefault(level, item)
        if item:
            levels.setdefault(level + 2, False)
    if levels.get(indentation, dash) != dash:
        shown = _short(content)
        return position.slip(
            f"`{shown}` is a list item among keys"
            if dash
            else f"`{shown}` is not a list item, but is among list items",
            "indent it like the other items of its list"
            if dash
            else "write `- ` before it, or indent it like the keys of its item",
            position.row,
            indentation,
        )
    fitting = [level for level, is_list in levels.items() if is_list is dash] or [*levels]
    near = min(fitting, key=lambda level: (abs(level - indentation), -level), default=indentation)
    if near == indentation:
        return None
    return position.slip(
        f"the line is indented by {_spaces(indentation)}, unlike every line before it",
        f"indent it by {_spaces(near)}",
        position.row,
        indentation,
    )


_CHECKS: Final[tuple[Callable[[Position], Slip | None], ...]] = (
    _tab,
    _invisible,
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


def _spaces(count: int) -> str:
    return f"{count} space{'' if count == 1 else 's'}"


def _short(text: str) -> str:
    return visible(clipped(text, _SHOWN))
