"""From what the model says of a file to what its author needs: what is wrong, where, and what to write.

One mistake gives one problem: a misspelt key is not also a missing one, and what several rules have in common
is reported once, with all of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from shared.errors import Problem
from shared.rules.model.auth import KINDS
from shared.rules.model.callers import NAME as CALLER_NAME
from shared.rules.model.callers import RATE, CallerSpec
from shared.rules.model.connection import Connection
from shared.rules.model.file import RulesFile
from shared.rules.model.rule import (
    DURATION,
    RULE_NAME,
    CallbackSpec,
    Coalesce,
    RuleSpec,
    Start,
    SubjectMatch,
    When,
)
from shared.rules.yaml_document import Document, Path
from shared.runs.ids import MAX_RULE_NAME
from shared.values.app_settings import setting_names
from shared.values.wording import did_you_mean
from shared.visible_text import visible

_PARTS: Final[Mapping[str, type[BaseModel]]] = {
    "": RulesFile,
    "connections.*": Connection,
    "rules.#": RuleSpec,
    "rules.#.when": When,
    "rules.#.when.subject": SubjectMatch,
    "rules.#.start": Start,
    "rules.#.coalesce": Coalesce,
    "rules.#.callback": CallbackSpec,
    "callers.#": CallerSpec,
}
_OBJECTS: Final = frozenset({"dict_type", "model_type", "model_attributes_type"})
_NUMBERS: Final = frozenset({"int_type", "float_type", "int_from_float", "int_parsing", "float_parsing"})
_BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_DURATIONS: Final = frozenset({"max_age", "window", "lifetime"})
_TOO_SHORT: Final = frozenset({"string_too_short", "too_short"})
_PATTERNS: Final[Mapping[str, str]] = {
    "header": "a header's name, such as `X-Proxy-Authorization`",
    "scopes": "each scope as one word, without spaces",
}
_SHOWN: Final = 60


class Mistakes:
    """Collects the problems of one file, each with its place.

    Attributes:
        problems: What was found so far, in the order of finding.
        warnings: What may be meant, and is worth a look.
    """

    def __init__(self, document: Document, file: str) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._unreadable_keys: set[tuple[str | int, ...]] = set()
        self._beside: set[tuple[str | int, ...]] = set()
        self._document = document
        self._file = file

    def add(self, path: Path, message: str, *, fix: str = "", key: bool = False) -> None:
        """Note a mistake.

        Args:
            path: Where it stands.
            message: What is wrong; without `fix` also what to write, after `; `.
            fix: What to write.
            key: Whether the key itself is wrong rather than its value.
        """
        self.problems.append(self._problem(path, message, fix, key=key))

    def warn(self, path: Path, message: str, *, fix: str = "", key: bool = False) -> None:
        """Note what may be a mistake; arguments as `add`."""
        self.warnings.append(self._problem(path, message, fix, key=key))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Note problems that have their places, and add the rules that they are in."""
        for problem in problems:
            rule = self._document.rule_at(problem.line, problem.column)
            self.problems.append(replace(problem, rule=problem.rule or rule))

    def warn_of_numbers(self) -> None:
        """Warn of numbers that may be meant as text, where they are not mistakes already."""
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
        """Note a key that holds what nobody sees, so that it is not reported as unknown, too."""
        self._unreadable_keys.add(tuple(path))
        self.add(path, message, key=True)

    def _problem(self, path: Path, message: str, fix: str, *, key: bool) -> Problem:
        from shared.rules.fixes import parted

        line, column = self._document.place(path, key=key)
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
        """Return the name of the rule or the caller that a path leads into; empty where it has none."""
        named = [*path[:2], "name"]
        name = self._document.at(named) if self._document.has(named) else None
        return visible(name, _SHOWN) if isinstance(name, str) else ""

    def add_all(self, error: ValidationError) -> None:
        """Note everything that the model refused, each mistake once."""
        details = error.errors(include_url=False, include_context=True)
        folded = self._fold_keys(details)
        for detail in details:
            if not self._is_folded(detail, folded):
                self._add_detail(detail)

    def _fold_keys(self, details: Sequence[Any]) -> dict[tuple[str | int, ...], set[str]]:
        """Note the unknown keys, and return which other keys of the same objects they were meant as."""
        unknown: dict[tuple[str | int, ...], list[str]] = {}
        missing: dict[tuple[str | int, ...], list[str]] = {}
        for detail in details:
            path = tuple(self._known(detail["loc"]))
            if detail["type"] == "extra_forbidden":
                unknown.setdefault(path[:-1], []).append(str(path[-1]))
            elif detail["type"] == "missing":
                missing.setdefault(path, []).append(str(detail["loc"][-1]))
            elif detail["type"].startswith("union_tag") and isinstance(detail["input"], dict):
                self._fold_kind(path, detail["input"], unknown, missing)
        folded: dict[tuple[str | int, ...], set[str]] = {}
        for parent, keys in unknown.items():
            lost = missing.get(parent, [])
            for key in keys:
                meant = self._unknown_key([*parent, key], lost, alone=len(keys) == 1)
                if not self._document.has([*parent, meant]):
                    folded.setdefault(parent, set()).update([meant] if meant else self._absent(parent))
        return folded

    def _absent(self, parent: Path) -> Iterator[str]:
        """Yield each key that an object does not have, marked by `?`: an unknown one may be meant as it."""
        part = self._part(parent)
        for name in part.model_fields if part is not None else ():
            if not self._document.has([*parent, name]):
                yield f"?{name}"

    def _fold_kind(
        self,
        path: tuple[str | int, ...],
        given: Mapping[str, Any],
        unknown: dict[Any, list[str]],
        missing: dict[Any, list[str]],
    ) -> None:
        """Take a misspelt `kind` for what it is: without `kind` nothing else of an `auth` can be checked."""
        if "kind" in given:
            return
        known = {name for kind in KINDS.values() for name in kind.model_fields}
        near = [key for key in given if key not in known and "`kind`" in did_you_mean(key, ["kind"])]
        strange = near or [key for key in given if key not in known]
        if len(strange) == 1:
            unknown.setdefault(path, []).append(strange[0])
            missing.setdefault(path, []).append("kind")

    def _is_folded(self, detail: Any, folded: Mapping[tuple[str | int, ...], set[str]]) -> bool:
        """Tell whether a refusal only follows from an unknown key of the same object."""
        kind, path = detail["type"], tuple(self._known(detail["loc"]))
        if kind == "extra_forbidden":
            return True
        if kind == "missing":
            return str(detail["loc"][-1]) in folded.get(path, ())
        if kind.startswith("union_tag"):
            return "kind" in folded.get(path, ())
        if detail["input"] is None:  # the key's members stand beside it
            return str(path[-1]) in folded.get(path[:-1], ())
        if kind != "value_error":
            return False
        said = str(detail["ctx"]["error"])
        return any(f"`{meant.removeprefix('?')}" in said for meant in folded.get(path[:-1], ()))

    def _add_detail(self, detail: Any) -> None:
        from shared.rules.fixes import example_of

        location = [part for part in detail["loc"] if part != "[key]"]
        path = self._known(location)
        if detail["type"] == "missing":
            name = str(location[-1])
            part = self._part(path)
            examples = part.model_fields[name].examples if part and name in part.model_fields else None
            about = self._described(path, name)
            self.add(path, f"`{name}` is missing{about}", fix=example_of(name, examples), key=True)
            return
        if detail["type"].startswith("union_tag") and self._document.has([*path, "kind"]):
            path = [*path, "kind"]
        message, fix = self._message(detail["type"], detail, path)
        self.add(path, message + self._origin(path, detail["input"]), fix=fix)

    def _origin(self, path: Path, given: object) -> str:
        """Return the settings that a refused value comes from, where the file itself has another one."""
        written = self._document.at(path)
        if not isinstance(written, str) or written == given or not setting_names(written):
            return ""
        names = ", ".join(f"`{name}`" for name in setting_names(written))
        return f" (the value of the application setting {names})"

    def _message(self, kind: str, detail: Any, path: Path) -> tuple[str, str]:
        """Return what is wrong with a value, and what to write."""
        from shared.rules import fixes

        given, context = detail["input"], detail.get("ctx", {})
        written = self._document.written(path)
        found = _shown(given, written)
        key = next((part for part in reversed(path) if isinstance(part, str)), "")
        if path and isinstance(path[-1], int):
            key = ""
        if key in _DURATIONS and isinstance(given, int) and not isinstance(given, bool):
            return f"must be a duration, not {found}", fixes.duration_fix(str(given))
        if kind == "string_type":
            return f"must be text, not {found}", fixes.text_fix(key, given, written)
        if kind == "list_type":
            return f"must be a list, not {found}", fixes.list_fix(key, given)
        if kind in _OBJECTS:
            return f"must be an object, not {found}", fixes.object_fix(key, given)
        if kind == "bool_type":
            return f"must be true or false, not {found}", fixes.bool_fix(given)
        if kind in _NUMBERS:
            whole = "whole " if kind.startswith("int") else ""
            return f"must be a {whole}number, not {found}", fixes.number_fix(given, whole=bool(whole))
        if kind in _BOUNDS:
            name, words = _BOUNDS[kind]
            limit = f"{context[name]:g}"
            return f"must be {words} {limit}, not {found}", f"write a number that is {words} {limit}"
        if kind == "value_error":
            return fixes.parted(str(context["error"]))
        if kind == "literal_error" or kind.startswith("union_tag"):
            return self._not_one_of(kind, detail, path)
        if kind == "string_pattern_mismatch":
            return self._pattern(given, str(context["pattern"]), path)
        return self._length(kind, given, context)

    def _not_one_of(self, kind: str, detail: Any, path: Path) -> tuple[str, str]:
        from shared.rules.fixes import parted

        given = detail["input"]
        if kind == "literal_error":
            what, words = (
                "",
                str(detail["ctx"]["expected"]).replace(" or ", ", ").replace("'", "").split(", "),
            )
        else:
            what, words, given = "`kind` " if path[-1] != "kind" else "", sorted(KINDS), given.get("kind")
        *most, last = [f"`{word}`" for word in words]
        hint = did_you_mean(given, words) if isinstance(given, str) else ""
        message, fix = parted(f"{what}must be {', '.join(most)} or {last}, not {_shown(given)}{hint}")
        if isinstance(given, bool) and path[-1] == "track":
            fix = f"write `track: {'callback' if given else 'none'}`"
        key = "kind" if what else next((part for part in reversed(path) if isinstance(part, str)), "")
        return message, fix or f"write one of these, as in `{key}: {words[0]}`"

    def _pattern(self, given: str, pattern: str, path: Path) -> tuple[str, str]:
        from shared.rules import fixes

        shown = _shown(given)
        if pattern == DURATION:
            return f"{shown} is not a duration", fixes.duration_fix(given)
        if pattern == RATE:
            return f"{shown} is not a rate", fixes.rate_fix(given)
        if pattern == RULE_NAME:
            return f"{shown} is not allowed as a rule's name", fixes.name_fix(given, MAX_RULE_NAME)
        if pattern == CALLER_NAME:
            return f"{shown} is not allowed as a caller's name", fixes.name_fix(given, 63)
        said = _PATTERNS.get(str(path[-1]) if path else "", "a name of letters, digits, `_` and `-`")
        return f"{shown} is not allowed here", f"write {said}"

    def _length(self, kind: str, given: Any, context: Mapping[str, Any]) -> tuple[str, str]:
        most, least = context.get("max_length"), context.get("min_length")
        if kind in _TOO_SHORT and not given:
            return "must not be empty", "write a value, or leave the key out"
        what = "characters" if isinstance(given, str) else "members"
        if most is not None:
            return f"has {len(given)} {what}, and at most {most} are allowed", f"write at most {most} {what}"
        if least is not None:
            return f"has {len(given)} {what}, and at least {least} are needed", f"write {least} {what}"
        return f"{_shown(given)} is not allowed here", "write another value (docs/rules.md)"

    def _unknown_key(self, path: Path, missing: Sequence[str], *, alone: bool) -> str:
        """Note an unknown key, and return the key that was meant; empty where nobody knows.

        Args:
            path: Where it stands.
            missing: The keys that its object lacks.
            alone: Whether it is the only unknown key of its object.
        """
        from shared.rules.fixes import nearest_key

        *parent, key = path
        part = self._part(parent)
        known = ["kind"] if part is None else [*part.model_fields]
        if part is Connection:
            known.remove("name")  # it is the connection's key
        meant = nearest_key(part or RulesFile, str(key), known)
        if tuple(path) in self._unreadable_keys:
            return meant
        message = f"unknown key `{visible(str(key), _SHOWN)}`"
        owner, place = ("", "") if meant in missing else self._owner(parent, str(key))
        if owner:
            beside = (*parent, owner)  # one message for all that stand beside a key instead of in it
            if beside not in self._beside:
                self.add(path, message, fix=place, key=True)
            if "indented" in place:
                self._beside.add(beside)
            return owner
        if not meant and alone and len(missing) == 1:
            fix = f"delete it, or write `{missing[0]}`, which is missing"
            self.add(path, message, fix=fix, key=True)
            return missing[0]
        listed = f"there are {', '.join(known)}" if known else ""
        if part is RulesFile:
            listed += ", and keys that begin with `x-`, which only hold anchors"
        self.add(path, message, fix=f"did you mean `{meant}`?" if meant else listed, key=True)
        return meant

    def _owner(self, parent: Path, key: str) -> tuple[str, str]:
        """Return the key whose member a misplaced key is, and what to write; empty where it is none's."""
        part = self._part(parent)
        for name in part.model_fields if part is not None else ():
            inner = self._part([*parent, name])
            has = self._document.has([*parent, name])
            empty = has and self._document.at([*parent, name]) is None
            if (inner is not None and key in inner.model_fields) or (name == "conf" and empty):
                indent = ", indented by 2 more spaces" if empty or not has else ""
                return name, f"write `{key}` inside `{name}`{indent}"
        while len(parent) > 2 and parent[0] == "rules":
            parent = parent[:-1]
            part = self._part(parent)
            if part is not None and key in part.model_fields:
                where = f"`{parent[-1]}`" if isinstance(parent[-1], str) else "the rule itself"
                return key, f"write it in {where}, with less indentation"
        return "", ""

    def _known(self, location: Sequence[str | int]) -> list[str | int]:
        """Follow pydantic's location as far as the file has it, past the names of union members in it."""
        path: list[str | int] = []
        for part in location:
            if self._document.has([*path, part]):
                path.append(part)
        return path

    def _part(self, path: Path) -> type[BaseModel] | None:
        if len(path) > 2 and path[0] == "connections" and path[2] == "auth":
            kind = [*path, "kind"]
            return KINDS.get(str(self._document.at(kind))) if self._document.has(kind) else None
        shape = ["#" if isinstance(part, int) else part for part in path]
        if len(shape) == 2 and shape[0] == "connections":
            shape[1] = "*"
        return _PARTS.get(".".join(shape))

    def _described(self, path: Path, name: str) -> str:
        part = self._part(path)
        about = part.model_fields[name].description if part and name in part.model_fields else None
        return f" ({about[0].lower()}{about[1:].rstrip('.')})" if about else ""


def path_text(path: Path) -> str:
    """Return a path as people write it, as in `rules[0].when.filter`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _shown(value: object, written: str = "") -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (int, float)):
        return f"the number {value}" + (f" (`{written}`)" if written not in {"", str(value)} else "")
    if isinstance(value, str):
        return f"`{visible(value, _SHOWN)}`"
    return "a list" if isinstance(value, list) else "an object"


def grouped(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems in the file's order, those of several rules that are the same as one."""
    groups: dict[tuple[str, ...], Problem] = {}
    for problem in sorted(problems, key=lambda each: (each.line, each.column)):
        key = (
            problem.message,
            problem.fix,
            problem.path,
            "" if problem.rule else f"{problem.line}:{problem.column}",
        )
        first = groups.setdefault(key, problem)
        place = (problem.line, problem.column, problem.rule)
        if first is not problem and place not in {(first.line, first.column, first.rule), *first.others}:
            groups[key] = replace(first, others=(*first.others, place))
    return list(groups.values())
