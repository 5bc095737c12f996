"""Messages for templates that Jinja2 cannot read: what is wrong, and what to write.

Jinja reports what its parser expected. This module looks for common mistakes in the template instead. Each
message has the form `what is wrong; what to write`.
"""

import re
from collections.abc import Iterator
from typing import Final

from jinja2 import TemplateError as JinjaError

from shared.values.wording import clipped
from shared.visible_text import visible

_PAIRS: Final = {"{{": "}}", "{%": "%}", "{#": "#}"}
_OPENING: Final = re.compile(r"\{\{|\{%|\{#")
_INSTEAD: Final = {"&": "and", "!": "not", "?": "a if b else c", "$": "data.name"}
_BRACKETS: Final = {")": "(", "]": "[", "}": "{"}
_SHOWN: Final = 60


def syntax_problem(source: str, error: JinjaError) -> str:
    """Return what is wrong with a template, and what to write.

    Args:
        source: The template.
        error: The error that Jinja raised.
    """
    reported = error.message or ""
    for opened, inner in _expressions(source):
        if inner is None:
            return f"`{opened}` is not closed by `{_PAIRS[opened]}`; write `{_example(source, opened)}`"
        problem = _problem(opened, inner)
        if problem:
            return problem
    tag = re.search(r"unknown tag '(\w+)'", reported)
    if tag is not None:
        return f"`{{% {tag[1]} %}}` is not available in templates; write `{{% if … %}}…{{% endif %}}`"
    if "innermost block" in reported:
        return "`{% if … %}` is not closed; write `{% endif %}` after it"
    got = re.search(r"got '(\w[\w ]*)'", reported)
    if got is not None and "end of" not in got[1] and got[1] not in {"integer", "string", "float", "name"}:
        return (
            f"`{got[1]}` is not expected there; write a filter after `|`, `~` between two values, or quotes "
            "around text"
        )
    shown = visible(clipped(" ".join(source.split()), _SHOWN))
    return f"`{shown}` is not an expression; write one, as in `{{{{ app.site }}}}`"


def _expressions(source: str) -> Iterator[tuple[str, str | None]]:
    """Yield each part that Jinja reads: its opening and its content; None if it is not closed."""
    at = 0
    while (found := _OPENING.search(source, at)) is not None:
        opened = found.group()
        end = _end(source, found.end(), _PAIRS[opened], quotes=opened != "{#")
        yield opened, None if end < 0 else source[found.end() : end]
        if end < 0:
            return
        at = end + 2


def _end(source: str, start: int, closing: str, *, quotes: bool) -> int:
    """Return where a part is closed, outside of quotes; -1 if it is not closed."""
    quote = ""
    for at in range(start, len(source)):
        if quote:
            quote = "" if source[at] == quote else quote
        elif quotes and source[at] in "'\"":
            quote = source[at]
        elif source.startswith(closing, at):
            return at
        elif source.startswith(("{{", "{%"), at) and closing == "}}":
            return -1
    return source.find(closing, start) if quote else -1


def _problem(opened: str, inner: str) -> str:
    """Return what is wrong within an expression; empty if nothing is found."""
    if opened == "{#":
        return ""
    text = re.sub(r"'[^']*'|\"[^\"]*\"", "''", inner)  # the content of quotes is not checked
    shown = visible(clipped(inner.strip("-+ \t\r\n"), _SHOWN))
    if not shown:
        return f"`{opened} {_PAIRS[opened]}` is empty; write a name in it, as in `{{{{ app.site }}}}`"
    return _unpaired(text, shown) or _operator(text, shown)


def _unpaired(text: str, shown: str) -> str:
    """Return which quote or bracket is not closed; empty if all are closed."""
    quote = next((each for each in "'\"" if each in text.replace("''", "")), "")
    if quote:
        return f"a quote (`{quote}`) in `{shown}` is not closed; write another `{quote}`"
    for closes, opens in _BRACKETS.items():
        difference = text.count(opens) - text.count(closes)
        if difference:
            one, other = (opens, closes) if difference > 0 else (closes, opens)
            return f"`{one}` in `{shown}` has no `{other}`; write both, or none"
    return ""


def _operator(text: str, shown: str) -> str:
    """Return which character is not allowed in an expression, or what is missing at its end."""
    wrong = next((character for character in text if character in "&!?$`@\\;^"), "")
    if wrong and "!=" not in text:
        instead = f"`{_INSTEAD[wrong]}`" if wrong in _INSTEAD else "the expression without it"
        return f"`{visible(wrong)}` is not an operator of templates; write {instead}"
    if re.search(r"[^=!<>]=[^=]", text) and "(" not in text:
        return f"`=` in `{shown}` is not a comparison; write `==`"
    if re.search(r"[|.]\s*$", text):
        return f"a name is missing at the end of `{shown}`; write it, or delete the last character"
    return ""


def _example(source: str, opened: str) -> str:
    """Return the template with the missing end."""
    closing = _PAIRS[opened]
    whole = f"{source.rstrip().rstrip('}%#').rstrip()} {closing}"
    return visible(clipped(whole, _SHOWN))
