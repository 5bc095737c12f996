"""Finds the line whose wrong indentation causes the errors of a rules file, by trying other indentations.

YAML reports a wrong indentation where the text stops making sense, which is often another line, and a line
on the wrong level may be valid YAML that only the model refuses. So this module changes the indentation of
lines near the first errors and loads the file again. A change counts only if the errors are gone.
It is imported only if there is an error.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from shared.errors import Problem
from shared.rules.model.file import RulesFile
from shared.rules.unknown_keys import OWN_KEYS
from shared.rules.yaml_position import rule_near
from shared.values.wording import clipped
from shared.visible_text import visible

type Check = Callable[[str], Sequence[Problem]]
"""Returns the errors of a file."""

_ENTRY: Final = re.compile(r" *(?P<shown>(?:- +)*(?:(?P<key>[^\s:#'\"{\[-][^:#'\"]*):(?=\s|$)|(?<=- )\S.*))")
"""A line that begins with a key or with `- `."""
_OF_LEVELS: Final = re.compile(
    r"unknown key `(?P<key>[^`]*)`|`\w+` is missing|must be (?:an object|a list|text), not|must not be empty"
    r"|the key `[^`]*` appears a second time"
)
"""The errors that a wrong indentation can cause in a file that is valid YAML."""
_OF_YAML: Final = re.compile(
    r"the line is indented by|`.*` is (?:not )?a list item|this is not valid YAML"
    r"|a text with `: ` in it needs quotes|this line has no colon|a key needs a colon"
)
"""The errors that a wrong indentation can cause in YAML."""
_MOST_TRIES: Final = 120
_CHARACTERS: Final = 400_000
"""Characters that all tries together read, at most: about half a second."""
_MOST_SUSPECTS: Final = 3
_STEP: Final = 2
_FARTHEST: Final = 6
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class _Change:
    """Another indentation for a line, and for lines below it.

    Attributes:
        row: The line, from 0.
        indentation: Its new indentation.
        below: The rows that move with it, by the same number of spaces.
    """

    row: int
    indentation: int
    below: tuple[int, ...] = ()


def reindented(text: str, problems: Sequence[Problem], check: Check) -> Sequence[Problem]:
    """Return the errors of a file, with those that one wrong indentation causes as one error.

    Args:
        text: The whole file.
        problems: Its errors.
        check: Returns the errors of a changed file.
    """
    suspects = sorted(filter(_may_be_indentation, problems), key=_is_misplaced, reverse=True)
    others = {_identity(problem) for problem in problems} - {_identity(problem) for problem in suspects}
    is_yaml = not any(_OF_YAML.match(problem.message) for problem in suspects)
    lines = _Lines(text)
    tries = min(_MOST_TRIES, _CHARACTERS // len(text)) if suspects else 0
    possible: list[Problem] | None = None
    for change in islice(lines.changes(suspects[:_MOST_SUSPECTS]), tries):
        left = check(lines.changed(change))
        if possible is not None and left:
            continue
        found = replace(lines.problem(change), file=problems[0].file)
        if all(_identity(problem) in others for problem in left):
            return _in_order(found, *left)
        if not is_yaml and all(_stands_alone(problem, found.rule) for problem in left):
            possible = _in_order(found, *left)  # errors of other rules, which an unreadable file hides
    return problems if possible is None else possible


def _in_order(*problems: Problem) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.line, problem.column))


def _identity(problem: Problem) -> tuple[str, str]:
    """Return what stays of an error when lines move."""
    return problem.message, problem.rule


def _is_misplaced(problem: Problem) -> bool:
    """Return whether an error is a key of the language on a level that does not allow it."""
    found = _OF_LEVELS.match(problem.message)
    return found is not None and found["key"] in OWN_KEYS


def _may_be_indentation(problem: Problem) -> bool:
    if _OF_LEVELS.match(problem.message):
        return _is_misplaced(problem) or not problem.fix.startswith("did you mean")
    return _OF_YAML.match(problem.message) is not None


def _stands_alone(problem: Problem, rule: str) -> bool:
    """Return whether an error has nothing to do with the indentation of a line of a rule."""
    return problem.rule not in {"", rule} and not _may_be_indentation(problem)


class _Lines:
    """The lines of a file with their indentation."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._entries = {row: found for row, line in enumerate(self._lines) if (found := _ENTRY.match(line))}
        self._content = [
            row for row, line in enumerate(self._lines) if line.strip() and not line.lstrip().startswith("#")
        ]
        self._used = Counter(self._indentation(row) for row in self._entries)

    def changes(self, problems: Sequence[Problem]) -> Iterator[_Change]:
        """Yield the changes to try.

        Lines near an error come first, and lines whose indentation no other line has. One step below another
        line is the most probable indentation.
        """
        near = dict.fromkeys(row for problem in problems for row in self._near(problem.line - 1))
        rows = sorted(near, key=lambda row: self._used[self._indentation(row)] > 1)
        for usual in (True, False):
            for row in rows:
                steps = {self._indentation(parent) + _STEP for parent in self._parents(row)}
                for level in self._levels(row, steps):
                    if (level in steps or level == 0) is usual:
                        yield from (_Change(row, level, below) for below in self._below(row, level))

    def _levels(self, row: int, steps: set[int]) -> list[int]:
        """Return the indentations to try for a line: one step below a line, or as much as a line."""
        now, key = self._indentation(row), self._entries[row]["key"]
        if key in RulesFile.model_fields:
            return [0] if now else []
        used = {level for level, count in self._used.items() if count > (level == now)}
        levels = sorted(level for level in (used | steps) - {now} if abs(level - now) <= _FARTHEST)
        if key in OWN_KEYS:  # `conf`, the deepest level, takes every key
            return levels
        return sorted(levels, key=lambda level: abs(level - now))

    def changed(self, change: _Change) -> str:
        """Return the file with a change."""
        lines = [*self._lines]
        by = change.indentation - self._indentation(change.row)
        for row in (change.row, *change.below):
            lines[row] = " " * max(0, self._indentation(row) + by) + lines[row].lstrip(" ")
        return "\n".join(lines)

    def problem(self, change: _Change) -> Problem:
        """Return the error of a line that needs a change."""
        row, now = change.row, self._indentation(change.row)
        key = f"`{visible(clipped(self._entries[row]['shown'].rstrip(), _SHOWN))}`"
        fix = f"indent {key} by {_spaces(change.indentation)}"
        by = change.indentation - now
        if change.below:
            count = len(change.below)
            lines = "line" if count == 1 else f"{count} lines"
            fix += f", and the {lines} below it by {_spaces(abs(by))} {'more' if by > 0 else 'less'}"
        return Problem(
            f"{key} is indented by {_spaces(now)}, which puts it on the wrong level",
            line=row + 1,
            column=now + 1,
            fix=fix,
            rule=rule_near(self.changed(change).split("\n"), row + 1),
            source=self._lines[row].rstrip("\r"),
        )

    def _indentation(self, row: int) -> int:
        line = self._lines[row]
        return len(line) - len(line.lstrip(" "))

    def _near(self, row: int) -> Iterator[int]:
        """Yield the rows that may be wrong if an error is at a row."""
        before = [each for each in self._entries if each <= row]
        after = [each for each in self._entries if each > row]
        yield from reversed(before[-3:])
        yield from after[:1]
        for parent in self._parents(row):
            yield parent
            yield from [each for each in self._entries if each > parent][:1]
        yield from [*self._entries][:1]

    def _parents(self, row: int) -> Iterator[int]:
        """Yield the line before a line, and those that are indented less, from the nearest to the top."""
        level = self._indentation(row) + 1
        for each in reversed([each for each in self._entries if each < row]):
            if self._indentation(each) < level:
                level = self._indentation(each)
                yield each

    def _below(self, row: int, level: int) -> Iterator[tuple[int, ...]]:
        """Yield which lines may move with a row: none, or those below it up to one of the new level."""
        yield ()
        now = self._indentation(row)
        moved: list[int] = []
        for each in self._content:
            if each <= row:
                continue
            deeper = self._indentation(each) > now
            if moved and (not deeper or self._indentation(each) <= level):
                yield tuple(moved)
            if not deeper:
                return
            moved.append(each)
        if moved:
            yield tuple(moved)


def _spaces(count: int) -> str:
    return f"{count} space{'' if count == 1 else 's'}"
