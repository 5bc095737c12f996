"""Messages for unknown keys of rules.yaml, and the other errors that only follow from them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel

from shared.rules.fixes import nearest_key
from shared.rules.model.auth import KINDS
from shared.rules.model.callers import CallerSpec
from shared.rules.model.connection import Connection
from shared.rules.model.file import RulesFile
from shared.rules.model.rule import CallbackSpec, Coalesce, RuleSpec, Start, SubjectMatch, When
from shared.rules.yaml_document import Document, Path
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
OWN_KEYS: Final = frozenset(key for part in (*_PARTS.values(), *KINDS.values()) for key in part.model_fields)
"""Every key that the language has somewhere."""
_SHOWN: Final = 60

type Where = tuple[str | int, ...]


def known_path(document: Document, location: Sequence[str | int]) -> list[str | int]:
    """Return the parts of pydantic's location that exist in the file, without names of union members."""
    path: list[str | int] = []
    for part in location:
        if document.has([*path, part]):
            path.append(part)
    return path


def model_at(document: Document, path: Path) -> type[BaseModel] | None:
    """Return the model of an object of the file, or None."""
    if len(path) > 2 and path[0] == "connections" and path[2] == "auth":
        kind = [*path, "kind"]
        return KINDS.get(str(document.at(kind))) if document.has(kind) else None
    shape = ["#" if isinstance(part, int) else part for part in path]
    if len(shape) == 2 and shape[0] == "connections":
        shape[1] = "*"
    return _PARTS.get(".".join(shape))


class UnknownKeys:
    """The unknown keys among pydantic's errors, and the errors that follow from them.

    Args:
        document: The file.
        details: Pydantic's errors.
        unreadable: Keys that are already reported as unreadable.
        add: Takes each error: the key's path, what is wrong, and what to write.
    """

    def __init__(
        self,
        document: Document,
        details: Sequence[Any],
        unreadable: set[Where],
        add: Callable[[Path, str, str], None],
    ) -> None:
        self._document = document
        self._unreadable = unreadable
        self._add = add
        self._reported: set[Where] = set()
        self._folded = self._fold_keys(details)

    def _fold_keys(self, details: Sequence[Any]) -> dict[Where, set[str]]:
        """Add the unknown keys, and return for each object which known keys they probably mean."""
        unknown: dict[Where, list[str]] = {}
        missing: dict[Where, list[str]] = {}
        for detail in details:
            path = tuple(known_path(self._document, detail["loc"]))
            if detail["type"] == "extra_forbidden":
                unknown.setdefault(path[:-1], []).append(str(path[-1]))
            elif detail["type"] == "missing":
                missing.setdefault(path, []).append(str(detail["loc"][-1]))
            elif detail["type"].startswith("union_tag") and isinstance(detail["input"], dict):
                self._fold_kind(path, detail["input"], unknown, missing)
        folded: dict[Where, set[str]] = {}
        for parent, keys in unknown.items():
            lacking = missing.get(parent, [])
            for key in keys:
                meant = self._unknown_key([*parent, key], lacking, alone=len(keys) == 1)
                if not self._has_value([*parent, meant]):
                    folded.setdefault(parent, set()).update([meant] if meant else self._absent(parent))
        return folded

    def _has_value(self, path: Path) -> bool:
        return self._document.has(path) and self._document.at(path) is not None

    def _absent(self, parent: Path) -> Iterator[str]:
        """Yield each key that an object does not have, marked by `?`: an unknown key may mean it."""
        part = model_at(self._document, parent)
        for name in part.model_fields if part is not None else ():
            if not self._document.has([*parent, name]):
                yield f"?{name}"

    def _fold_kind(
        self,
        path: Where,
        given: Mapping[str, Any],
        unknown: dict[Any, list[str]],
        missing: dict[Any, list[str]],
    ) -> None:
        """Add a misspelt `kind`: without `kind` no other key of `auth` can be checked."""
        if "kind" in given:
            return
        known = {name for kind in KINDS.values() for name in kind.model_fields}
        near = [key for key in given if key not in known and "`kind`" in did_you_mean(key, ["kind"])]
        unknown_keys = near or [key for key in given if key not in known]
        if len(unknown_keys) == 1:
            unknown.setdefault(path, []).append(unknown_keys[0])
            missing.setdefault(path, []).append("kind")

    def explain(self, detail: Any) -> bool:
        """Return whether an error only follows from an unknown key of the same object."""
        kind, path = detail["type"], tuple(known_path(self._document, detail["loc"]))
        if kind == "extra_forbidden":
            return True
        if kind == "missing":
            return str(detail["loc"][-1]) in self._folded.get(path, ())
        if kind.startswith("union_tag"):
            return "kind" in self._folded.get(path, ())
        if detail["input"] is None:  # its members are on the same level as the key
            return str(path[-1]) in self._folded.get(path[:-1], ())
        if kind != "value_error":
            return False
        error = str(detail["ctx"]["error"])
        return any(f"`{meant.removeprefix('?')}" in error for meant in self._folded.get(path[:-1], ()))

    def _unknown_key(self, path: Path, missing: Sequence[str], *, alone: bool) -> str:
        """Add an unknown key, and return the key that it probably means, or an empty text.

        Args:
            path: Its path.
            missing: The keys that its object lacks.
            alone: Whether it is the only unknown key of its object.
        """
        *parent, key = path
        part = model_at(self._document, parent)
        known = ["kind"] if part is None else [*part.model_fields]
        if part is Connection:
            known.remove("name")  # it is the connection's key
        meant = nearest_key(part or RulesFile, str(key), known)
        if tuple(path) in self._unreadable:
            return meant
        message = f"unknown key `{visible(str(key), _SHOWN)}`"
        owner, fix = ("", "") if meant in missing else self._owner(parent, str(key))
        if owner:
            owner_path = (*parent, owner)  # one message for all members on the wrong level
            if owner_path not in self._reported:
                self._add(path, message, fix)
            if "indented" in fix:
                self._reported.add(owner_path)
            return owner
        if not meant and alone and len(missing) == 1:
            fix = f"delete it, or write `{missing[0]}`, which is missing"
            self._add(path, message, fix)
            return missing[0]
        listed = f"there are {', '.join(known)}" if known else ""
        if part is RulesFile:
            listed += ", and keys that begin with `x-` for anchors"
        self._add(path, message, f"did you mean `{meant}`?" if meant else listed)
        return meant

    def _owner(self, parent: Path, key: str) -> tuple[str, str]:
        """Return the key that a misplaced key belongs to, and what to write; or empty texts."""
        part = model_at(self._document, parent)
        for name in part.model_fields if part is not None else ():
            inner = model_at(self._document, [*parent, name])
            has = self._document.has([*parent, name])
            empty = has and self._document.at([*parent, name]) is None
            if (inner is not None and key in inner.model_fields) or (name == "conf" and empty):
                indent = ", indented by 2 more spaces" if empty or not has else ""
                return name, f"write `{key}` inside `{name}`{indent}"
        while len(parent) > 2 and parent[0] == "rules":
            parent = parent[:-1]
            part = model_at(self._document, parent)
            if part is not None and key in part.model_fields:
                where = f"`{parent[-1]}`" if isinstance(parent[-1], str) else "the rule itself"
                return key, f"write it in {where}, with less indentation"
        return "", ""
