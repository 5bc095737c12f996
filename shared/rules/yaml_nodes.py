"""The nodes of a YAML file: each value with its line and column, and the errors found on the way.

Aliases share one node. Keys are read as they are written. The nesting depth is limited.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from shared.errors import Problem
from shared.rules.yaml_scalars import looks_like_text, plain_scalar, tagged_scalar
from shared.values.invisible import named
from shared.values.json_text import Json
from shared.visible_text import visible

MAX_DEPTH: Final = 60
"""Levels of nesting in a rules file."""

_LINE_ENDS_OF_YAML_1_1: Final = re.compile("[\x85\u2028\u2029]")
"""PyYAML ends lines at these, and YAML 1.2 and editors do not."""

_TAG: Final = "tag:yaml.org,2002:"

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(LOADER):  # type: ignore[misc] # either of PyYAML's loaders
    """Composes nodes with different tags for plain and quoted scalars, and limits the nesting depth."""

    PLAIN: Final = "!plain"
    QUOTED: Final = "!quoted"

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def resolve(self, kind: type, value: str, implicit: Any) -> str:
        """Return the tag of a node without a tag: PyYAML resolves plain scalars by YAML 1.1."""
        if kind is yaml.ScalarNode:
            return self.PLAIN if implicit[0] else self.QUOTED
        return str(super().resolve(kind, value, implicit))

    def descend_resolver(self, parent: Any, index: Any) -> None:
        """Count the levels: PyYAML's composer is recursive and has no limit."""
        self._depth += 1
        if self._depth > MAX_DEPTH + 1:
            raise Unreadable(f"nested more than {MAX_DEPTH} levels deep", "nest less", *_mark(parent))
        super().descend_resolver(parent, index)

    def ascend_resolver(self) -> None:
        """Go up one level."""
        self._depth -= 1
        super().ascend_resolver()


@dataclass(slots=True)
class Node:
    """One value and its position.

    Attributes:
        line: Counted from 1.
        column: Counted from 1.
        scalar: The value, if it is neither a list nor an object.
        written: A number as it is written in the file.
        items: The members of a list.
        members: The members of an object: each key's node and its value.
        merged: The objects that `<<` merges into this one.
    """

    line: int
    column: int
    scalar: Json = None
    written: str = ""
    items: list["Node"] | None = None
    members: dict[str, tuple["Node", "Node"]] | None = None
    merged: list["Node"] = field(default_factory=list)


class Unreadable(Exception):
    """The file cannot be read as YAML: what is wrong, what to write, line and column."""

    def __init__(self, message: str, fix: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message, self.fix, self.line, self.column = message, fix, line, column


class Nodes:
    """Turns PyYAML's nodes into `Node`, and collects the errors.

    Attributes:
        problems: The errors.
        numbers: The numbers that may be meant as text.
    """

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self.numbers: list[Node] = []
        self._lines: list[str] = []
        self._file = file
        self._known: dict[int, Node | None] = {}

    def read(self, text: str) -> Node:
        """Return the root of a file.

        Raises:
            Unreadable: The file cannot be read.
            yaml.MarkedYAMLError: PyYAML cannot read the file.
        """
        foreign = _LINE_ENDS_OF_YAML_1_1.search(text)
        if foreign is not None:
            raise _unreadable(text, foreign.group())
        self._lines = text.split("\n")
        try:
            root = _Loader(text).get_single_node()
        except yaml.reader.ReaderError as error:
            raise _unreadable(text, chr(error.character)) from error
        if root is None:
            raise Unreadable("the file is empty", "write `connections` and `rules` (docs/rules.md)")
        return self._of(root)

    def _of(self, given: Any) -> Node:
        """Return the node of one of PyYAML's; the same node for all its aliases."""
        if id(given) in self._known:
            known = self._known[id(given)]
            if known is None:
                raise Unreadable(
                    "an alias refers to an object that contains it", "use another anchor", *_mark(given)
                )
            return known
        self._known[id(given)] = None
        node = Node(*_mark(given))
        if isinstance(given, yaml.SequenceNode):
            node.items = [self._of(item) for item in given.value]
        elif isinstance(given, yaml.MappingNode):
            template = self._template(given)
            if template is not None:
                node.scalar = template
                self._known[id(given)] = node
                return node
            node.members = {}
            for key, value in given.value:
                self._member(node, key, self._of(value))
        else:
            node.scalar = self._scalar(given)
            if isinstance(node.scalar, (int, float)) and not isinstance(node.scalar, bool):
                node.written = str(given.value)
                if given.tag == _Loader.PLAIN and looks_like_text(node.written):
                    self.numbers.append(node)
        self._known[id(given)] = node
        return node

    def _template(self, given: Any) -> str | None:
        """Return the template of `{{ … }}` without quotes, which YAML reads as an object in an object."""
        if not any(isinstance(key, yaml.MappingNode) for key, _ in given.value):
            return None
        from shared.rules.yaml_position import template_at, unquoted_template

        line, column = _mark(given)
        slip = unquoted_template(self._lines[line - 1], line, column - 1)
        if slip is None or slip.column != column:
            return None
        self._add(slip.message, slip.fix, line, column)
        return template_at(self._lines[line - 1], column - 1)

    def _add(self, message: str, fix: str, line: int, column: int) -> None:
        source = source_line(self._lines, line)
        self.problems.append(Problem(message, self._file, line, column, fix=fix, source=source))

    def _member(self, node: Node, key: Any, value: Node) -> None:
        members = node.members
        assert members is not None
        name = _key(key)
        if name == "<<":
            node.merged.append(value)
            return
        line, column = _mark(key)
        if name in members:
            first = members[name][0].line
            message = f"the key `{visible(name, 60)}` appears a second time (first on line {first})"
            self._add(message, "keep one of the two", line, column)
        members[name] = (Node(line, column), value)

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
            message, _, fix = str(error).partition("; ")
            self._add(message, fix, *_mark(given))
            return text


def _unreadable(text: str, character: str) -> Unreadable:
    """Return the error of a character that the file must not contain, at its first position."""
    before = text.partition(character)[0] if character in text else ""
    message = f"{named(character)} is not allowed in the file"
    return Unreadable(message, "delete it", before.count("\n") + 1, len(before) - before.rfind("\n"))


def _key(given: Any) -> str:
    """Return a key as it is written: every key is text, also one such as `010`."""
    if not isinstance(given, yaml.ScalarNode) or (given.tag == _Loader.PLAIN and not given.value):
        raise Unreadable("a key must be text", "write a name before the colon", *_mark(given))
    return str(given.value)


def _mark(given: Any) -> tuple[int, int]:
    return given.start_mark.line + 1, given.start_mark.column + 1


def source_line(lines: Sequence[str], line: int) -> str:
    """Return a line of a file by its number, from 1; empty if there is no such line."""
    return lines[line - 1].rstrip("\r") if 0 < line <= len(lines) else ""
