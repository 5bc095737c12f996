"""Collects the errors of a file as problems: what is wrong, where, and what to write.

One cause makes one problem: a misspelt key is not reported as missing, too, and the same error in several
rules is reported once, with all of them.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from shared.errors import Problem
from shared.rules.yaml_document import Document, Path
from shared.values.app_settings import setting_names
from shared.visible_text import visible

_SHOWN: Final = 60


class Mistakes:
    """Collects the errors and warnings of one file.

    Attributes:
        problems: The errors.
        warnings: The parts of the file that may be errors.
    """

    def __init__(self, document: Document, file: str) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._unreadable_keys: set[tuple[str | int, ...]] = set()
        self._document = document
        self._file = file

    def add(self, path: Path, message: str, *, fix: str = "", key: bool = False) -> None:
        """Add an error.

        Args:
            path: Its path in the file.
            message: What is wrong; without `fix` also what to write, after `; `.
            fix: What to write.
            key: Whether the key is wrong, not its value.
        """
        self.problems.append(self._problem(path, message, fix, key=key))

    def warn(self, path: Path, message: str, *, fix: str = "", key: bool = False) -> None:
        """Add a warning; the arguments are the same as for `add`."""
        self.warnings.append(self._problem(path, message, fix, key=key))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Add problems that have positions, with the names of their rules."""
        for problem in problems:
            rule = self._document.rule_at(problem.line, problem.column)
            self.problems.append(replace(problem, rule=problem.rule or rule))

    def warn_of_numbers(self) -> None:
        """Warn of numbers that may be meant as text and are not errors."""
        known = {(problem.line, problem.column) for problem in self.problems}
        for line, column, written, value in self._document.surprising_numbers():
            if (line, column) not in known:
                self.warnings.append(
                    Problem(
                        f"`{written}` is read as the number {value}",
                        self._file,
                        line,
                        column,
                        fix=f'write `"{written}"` if it is text, or `{value}`',
                        rule=self._document.rule_at(line, column),
                        source=self._document.source(line),
                    )
                )

    def add_unreadable_key(self, path: Path, message: str) -> None:
        """Add the error of a key with invisible characters, which is then not reported as unknown."""
        self._unreadable_keys.add(tuple(path))
        self.add(path, message, key=True)

    def _problem(self, path: Path, message: str, fix: str, *, key: bool) -> Problem:
        from shared.rules.fixes import parted

        line, column = self._document.position(path, key=key)
        if not fix:
            message, fix = parted(message)
        rule = self._name(path) if path and path[0] == "rules" else ""
        caller = self._name(path) if path and path[0] == "callers" else ""
        named = path[:-1] if key and message.startswith("unknown key") else path
        if rule:
            where = path_text(named[2:])
        else:
            where = path_text(["callers", caller, *named[2:]] if caller else named)
        return Problem(
            message, self._file, line, column, where, fix, rule=rule, source=self._document.source(line)
        )

    def _name(self, path: Path) -> str:
        """Return the name of the rule or the caller of a path; empty if it has no name."""
        named = [*path[:2], "name"]
        name = self._document.at(named) if self._document.has(named) else None
        return visible(name, _SHOWN) if isinstance(name, str) else ""

    def add_all(self, error: ValidationError) -> None:
        """Add the errors of the model, each cause once."""
        from shared.rules.unknown_keys import UnknownKeys

        details = error.errors(include_url=False, include_context=True)
        unknown = UnknownKeys(
            self._document,
            details,
            self._unreadable_keys,
            lambda path, message, fix: self.add(path, message, fix=fix, key=True),
        )
        for detail in details:
            if not unknown.explain(detail):
                self._add_detail(detail)

    def _add_detail(self, detail: Any) -> None:
        from shared.rules.fixes import example_of
        from shared.rules.unknown_keys import known_path, model_at
        from shared.rules.value_messages import value_message

        location = [part for part in detail["loc"] if part != "[key]"]
        path = known_path(self._document, location)
        if detail["type"] == "missing":
            name = str(location[-1])
            part = model_at(self._document, path)
            member = part.model_fields.get(name) if part is not None else None
            text = (member.description or "") if member is not None else ""
            about = f" ({text[0].lower()}{text[1:].rstrip('.')})" if text else ""
            fix = example_of(name, member.examples if member is not None else None)
            self.add(path, f"`{name}` is missing{about}", fix=fix, key=True)
            return
        if detail["type"].startswith("union_tag") and self._document.has([*path, "kind"]):
            path = [*path, "kind"]
        message, fix = value_message(detail, path, self._document.written(path))
        self.add(path, message + self._origin(path, detail["input"]), fix=fix)

    def _origin(self, path: Path, given: object) -> str:
        """Return the application settings that a wrong value comes from, or an empty text."""
        written = self._document.at(path)
        if not isinstance(written, str) or written == given or not setting_names(written):
            return ""
        names = ", ".join(f"`{name}`" for name in setting_names(written))
        return f" (the value of the application setting {names})"


def path_text(path: Path) -> str:
    """Return a path as text, such as `rules[0].when.filter`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def grouped(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems in the file's order, with the same problem of several rules as one."""
    groups: dict[tuple[str, ...], Problem] = {}
    for problem in sorted(problems, key=lambda each: (each.line, each.column)):
        key = (
            problem.message,
            problem.fix,
            problem.path,
            "" if problem.rule else f"{problem.line}:{problem.column}",
        )
        first = groups.setdefault(key, problem)
        other = (problem.line, problem.column, problem.rule)
        if first is not problem and other not in {(first.line, first.column, first.rule), *first.others}:
            groups[key] = replace(first, others=(*first.others, other))
    return list(groups.values())
