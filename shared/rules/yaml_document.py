"""YAML as JSON, with the line and column of each part, so that an error is shown where it is.

Scalars are read by YAML 1.2's core schema (`yaml_scalars.py`). The file's size, its nesting depth and the
number of values that its aliases make are limited.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import yaml

from shared.errors import Problem
from shared.rules.yaml_nodes import LOADER, MAX_DEPTH, Node, Nodes, Unreadable, source_line
from shared.values.json_text import Json

if TYPE_CHECKING:
    from shared.rules.yaml_position import Slip

MAX_CHARACTERS: Final = 2_000_000
"""Characters of a rules file: several thousand rules."""

MAX_VALUES: Final = 200_000
"""Values in a rules file with its aliases written out."""

type Path = Sequence[str | int]


class Document:
    """A YAML document as JSON, and the position of each part."""

    def __init__(self, root: Node, value: Json, text: str, numbers: Sequence[Node]) -> None:
        self._root = root
        self._numbers = numbers
        self._lines = text.split("\n")
        self.value = value

    def source(self, line: int) -> str:
        """Return a line of the file by its number, from 1."""
        return source_line(self._lines, line)

    def rule_at(self, line: int, column: int) -> str:
        """Return the name of the rule at a position of the file, or an empty text."""
        rules = (self._root.members or {}).get("rules")
        items = rules[1].items if rules is not None else None
        before = [node for node in items or () if (node.line, node.column) <= (line, column)]
        after = [key for key, _ in (self._root.members or {}).values() if key.line <= line]
        if not before or max((key.line for key in after), default=0) > before[-1].line:
            return ""
        name = (before[-1].members or {}).get("name")
        return name[1].scalar if name is not None and isinstance(name[1].scalar, str) else ""

    def surprising_numbers(self) -> Iterator[tuple[int, int, str, Json]]:
        """Yield the numbers that may be meant as text: line, column, text in the file, and value."""
        for node in self._numbers:
            yield node.line, node.column, node.written, node.scalar

    def written(self, path: Path) -> str:
        """Return the number at `path` as it is written in the file; empty for any other value."""
        node: Node | None = self._root
        for part in path:
            if node is None:
                return ""
            if isinstance(part, int):
                node = node.items[part] if node.items is not None and part < len(node.items) else None
            else:
                node = node.members[part][1] if node.members is not None and part in node.members else None
        return node.written if node is not None else ""

    def position(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Return line and column, from 1, of the value at `path`, or of the nearest parent that exists.

        Args:
            path: Keys and indices from the root.
            key: Whether to return the position of the last key instead of its value.
        """
        node, found = self._root, (self._root.line, self._root.column)
        for part in path:
            if isinstance(part, int) and node.items is not None and part < len(node.items):
                node = node.items[part]
            elif node.members is not None and part in node.members:
                key_node, node = node.members[str(part)]
                if key or node.items is not None or node.members is not None:
                    found = (key_node.line, key_node.column)
                    continue
            else:
                break
            found = (node.line, node.column)
        return found

    def has(self, path: Path) -> bool:
        """Return whether there is a value at `path`."""
        try:
            self.at(path)
        except LookupError:
            return False
        return True

    def at(self, path: Path) -> Json:
        """Return the value at `path`.

        Raises:
            LookupError: There is no such value.
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
        file: The file's name, for the problems.

    Returns:
        The document, or None if it is not valid YAML; and every problem found.
    """
    if len(text) > MAX_CHARACTERS:
        message = f"the file has {len(text):,} characters, more than {MAX_CHARACTERS:,}"
        return None, [Problem(message, file, 1, 1, fix="write several rules as one, or delete some")]
    reader = Nodes(file)
    try:
        root = reader.read(text)
        value = _Plain().of(root)
    except Unreadable as unreadable:
        return None, [*reader.problems, _problem(text, file, unreadable)]
    except yaml.MarkedYAMLError as error:
        from shared.rules.yaml_slips import yaml_slip

        return None, [*reader.problems, _problem(text, file, yaml_slip(text, error, LOADER))]
    return Document(root, value, text, reader.numbers), reader.problems


def _problem(text: str, file: str, slip: "Slip | Unreadable") -> Problem:
    """Return the problem of a file that cannot be read; its rule is found in the text."""
    from shared.rules.yaml_position import rule_near

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


class _Plain:
    """Writes a node out as JSON, with its aliases and merges, up to `MAX_VALUES` values."""

    def __init__(self) -> None:
        self._count = 0

    def of(self, node: Node, depth: int = 0) -> Json:
        self._count += 1
        if depth > MAX_DEPTH:
            message = f"nested more than {MAX_DEPTH} levels deep"
            raise Unreadable(message, "nest less", node.line, node.column)
        if self._count > MAX_VALUES:
            message = f"the file's aliases make more than {MAX_VALUES:,} values"
            raise Unreadable(message, "write fewer of them", node.line, node.column)
        if node.items is not None:
            return [self.of(item, depth + 1) for item in node.items]
        if node.members is None:
            return node.scalar
        for merged in [each for given in node.merged for each in given.items or [given]]:
            if merged.members is None:
                message = "`<<` takes an object, or a list of objects"
                fix = "write an alias of an object, as in `<<: *base`"
                raise Unreadable(message, fix, merged.line, merged.column)
            self.of(merged, depth + 1)
            for name, entry in merged.members.items():
                node.members.setdefault(name, entry)
        node.merged.clear()
        return {name: self.of(value, depth + 1) for name, (_, value) in node.members.items()}
