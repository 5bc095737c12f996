"""From what the model says of a file to what its author needs: the place, what was found, what was meant."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from shared.errors import Problem
from shared.rules.model.auth import KINDS
from shared.rules.model.callers import CallerSpec
from shared.rules.model.connection import Connection
from shared.rules.model.file import RulesFile
from shared.rules.model.rule import CallbackSpec, Coalesce, RuleSpec, Start, SubjectMatch, When
from shared.rules.yaml_document import Document, Path
from shared.values.app_settings import setting_names
from shared.values.wording import did_you_mean

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
_NAMES: Final[Mapping[str, str]] = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_TOO_SHORT: Final = frozenset({"string_too_short", "too_short"})


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
        self._document = document
        self._file = file

    def add(self, path: Path, message: str, *, key: bool = False) -> None:
        """Note a mistake.

        Args:
            path: Where it stands.
            message: What was found, what was meant, and the remedy.
            key: Whether the key itself is wrong rather than its value.
        """
        self.problems.append(self._problem(path, message, key=key))

    def warn(self, path: Path, message: str, *, key: bool = False) -> None:
        """Note what may be a mistake; arguments as `add`."""
        self.warnings.append(self._problem(path, message, key=key))

    def add_unreadable_key(self, path: Path, message: str) -> None:
        """Note a key that holds what nobody sees, so that it is not reported as unknown, too."""
        self._unreadable_keys.add(tuple(path))
        self.add(path, message, key=True)

    def _problem(self, path: Path, message: str, *, key: bool) -> Problem:
        line, column = self._document.place(path, key=key)
        return Problem(message, self._file, line, column, path_text(path))

    def add_all(self, error: ValidationError) -> None:
        """Note everything that the model refused."""
        for detail in error.errors(include_url=False, include_context=True):
            self._add_detail(detail)

    def _add_detail(self, detail: Any) -> None:
        location = [part for part in detail["loc"] if part != "[key]"]
        path = self._known(location)
        kind: str = detail["type"]
        if kind == "missing":
            missing = location[-1]
            about = self._described(path, str(missing))
            self.add(path, f"`{missing}` is missing{about}")
        elif kind == "extra_forbidden":
            self._unknown_key(path)
        else:
            self.add(path, self._message(kind, detail, path) + self._origin(path, detail["input"]))

    def _origin(self, path: Path, given: object) -> str:
        """Return the settings that a refused value comes from, where the file itself has another one."""
        written = self._document.at(path)
        if not isinstance(written, str) or written == given or not setting_names(written):
            return ""
        names = ", ".join(f"`{name}`" for name in setting_names(written))
        return f"; the value is that of the application setting {names}"

    def _message(self, kind: str, detail: Any, path: Path) -> str:
        given, context = detail["input"], detail.get("ctx", {})
        if kind in _NAMES:
            quotes = kind == "string_type" and isinstance(given, (bool, int, float))
            message = f"must be {_NAMES[kind]}, not {_shown(given)}{'; write it in quotes' if quotes else ''}"
        elif kind == "value_error":
            message = str(context["error"])
        elif kind == "literal_error":
            words = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
            message = _not_one_of("", words, given)
        elif kind.startswith("union_tag"):
            message = _not_one_of("`kind` ", sorted(KINDS), given.get("kind"))
        elif kind in _TOO_SHORT:
            message = "must not be empty"
        elif kind == "string_pattern_mismatch":
            about = self._described(path[:-1], str(path[-1]))
            message = f"{_shown(given)} is not allowed here{about} (it has to match {context['pattern']})"
        else:
            said = str(detail["msg"])
            message = said[0].lower() + said[1:] + f", not {_shown(given)}"
        return message

    def _unknown_key(self, path: Path) -> None:
        *parent, key = path
        if tuple(path) in self._unreadable_keys:
            return
        part = self._part(parent)
        known = [] if part is None else [*part.model_fields]
        if part is Connection:
            known.remove("name")  # it is the connection's key
        listed = f"; there are {', '.join(known)}" if known else ""
        if part is RulesFile:
            listed += ", and keys that begin with `x-`, which only hold anchors"
        self.add(path, f"unknown key `{key}`{did_you_mean(str(key), known)}{listed}", key=True)

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


def _not_one_of(what: str, words: Sequence[str], given: object) -> str:
    *most, last = [f"`{word}`" for word in words]
    hint = did_you_mean(given, words) if isinstance(given, str) else ""
    return f"{what}must be {', '.join(most)} or {last}, not {_shown(given)}{hint}"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f"`{value if len(value) <= 60 else value[:59] + '…'}`"
    return "a list" if isinstance(value, list) else "an object"
