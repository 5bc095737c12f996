"""Reading YAML with the place of everything in it, so that a mistake is shown where it stands.

The reader builds on PyYAML's stream of events rather than on its loader: that keeps line and column, finds
keys that stand twice, takes plain scalars by YAML 1.2's core schema (so `no` and `on` are text, as editors
show them, and times stay text; numbers that JSON cannot hold are mistakes), takes keys as they are written,
and bounds size, depth and what aliases can blow up.
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

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LINE_ENDS_OF_YAML_1_1: Final = re.compile("[\x85\u2028\u2029]")
"""PyYAML ends lines at these, and YAML 1.2 and editors do not."""

_TAG: Final = "tag:yaml.org,2002:"

type Path = Sequence[str | int]


@dataclass(slots=True)
class _Node:
    """One value with its place; `members` holds an object's keys with theirs, `items` a list's.

    `text` is how a scalar is written, which is what counts where it is a key.
    """

    line: int
    column: int
    scalar: Json = None
    text: str | None = None
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
    reader = _Reader(file)
    try:
        root = reader.read(text)
        value = _Plain().of(root)
    except _Stop as stop:
        return None, [*reader.problems, Problem(stop.message, file, stop.line, stop.column)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"the YAML cannot be read: {error.problem or error.context or 'syntax error'}"
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        return None, [*reader.problems, Problem(message, file, line, column)]
    except yaml.YAMLError as error:
        return None, [*reader.problems, Problem(f"the YAML cannot be read: {error}", file)]
    return Document(root, value), reader.problems


class _Stop(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


def _unreadable(text: str, character: str) -> _Stop:
    """Return the problem of a character that no part of a file may hold, at its first place."""
    before = text.partition(character)[0] if character in text else ""
    message = f"the YAML cannot be read: {named(character)} is not allowed; delete it"
    return _Stop(message, before.count("\n") + 1, len(before) - before.rfind("\n"))


@dataclass(slots=True)
class _Open:
    """A list or an object that is being read; `key` waits for its value."""

    node: _Node
    anchor: str | None
    key: _Node | None = None


class _Reader:
    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._anchors: dict[str, _Node | None] = {}
        self._stack: list[_Open] = []
        self._root: _Node | None = None

    def read(self, text: str) -> _Node:
        foreign = _LINE_ENDS_OF_YAML_1_1.search(text)
        if foreign is not None:
            raise _unreadable(text, foreign.group())
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                self._take(event)
        except yaml.reader.ReaderError as error:
            raise _unreadable(text, chr(error.character)) from error
        if self._root is None:
            raise _Stop("the file is empty")
        return self._root

    def _take(self, event: Any) -> None:  # noqa: ANN401 - PyYAML's events are untyped unions
        if isinstance(event, yaml.DocumentStartEvent):
            if self._root is not None:
                raise _Stop("the file holds a second document (`---`); keep one", *_mark(event))
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            self._open(event)
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            done = self._stack.pop()
            if done.anchor:
                self._anchors[done.anchor] = done.node
        elif isinstance(event, yaml.ScalarEvent):
            node = _Node(*_mark(event), scalar=self._scalar(event), text=event.value)
            if event.anchor:
                self._anchors[event.anchor] = node
            self._place(node)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)

    def _open(self, event: Any) -> None:  # noqa: ANN401 - as `_take`
        if len(self._stack) >= MAX_DEPTH:
            raise _Stop(f"nested more than {MAX_DEPTH} levels deep", *_mark(event))
        mapping = isinstance(event, yaml.MappingStartEvent)
        node = _Node(*_mark(event), items=None if mapping else [], members={} if mapping else None)
        if event.anchor:
            self._anchors[event.anchor] = None
        self._place(node)
        self._stack.append(_Open(node, event.anchor))

    def _alias(self, event: Any) -> None:  # noqa: ANN401 - as `_take`
        target = self._anchors.get(event.anchor, _UNKNOWN)
        if target is _UNKNOWN:
            raise _Stop(f"`*{event.anchor}` has no anchor `&{event.anchor}` before it", *_mark(event))
        if target is None:
            raise _Stop(f"`*{event.anchor}` stands within what it names", *_mark(event))
        self._place(target)

    def _place(self, node: _Node) -> None:
        if not self._stack:
            self._root = node
            return
        top = self._stack[-1]
        if top.node.items is not None:
            top.node.items.append(node)
        elif top.key is None:
            top.key = node
        else:
            self._member(top, top.key, node)
            top.key = None

    def _member(self, top: _Open, key: _Node, value: _Node) -> None:
        members = top.node.members
        assert members is not None
        if key.text is None or key.scalar is None:
            raise _Stop("a key must be text", key.line, key.column)
        name = key.text
        if name == "<<":
            top.node.merged.append(value)
            return
        if name in members:
            first = members[name][0].line
            message = f"the key `{name}` stands here a second time (first on line {first}); keep one"
            self.problems.append(Problem(message, self._file, key.line, key.column))
        members[name] = (key, value)

    def _scalar(self, event: Any) -> Json:  # noqa: ANN401 - as `_take`
        """Return the value of a scalar; a key is text whatever it looks like, so that it is never refused."""
        text: str = event.value
        tag = event.tag.removeprefix(_TAG) if event.tag else None
        if tag is None and not event.implicit[0]:
            return text
        try:
            return plain_scalar(text) if tag is None else tagged_scalar(text, tag)
        except ValueError as error:
            if tag is not None or not self._at_key():
                self._problem(event, str(error))
            return text

    def _at_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].node.members is not None and self._stack[-1].key is None

    def _problem(self, event: Any, message: str) -> None:  # noqa: ANN401 - as `_take`
        self.problems.append(Problem(message, self._file, *_mark(event)))


_UNKNOWN: Final = _Node(0, 0)


def _mark(event: Any) -> tuple[int, int]:  # noqa: ANN401 - as `_take`
    return event.start_mark.line + 1, event.start_mark.column + 1


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
