"""Reading YAML with the place of everything in it, so that a mistake is shown where it stands.

The reader builds on the nodes that PyYAML composes rather than on its values: they have line and column, and
keys that stand twice. Plain scalars are read by YAML 1.2's core schema (so `no` and `on` are text, as editors
show them, and times stay text; numbers that JSON cannot hold are mistakes) and keys as they are written.
Size, depth and what aliases can blow up are bounded.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

from shared.errors import Problem
from shared.rules.yaml_scalars import looks_like_text, plain_scalar, tagged_scalar
from shared.values.invisible import named
from shared.values.json_text import Json
from shared.visible_text import visible

if TYPE_CHECKING:
    from shared.rules.yaml_places import Slip

MAX_CHARACTERS: Final = 2_000_000
"""Characters of a rules file: several thousand rules."""

MAX_DEPTH: Final = 60
"""Levels of nesting in a rules file."""

MAX_VALUES: Final = 200_000
"""Values in a rules file with its aliases written out."""

_LINE_ENDS_OF_YAML_1_1: Final = re.compile("[\x85\u2028\u2029]")
"""PyYAML ends lines at these, and YAML 1.2 and editors do not."""

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
            raise _Stop(f"nested more than {MAX_DEPTH} levels deep", "nest less", *_mark(parent))
        super().descend_resolver(parent, index)

    def ascend_resolver(self) -> None:
        """Leave a level."""
        self._depth -= 1
        super().ascend_resolver()


@dataclass(slots=True)
class _Node:
    """One value with its place; `members` holds an object's keys with theirs, `items` a list's.

    `written` is a number as the file has it.
    """

    line: int
    column: int
    scalar: Json = None
    written: str = ""
    items: list["_Node"] | None = None
    members: dict[str, tuple["_Node", "_Node"]] | None = None
    merged: list["_Node"] = field(default_factory=list)


class Document:
    """A YAML document as JSON, and where each part of it stands."""

    def __init__(self, root: _Node, value: Json, text: str, numbers: Sequence["_Node"]) -> None:
        self._root = root
        self._numbers = numbers
        self._lines = text.split("\n")
        self.value = value

    def source(self, line: int) -> str:
        """Return a line of the file by its number, from 1."""
        return source_line(self._lines, line)

    def rule_at(self, line: int, column: int) -> str:
        """Return the name of the rule that a place of the file is in; empty where it is in none."""
        rules = (self._root.members or {}).get("rules")
        items = rules[1].items if rules is not None else None
        before = [node for node in items or () if (node.line, node.column) <= (line, column)]
        after = [key for key, _ in (self._root.members or {}).values() if key.line <= line]
        if not before or max((key.line for key in after), default=0) > before[-1].line:
            return ""
        name = (before[-1].members or {}).get("name")
        return name[1].scalar if name is not None and isinstance(name[1].scalar, str) else ""

    def surprising_numbers(self) -> Iterator[tuple[int, int, str, Json]]:
        """Yield the numbers that their author may have meant as text: line, column, as written, and value."""
        for node in self._numbers:
            yield node.line, node.column, node.written, node.scalar

    def written(self, path: Path) -> str:
        """Return the number at `path` as the file has it; empty for everything else."""
        node: _Node | None = self._root
        for part in path:
            if node is None:
                return ""
            if isinstance(part, int):
                node = node.items[part] if node.items is not None and part < len(node.items) else None
            else:
                node = node.members[part][1] if node.members is not None and part in node.members else None
        return node.written if node is not None else ""

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
        return None, [Problem(message, file, 1, 1, fix="write several rules as one, or delete some")]
    reader = _Nodes(file)
    try:
        root = reader.read(text)
        value = _Plain().of(root)
    except _Stop as stop:
        return None, [*reader.problems, _stopped(text, file, stop)]
    except yaml.MarkedYAMLError as error:
        from shared.rules.yaml_slips import yaml_slip

        return None, [*reader.problems, _stopped(text, file, yaml_slip(text, error, _Base))]
    return Document(root, value, text, reader.numbers), reader.problems


def _stopped(text: str, file: str, slip: "Slip | _Stop") -> Problem:
    """Return the problem of a file that cannot be read: its rule is found in the text."""
    from shared.rules.yaml_places import rule_near

    lines = text.split("\n")
    return Problem(
        slip.message,
        file,
        slip.line,
        slip.column,
        fix=slip.fix,
        rule=rule_near(lines, slip.line),
        source=source_line(lines, slip.line),
    )


def source_line(lines: Sequence[str], line: int) -> str:
    """Return a line of a file by its number, from 1; empty where there is none."""
    return lines[line - 1].rstrip("\r") if 0 < line <= len(lines) else ""


class _Stop(Exception):
    def __init__(self, message: str, fix: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message, self.fix, self.line, self.column = message, fix, line, column


def _unreadable(text: str, character: str) -> _Stop:
    """Return the problem of a character that no part of a file may hold, at its first place."""
    before = text.partition(character)[0] if character in text else ""
    message = f"{named(character)} is not allowed in the file"
    return _Stop(message, "delete it", before.count("\n") + 1, len(before) - before.rfind("\n"))


class _Nodes:
    """Turns PyYAML's nodes into ours, and notes the mistakes on the way.

    Attributes:
        problems: The mistakes.
        numbers: The numbers that may be meant as text.
    """

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self.numbers: list[_Node] = []
        self._lines: list[str] = []
        self._file = file
        self._known: dict[int, _Node | None] = {}

    def read(self, text: str) -> _Node:
        foreign = _LINE_ENDS_OF_YAML_1_1.search(text)
        if foreign is not None:
            raise _unreadable(text, foreign.group())
        self._lines = text.split("\n")
        try:
            root = _Loader(text).get_single_node()
        except yaml.reader.ReaderError as error:
            raise _unreadable(text, chr(error.character)) from error
        if root is None:
            raise _Stop("the file is empty", "write `connections` and `rules` (docs/rules.md)")
        return self._of(root)

    def _of(self, given: Any) -> _Node:
        """Return a node; the same one for every alias of it."""
        if id(given) in self._known:
            known = self._known[id(given)]
            if known is None:
                raise _Stop("an alias stands within what it names", "name another value", *_mark(given))
            return known
        self._known[id(given)] = None
        node = _Node(*_mark(given))
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
        """Return the template that was meant by `{{ … }}` without quotes, an object in an object to YAML."""
        if not any(isinstance(key, yaml.MappingNode) for key, _ in given.value):
            return None
        from shared.rules.yaml_places import template_at, unquoted_template

        line, column = _mark(given)
        slip = unquoted_template(self._lines[line - 1], line, column - 1)
        if slip is None or slip.column != column:
            return None
        self._add(slip.message, slip.fix, line, column)
        return template_at(self._lines[line - 1], column - 1)

    def _add(self, message: str, fix: str, line: int, column: int) -> None:
        source = source_line(self._lines, line)
        self.problems.append(Problem(message, self._file, line, column, fix=fix, source=source))

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
            message = f"the key `{visible(name, 60)}` stands here a second time (first on line {first})"
            self._add(message, "keep one of the two", line, column)
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
            message, _, fix = str(error).partition("; ")
            self._add(message, fix, *_mark(given))
            return text


def _key(given: Any) -> str:
    """Return a key as it is written: it is text whatever it looks like, but for an empty one."""
    if not isinstance(given, yaml.ScalarNode) or (given.tag == _Loader.PLAIN and not given.value):
        raise _Stop("a key must be text", "write a name before the colon", *_mark(given))
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
            raise _Stop(f"nested more than {MAX_DEPTH} levels deep", "nest less", node.line, node.column)
        if self._count > MAX_VALUES:
            raise _Stop(
                f"the file's aliases make more than {MAX_VALUES:,} values",
                "write fewer of them",
                node.line,
                node.column,
            )
        if node.items is not None:
            return [self.of(item, depth + 1) for item in node.items]
        if node.members is None:
            return node.scalar
        for merged in [each for given in node.merged for each in given.items or [given]]:
            if merged.members is None:
                raise _Stop(
                    "`<<` takes an object, or a list of objects",
                    "write an alias of one, as in `<<: *base`",
                    merged.line,
                    merged.column,
                )
            self.of(merged, depth + 1)
            for name, entry in merged.members.items():
                node.members.setdefault(name, entry)
        node.merged.clear()
        return {name: self.of(value, depth + 1) for name, (_, value) in node.members.items()}
