"""From what the model says of a file to what its author needs: the place, what was found, what was meant."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from shared.errors import Problem
from shared.rules import model
from shared.rules.document import Document, Path
from shared.suggest import did_you_mean

_PARTS: Final[Mapping[str, type[BaseModel]]] = {
    "": model.RulesFile,
    "connections.*": model.Connection,
    "rules.#": model.RuleSpec,
    "rules.#.when": model.When,
    "rules.#.when.subject": model.SubjectMatch,
    "rules.#.start": model.Start,
    "rules.#.coalesce": model.Coalesce,
}
_AUTHS: Final[Mapping[Any, type[BaseModel]]] = {"entra": model.EntraAuth, "airflow": model.AirflowAuth}
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
    """

    def __init__(self, document: Document, file: str) -> None:
        self.problems: list[Problem] = []
        self._document = document
        self._file = file

    def add(self, path: Path, message: str, *, key: bool = False) -> None:
        """Note a mistake.

        Args:
            path: Where it stands.
            message: What was found, what was meant, and the remedy.
            key: Whether the key itself is wrong rather than its value.
        """
        line, column = self._document.place(path, key=key)
        self.problems.append(Problem(message, self._file, line, column, path_text(path)))

    def add_all(self, error: ValidationError) -> None:
        """Note everything that the model refused."""
        for detail in error.errors(include_url=False, include_context=True):
            self._add_detail(detail)

    def _add_detail(self, detail: Any) -> None:  # noqa: ANN401 - pydantic's ErrorDetails
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
            self.add(path, self._message(kind, detail, path))

    def _message(self, kind: str, detail: Any, path: Path) -> str:  # noqa: ANN401 - as `_add_detail`
        given = detail["input"]
        context = detail.get("ctx", {})
        if kind in _NAMES:
            hint = (
                "; write it in quotes"
                if kind == "string_type" and isinstance(given, (bool, int, float))
                else ""
            )
            return f"must be {_NAMES[kind]}, not {_shown(given)}{hint}"
        if kind == "value_error":
            return str(context.get("error", detail["msg"]))
        if kind == "literal_error":
            expected = str(context["expected"]).replace("'", "`")
            words = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
            return f"must be {expected}, not {_shown(given)}{did_you_mean(str(given), words)}"
        if kind.startswith("union_tag"):
            given = given.get("kind") if isinstance(given, dict) else given
            known = sorted(_AUTHS)
            hint = did_you_mean(str(given), known) if given is not None else ""
            return (
                f"`kind` must be one of {', '.join(f'`{name}`' for name in known)}, not {_shown(given)}{hint}"
            )
        if kind in _TOO_SHORT:
            return "must not be empty"
        if kind == "string_pattern_mismatch":
            about = self._described(path[:-1], str(path[-1])) if path else ""
            return f"{_shown(given)} is not allowed here{about} (it has to match {context['pattern']})"
        message = str(detail["msg"])
        return message[0].lower() + message[1:] + f", not {_shown(given)}"

    def _unknown_key(self, path: Path) -> None:
        *parent, key = path
        part = self._part(parent)
        known = (
            [name for name in part.model_fields if part is not model.Connection or name != "name"]
            if part
            else []
        )
        listed = f"; there are {', '.join(known)}" if known else ""
        self.add(path, f"unknown key `{key}`{did_you_mean(str(key), known)}{listed}", key=True)

    def _known(self, location: Sequence[str | int]) -> list[str | int]:
        """Follow pydantic's location as far as the file has it, past the names of union members in it."""
        path: list[str | int] = []
        for part in location:
            if self._document.has([*path, part]):
                path.append(part)
        return path

    def _part(self, path: Path) -> type[BaseModel] | None:
        if len(path) == 3 and path[0] == "connections" and path[2] == "auth":  # noqa: PLR2004 - connections.<name>.auth
            return _AUTHS.get(self._value([*path, "kind"]))
        shape = ["#" if isinstance(part, int) else part for part in path]
        if len(shape) == 2 and shape[0] == "connections":  # noqa: PLR2004 - connections.<name>
            shape[1] = "*"
        return _PARTS.get(".".join(shape))

    def _described(self, path: Path, name: str) -> str:
        part = self._part(path)
        about = part.model_fields[name].description if part and name in part.model_fields else None
        return f" ({about[0].lower()}{about[1:].rstrip('.')})" if about else ""

    def _value(self, path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
        value: Any = self._document.value
        for part in path:
            value = value.get(part) if isinstance(value, dict) else value[part]
        return value


def path_text(path: Path) -> str:
    """Return a path as people write it, as in `rules[0].when.filter`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f"`{value if len(value) <= 60 else value[:59] + '…'}`"  # noqa: PLR2004 - a line's worth
    return "a list" if isinstance(value, list) else "an object"
