"""What a person wrote where YAML cannot be read: the slip, its place, and what to write.

PyYAML reports the place where it gave up, in words about its own parser. Here the lines around that place are
looked at, and the commonest slips are recognised: a tab, a template without quotes, a quote that is not
closed, a colon in a text, an indentation that fits nothing.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import yaml

from shared.rules.yaml_places import Place, Slip, in_quotes, quoted, unquoted_template
from shared.values.invisible import invisible_in, named
from shared.values.wording import clipped
from shared.visible_text import visible

_KEY_OF_LINE: Final = re.compile(r"\s*(?:- +)*(?P<key>[^\s:#'\"{\[][^:#'\"]*):(?:\s|$)")
_SHOWN: Final = 80


def yaml_slip(text: str, error: yaml.MarkedYAMLError, loader: Any) -> Slip:
    """Return the mistake that made PyYAML give up.

    Args:
        text: The whole file.
        error: What PyYAML raised.
        loader: The loader that raised it, which reads the text again, token by token.
    """
    place = Place(text, error, loader)
    for look in _LOOKS:
        slip = look(place)
        if slip is not None:
            return slip
    return place.slip(
        "the YAML cannot be read here", "check the quotes, colons and indentation of this line and the last"
    )


def _tab(place: Place) -> Slip | None:
    for row in dict.fromkeys((place.row, place.opened[0])):
        indentation = re.match(r"\s*", place.lines[row])
        at = indentation.group().find("\t") if indentation else -1
        if at >= 0:
            return place.slip(
                "a tab in the indentation", "indent with spaces, as in the lines around", row, at
            )
    return None


def _invisible(place: Place) -> Slip | None:
    """A character that nobody sees, such as the no-break space of a web page."""
    for row in dict.fromkeys((place.row, place.opened[0])):
        character = invisible_in(place.lines[row].rstrip("\r"), lines=True)
        if character is not None:
            at = place.lines[row].index(character)
            return place.slip(
                f"{named(character)} is not allowed here", "delete it, or write a space", row, at
            )
    return None


def _document(place: Place) -> Slip | None:
    if "another document" in place.problem:
        return place.slip("a second document begins here", "delete the line `---` and keep one document")
    if place.line.startswith("%") and place.row == place.opened[0] and "directive" in place.context:
        return place.slip("a line that begins with `%`", "delete it, or put the text into quotes")
    return None


def _template(place: Place) -> Slip | None:
    return unquoted_template(place.line, place.row + 1, place.at)


def _special(place: Place) -> Slip | None:
    """A text that begins with a character that has a meaning in YAML."""
    row, at = place.opened if place.opened[0] == place.row else (place.row, place.at)
    line = place.lines[row]
    if "undefined alias" in place.problem:
        at = place.at
        name = re.split(r"[\s,\]}]", line[at + 1 :], maxsplit=1)[0]
        fix = f"name the value with `&{name}` before it is used, or write the text as `{quoted(f'*{name}')}`"
        return place.slip(f"the alias `*{_short(name)}` has no anchor `&{_short(name)}` before it", fix)
    if at >= len(line) or line[at] not in "*&@`%|>!" or in_quotes(line, at):
        return None
    flow = place.line[:at].count("[") + place.line[:at].count("{")
    value = re.split(r"[,\]}]" if flow else r"\s#", line[at:], maxsplit=1)[0].rstrip()
    return place.slip(
        f"a text that begins with `{line[at]}` needs quotes", f"write `{_short(quoted(value))}`", row, at
    )


def _quote(place: Place) -> Slip | None:
    """A quote that is not closed in its line, or text behind the one that closes it."""
    if "quoted scalar" in place.context:
        row, at = place.opened
        return _escape(place, row, at) if "escape" in place.problem else _unclosed(place, row, at)
    last = place.last_quoted()
    if last is None or last[1][0] not in {place.row, place.row - 1}:
        return None
    (row, at), end = last
    if row < end[0]:
        return _unclosed(place, row, at)
    between = place.line[end[1] : place.at] if end[0] == place.row else "x"
    return None if between.strip() else _behind_quote(place, row, at)


def _escape(place: Place, row: int, at: int) -> Slip:
    value = re.sub(r"^\"|\".*$", "", place.lines[row][at:])
    message = "a `\\` in double quotes begins an escape, and this one does not exist"
    return place.slip(message, f"write single quotes: `{_short(quoted(value))}`")


def _behind_quote(place: Place, row: int, at: int) -> Slip:
    if "flow" in place.context and re.match(r"[\w-]+:(\s|$)", place.line[place.at :]):
        return place.slip("a `,` is missing before this", "write `,` between two members")
    value = re.split(r"\s#", place.lines[row][at:], maxsplit=1)[0].rstrip()
    inner = value[1:-1] if value.endswith(value[0]) else value.replace(value[0], "")
    fix = f"write `{_short(quoted(inner))}`"
    return place.slip("text after the closing quote", fix, place.row, min(place.at, len(place.line)))


def _unclosed(place: Place, row: int, at: int) -> Slip:
    value = place.lines[row][at:].rstrip()
    end = value[0]
    flow = "{" in place.lines[row][:at] or "[" in place.lines[row][:at]
    if flow and (template := re.match(r"[\"']\{\{.*?\}\}", value)):
        value = template.group()
    return place.slip(
        f"the quote `{end}` that opens here is not closed in this line",
        f"write `{_short(value + end)}`",
        row,
        at,
    )


def _colon(place: Place) -> Slip | None:
    """A second colon in a line, or a line that goes on with the text of the last one."""
    if "mapping values are not allowed" not in place.problem:
        return None
    key = _KEY_OF_LINE.match(place.line)
    if key is not None and key.end("key") < place.at:
        value = re.split(r"\s#", place.line[key.end("key") + 1 :], maxsplit=1)[0].strip()
        return place.slip(
            "a text with `: ` in it needs quotes",
            f"write `{_short(f'{key["key"].rstrip()}: {quoted(value)}')}`",
        )
    row = next(place.before(), None)
    if row is None:
        return None
    return _glued(place, row) or _dash(place, row) or _indentation(place)


def _glued(place: Place, row: int) -> Slip | None:
    """A key whose colon has no space after it."""
    found = re.match(r"\s*(?:- +)?(?P<key>\w+):(?P<value>\S.*)$", place.lines[row])
    if found is None:
        return None
    fix = f"write `{found['key']}: {_short(found['value'])}`"
    return place.slip("a colon needs a space after it", fix, row, found.end("key"))


def _dash(place: Place, row: int | None = None) -> Slip | None:
    """A `-` that has no space after it."""
    row = place.row if row is None else row
    line = place.lines[row]
    if not re.match(r"\s*-\w.*:", line):
        return None
    fix = f"write `- {_short(line.strip()[1:])}`"
    return place.slip("a `-` needs a space after it", fix, row, place.indentation(row))


def _no_colon(place: Place) -> Slip | None:
    row, at = place.opened
    if "expected ':'" not in place.problem:
        return None
    found = re.fullmatch(r"(?P<key>\w+)(?P<value>\s+.*)?", place.lines[row].strip().removeprefix("- "))
    if found is not None:
        fix = f"write `{found['key']}:{_short((found['value'] or '').rstrip())}`"
        return place.slip("a key needs a colon after it", fix, row, at)
    return _glued(place, row) or place.slip("this line has no colon", "write `key: value`", row, at)


def _open(place: Place) -> Slip | None:
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


def _block(place: Place) -> Slip | None:
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


def _indentation(place: Place) -> Slip | None:
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


_LOOKS: Final[tuple[Callable[[Place], Slip | None], ...]] = (
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
