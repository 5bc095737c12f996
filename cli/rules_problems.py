"""Shows the mistakes of a rules file: for people with the line of the file, and as JSON."""

import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from cli.hints import or_local
from cli.output import plural
from shared.visible_text import visible

if TYPE_CHECKING:
    from shared.errors import Problem
    from shared.values.json_text import Json, JsonObject

_WIDTH: Final = 100
"""Characters of a line of the file that are shown."""
_BEFORE: Final = 60
_SECRET: Final = re.compile(
    r"(?i)[\w-]*(?:password|passwd|secret|token|credential|api_?key)[\w-]*[\"']?:\s*(?P<value>[^\s,}#][^,}#]*)"
    r"|//(?P<user>[^/\s@]+)@"
)
_NAMES_A_SECRET: Final = re.compile(r"(?i)[\w-]*_secret[\"']?:|token_url")


def print_problems(problems: "Sequence[Problem]", warnings: "Sequence[Problem]") -> None:
    """Write mistakes and warnings to standard error, each with its line and what to write, and their number.

    Args:
        problems: The mistakes.
        warnings: What may be a mistake.
    """
    for problem in problems:
        print("\n".join(problem_lines(problem)), file=sys.stderr)
    print_warnings(warnings)
    print(plural(len(problems), "error"), file=sys.stderr)
    if any("application setting" in problem.message for problem in problems):
        print(
            f"application settings are read from the environment: `export NAME=value`{or_local()}",
            file=sys.stderr,
        )


def print_warnings(warnings: "Sequence[Problem]") -> None:
    """Write what may be a mistake to standard error, as `print_problems`."""
    for warning in warnings:
        print("\n".join(problem_lines(warning, "warning: ")), file=sys.stderr)


def problem_lines(problem: "Problem", kind: str = "") -> Iterator[str]:
    """Yield the lines for one mistake: what is wrong and where, the line of the file, and what to write.

    Args:
        problem: The mistake.
        kind: A word before the message.
    """
    place = f"{problem.file}:{problem.line}:{problem.column}: " if problem.line else f"{problem.file}: "
    yield visible(f"{kind}{place if problem.file else ''}{problem.subject}{problem.message}{problem.more}")
    if problem.source.strip():
        number = str(problem.line)
        before, after = _window(problem.source, problem.column)
        yield f"{number:>5} | {before}{after}".rstrip()
        yield f"{'':>5} | {' ' * _columns(before)}^"
    if problem.fix:
        yield visible(f"  fix: {problem.fix}")


def problems_json(problems: "Sequence[Problem]") -> "list[JsonObject]":
    """Return mistakes as JSON: one object for each place, so that a pipeline can annotate the lines."""
    found: list[JsonObject] = []
    for problem in problems:
        for line, column, rule in [(problem.line, problem.column, problem.rule), *problem.others]:
            found.append(_json(problem, line, column, rule))
    return found


def _json(problem: "Problem", line: int, column: int, rule: str) -> "JsonObject":
    members: dict[str, Json] = {
        "message": problem.message,
        "fix": problem.fix,
        "file": problem.file,
        "line": line,
        "column": column,
        "path": problem.path,
        "rules": [rule] if rule else [],
    }
    return {"code": "InvalidRules", **{name: value for name, value in members.items() if value}}


def _window(source: str, column: int) -> tuple[str, str]:
    """Return what is shown of a line before a column, from 1, and from there on; secrets are hidden."""
    text = _SECRET.sub(_hidden, source)
    at = min(column - 1, len(text))
    start = max(0, at - _BEFORE) if len(text) > _WIDTH else 0
    end = start + _WIDTH
    before = f"{'…' if start else ''}{visible(text[start:at])}"
    return before, f"{visible(text[at:end])}{'…' if end < len(text) else ''}"


def _hidden(found: re.Match[str]) -> str:
    """Return a key and its value with `*` for each character of the value, if that may be a secret."""
    if _NAMES_A_SECRET.match(found.group()):
        return found.group()
    value = found["value"] or found["user"]
    return found.group().replace(value, "*" * len(value))


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
