"""Reading YAML with the place of everything in it, so that a mistake is shown where it stands.

The reader builds on the nodes that PyYAML composes rather than on its values: they have line and column, and
keys that stand twice. Plain scalars are read by YAML 1.2's core schema (so `no` and `on` are text, as editors
show them, and times stay text; numbers that JSON cannot hold are mistakes) and keys as they are written.
Size, depth and what aliases can blow up are bounded.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from shared.errors import Problem
from shared.rules.yaml_scalars import plain_scalar, tagged_scalar
from shared.values.invisible import named
from shared.values.json_text import Json

MAX_CHARACTERS: Final = 2_000_000
"""Characters of a rules file: several thousand rules."""

MAX_DEPTH: Final = 60
"""Levels of nesting in a rules file."""

MAX_VALUES: Final = 200_000
"""Values in a rules file with its aliases written out."""

_LINE_ENDS_OF_YAML_1_1: Final = re.compile("[\x85\u2028\u2029]")
"""PyYAML ends lines at these, and YAML 1.2 and editors do not."""

_IN_WORDS: Final = {
    "but found another document": "the file holds a second document (`---`); keep one",
    "found undefined alias": "this alias has no anchor (`&name`) before it",
}
"""What two of PyYAML's problems mean, by how they begin."""

_TAG: Final = "tag:yaml.org,2002:"

type Path = Sequence[str | int]

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc] # either of PyYAML's loaders
    """Composes nodes whose tags say how a scalar is written, and stops where they are nested too deeply."""

    PLAIN: Final = "!plain"
    QUOTED: Final = "!quoted"

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def resolve(self, kind: type, value: str, implicit: Any) -> str:
        """Return the tag of a node without one: PyYAML would resolve plain scalars by YAML 1.1."""
        if kind is yaml.ScalarNode:
            return self.PLAIN if implicit[0] else self.QUOTED
        return str(super().resolve(kind, value, implicit))

    def descend_resolver(self, parent: Any, index: Any) -> None:
        """Count the levels: the composer calls itself for each, and has no bound."""
        self._depth += 1
        if self._depth > MAX_DEPTH + 1:
            raise _Stop(f"nested more than {MAX_DEPTH} levels deep", *_mark(parent))
        super().descend_resolver(parent, index)

    def ascend_resolver(self) -> None:
        """Leave a level."""
        self._depth -= 1
        super().ascend_resolver()


@dataclass(slots=True)
class _Node:
    """One value with its place; `members` holds an object's keys with theirs, `items` a list's."""

    line: int
    column: int
    scalar: Json = None
    items: list["_Node"] | None = None
    members: dict[str, tuple["_Node", "_Node"]] | None = None
    merged: list["_Node"] = field(default_factory=list)


class Document:
    """A YAML document as JSON, and where each part of it stands."""

    def __init__(self, root: _Node, value: Json) -> None:
        self._root = root
        self.value = value

    def place(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Return line and column, from 1, of the value at `path`, or of the nearest one that holds it.

        Args:
            path: Keys and indices from the root; one that does not exist ends the way.
            key: Whether the place of the last key itself is wanted, rather than of its value.
        """
        node, place = self._root, (self._root.line, self._root.column)
        for part in path:
            if isinstance(part, int) and node.items is not None and part < len(node.items):
                node = node.items[part]
            elif node.members is not None and part in node.members:
                key_node, node = node.members[str(part)]
                if key or node.items is not None or node.members is not None:
                    place = (key_node.line, key_node.column)
                    continue
            else:
                break
            place = (node.line, node.column)
        return place

    def has(self, path: Path) -> bool:
        """Tell whether there is a value at `path`."""
        try:
            self.at(path)
        except LookupError:
            return False
        return True

    def at(self, path: Path) -> Json:
        """Return the value at `path`.

        Raises:
            LookupError: There is none.
        """
        value = self.value
        for part in path:
            match value, part:
                case (dict(), str()):
                    value = value[part]
                case (list(), int()):
                    value = value[part]
                case _:
                    raise LookupError(part)
        return value


def read_yaml(text: str, *, file: str) -> tuple[Document | None, list[Problem]]:
    """Read a YAML document.

    Args:
        text: The whole file.
        file: Its name, for the problems.

    Returns:
        The document, or None where it cannot be read at all; and every problem found.
    """
    if len(text) > MAX_CHARACTERS:
        message = f"the file has {len(text):,} characters, more than {MAX_CHARACTERS:,}"
        return None, [Problem(message, file)]
    reader = _Nodes(file)
    try:
        root = reader.read(text)
        value = _Plain().of(root)
    except _Stop as stop:
        return None, [*reader.problems, Problem(stop.message, file, stop.line, stop.column)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "syntax error"
        known = (words for start, words in _IN_WORDS.items() if problem.startswith(start))
        message = next(known, f"the YAML cannot be read: {problem}")
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        return None, [*reader.problems, Problem(message, file, line, column)]
    except yaml.YAMLError as error:
        return None, [*reader.problems, Problem(f"the YAML cannot be read: {error}", file)]
    return Document(root, value), reader.problems


class _Stop(Exception):
    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


def _unreadable(text: str, character: str) -> _Stop:
    """Return the problem of a character that no part of a file may hold, at its first place."""
    before = text.partition(character)[0] if character in text else ""
    message = f"the YAML cannot be read: {named(character)} is not allowed; delete it"
    return _Stop(message, before.count("\n") + 1, len(before) - before.rfind("\n"))


class _Nodes:
    """Turns PyYAML's nodes into ours, and notes the mistakes on the way.

    Attributes:
        problems: The mistakes.
    """

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._known: dict[int, _Node | None] = {}

    def read(self, text: str) -> _Node:
        foreign = _LINE_ENDS_OF_YAML_1_1.search(text)
        if foreign is not None:
            raise _unreadable(text, foreign.group())
        try:
            root = _Loader(text).get_single_node()
        except yaml.reader.ReaderError as error:
            raise _unreadable(text, chr(error.character)) from error
        if root is None:
            raise _Stop("the file is empty")
        return self._of(root)

    def _of(self, given: Any) -> _Node:
        """Return a node; the same one for every alias of it."""
        if id(given) in self._known:
            known = self._known[id(given)]
            if known is None:
                raise _Stop("an alias stands within what it names", *_mark(given))
            return known
        self._known[id(given)] = None
        node = _Node(*_mark(given))
        if isinstance(given, yaml.SequenceNode):
            node.items = [self._of(item) for item in given.value]
        elif isinstance(given, yaml.MappingNode):
            node.members = {}
            for key, value in given.value:
                self._member(node, key, self._of(value))
        else:
            node.scalar = self._scalar(given)
        self._known[id(given)] = node
        return node

    def _member(self, node: _Node, key: Any, value: _Node) -> None:
        members = node.members
        assert members is not None
        name = _key(key)
        if name == "<<":
            node.merged.append(value)
            return
        line, column = _mark(key)
        if name in members:
            first = members[name][0].line
            message = f"the key `{name}` stands here a second time (first on line {first}); keep one"
            self.problems.append(Problem(message, self._file, line, column))
        members[name] = (_Node(line, column), value)

    def _scalar(self, given: Any) -> Json:
        text: str = given.value
        try:
            match given.tag:
                case _Loader.PLAIN:
                    return plain_scalar(text)
                case _Loader.QUOTED:
                    return text
                case tag:
                    return tagged_scalar(text, tag.removeprefix(_TAG))
        except ValueError as error:
            self.problems.append(Problem(str(error), self._file, *_mark(given)))
            return text


def _key(given: Any) -> str:
    """Return a key as it is written: it is text whatever it looks like, but for an empty one."""
    if not isinstance(given, yaml.ScalarNode) or (given.tag == _Loader.PLAIN and not given.value):
        raise _Stop("a key must be text", *_mark(given))
    return str(given.value)


def _mark(given: Any) -> tuple[int, int]:
    return given.start_mark.line + 1, given.start_mark.column + 1


class _Plain:
    """Writes a node out as JSON, its aliases and merges included, within a bound."""

    def __init__(self) -> None:
        self._count = 0

    def of(self, node: _Node, depth: int = 0) -> Json:
        self._count += 1
        if depth > MAX_DEPTH:
            raise _Stop(f"nested more than {MAX_DEPTH} levels deep", node.line, node.column)
        if self._count > MAX_VALUES:
            raise _Stop(f"the file's aliases make more than {MAX_VALUES:,} values", node.line, node.column)
        if node.items is not None:
            return [self.of(item, depth + 1) for item in node.items]
        if node.members is None:
            return node.scalar
        for merged in [each for given in node.merged for each in given.items or [given]]:
            if merged.members is None:
                raise _Stop("`<<` takes an object, or a list of objects", merged.line, merged.column)
            self.of(merged, depth + 1)
            for name, entry in merged.members.items():
                node.members.setdefault(name, entry)
        node.merged.clear()
        return {name: self.of(value, depth + 1) for name, (_, value) in node.members.items()}
