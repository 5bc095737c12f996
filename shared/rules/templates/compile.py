"""Templates of rules.yaml, compiled once when the rules are loaded.

Most templates are a path, such as `{{ data.url }}`, alone or within text. This module compiles them into
dictionary look-ups. Only other templates need Jinja2 (`sandbox.py`), which makes a cold start longer. A
property test checks that both give the same values.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from shared.errors import TemplateError, UnusableValue
from shared.rules.templates.presence import blank_message, written_absence
from shared.rules.templates.scope import (
    MISSING,
    NAMES,
    absent_name,
    fixed_member_problem,
    member,
    missing_message,
)
from shared.values.json_text import Json
from shared.values.markdown_text import marked
from shared.values.reserved_keys import RESERVED_KEYS
from shared.values.storable import MAX_TEXT, clean_text, to_json, to_text

MAX_SOURCE: Final = 4_096
"""Characters of one template's source."""


_PATH = re.compile(r"\{\{[ \t]*([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)[ \t]*\}\}")

type Scope = Mapping[str, Any]
type Evaluate = Callable[[Scope], object]


@dataclass(frozen=True, slots=True)
class Template:
    """One compiled text of rules.yaml.

    Attributes:
        source: The text in rules.yaml.
        constant: Whether it is plain text, without expressions.
        evaluate: Makes the value from the scope; the value may not be storable yet.
    """

    source: str
    constant: bool
    evaluate: Evaluate

    def render(self, scope: Scope) -> Json:
        """Return the template's value for one event, as JSON that Airflow can store.

        Raises:
            TemplateError: The event lacks a value, or a limit is exceeded. The message names the template.
        """
        try:
            return to_json(self.evaluate(scope))
        except UnusableValue as error:
            raise TemplateError(f"`{_short(self.source)}`: {error}") from error.__cause__

    def render_text(self, scope: Scope) -> str:
        """Return the template's value as text, and a value of another type as JSON.

        Raises:
            TemplateError: As `render`.
        """
        return to_text(self.render(scope))


def compile_template(
    source: str, *, names: frozenset[str] = NAMES, key: bool = False, note: bool = False
) -> Template:
    """Compile one text of rules.yaml.

    Args:
        source: The text, with or without expressions.
        names: The names that it may use.
        key: Whether it makes a key, as `dedupe_by` does. Then a missing, null or empty value raises
            (`key_sandbox.py`).
        note: Whether it makes a run's note. Then the result is text, and the values of its expressions are
            marked for `note_text` (`values/markdown_text.py`).

    Raises:
        TemplateError: The template is wrong for every event.
    """
    if "{{" not in source and "{%" not in source and "{#" not in source:
        text = clean_text(source)
        return Template(source, constant=True, evaluate=lambda _: text)
    if len(source) > MAX_SOURCE:
        raise TemplateError(
            f"the template is {len(source):,} characters long, more than {MAX_SOURCE:,}; make it shorter"
        )
    evaluate = _paths_alone(source, names, key=key, note=note) or _jinja(source, names, key=key, note=note)
    return Template(source, constant=False, evaluate=evaluate)


@lru_cache(maxsize=1_024)
def _jinja(source: str, names: frozenset[str], *, key: bool, note: bool = False) -> Evaluate:
    """Compile with Jinja2, which takes about 1 ms, so the same template in many rules is compiled once."""
    from shared.rules.templates.sandbox import compile_with_jinja, note_dialect

    if not key:
        return compile_with_jinja(source, names, note_dialect() if note else None)
    from shared.rules.templates.key_sandbox import key_dialect

    return compile_with_jinja(source, names, key_dialect())


def _paths_alone(
    source: str, names: frozenset[str] = NAMES, *, key: bool = False, note: bool = False
) -> Evaluate | None:
    """Compile a template of only text and paths; return None for any other."""
    stripped = source.strip()
    only = _PATH.fullmatch(stripped)
    if only and not note:
        return _path(only[1], names, key=key)
    pieces: list[str | Evaluate] = []
    for index, piece in enumerate(_PATH.split(source)):
        if index % 2 == 0:
            if "{" in piece or "}}" in piece or "\n" in piece or "\r" in piece:
                return None  # Jinja has rules for these in text
            pieces.append(piece)
        else:
            path = _path(piece, names, key=key)
            if path is None:
                return None
            pieces.append(path)
    return _text_of(pieces, marked_value if note else to_text)


def _path(dotted: str, names: frozenset[str], *, key: bool) -> Evaluate | None:
    """Compile `a.b.c`; return None if the first name is unknown or a keyword, for Jinja to decide."""
    first, *rest = dotted.split(".")
    if first not in names:
        return None
    problem = fixed_member_problem(first, rest[0]) if rest else None
    if problem:
        raise TemplateError(problem)

    def evaluate(scope: Scope) -> object:
        value: object = scope.get(first, MISSING)
        if value is MISSING:
            raise TemplateError(absent_name(first, names))
        for position, name in enumerate(rest):
            inner = member(value, name)
            if inner is MISSING:
                raise TemplateError(missing_message(value, name, of=".".join([first, *rest[:position]])))
            value = inner
        if key and (lacks := written_absence(value)):
            raise TemplateError(blank_message(f"`{dotted}`", lacks))
        return value

    return evaluate


def marked_value(value: object) -> str:
    """Return a value as marked text for a note."""
    return marked(to_text(value))


def _text_of(pieces: Sequence[str | Evaluate], write: Callable[[object], str]) -> Evaluate:
    def evaluate(scope: Scope) -> object:
        texts: list[str] = []
        size = 0
        for piece in pieces:
            texts.append(piece if isinstance(piece, str) else write(piece(scope)))
            size += len(texts[-1])
            if size > MAX_TEXT:
                raise TemplateError(f"writes more than {MAX_TEXT:,} characters")
        return "".join(texts)

    return evaluate


@dataclass(frozen=True, slots=True)
class JsonTemplate:
    """A JSON value whose texts are templates, such as `start.conf`."""

    evaluate: Callable[[Scope], Json]

    def render(self, scope: Scope) -> Json:
        """Return the value for one event.

        Raises:
            TemplateError: A template cannot be rendered. The message has its path and its source.
        """
        return self.evaluate(scope)


def compile_json(
    value: Json,
    report: Callable[[tuple[str | int, ...], str], None],
    path: tuple[str | int, ...] = (),
    *,
    names: frozenset[str] = NAMES,
) -> JsonTemplate:
    """Compile every text within a JSON value.

    Args:
        value: The value in rules.yaml.
        report: Takes each error: its path, and what is wrong.
        path: The path of `value`.
        names: The names that the templates may use.
    """
    if isinstance(value, dict):
        for name in sorted(RESERVED_KEYS & value.keys()):
            report((*path, name), f"Airflow 3.4 and newer refuse the key `{name}` in a conf; rename it")
        members = {
            clean_text(name): compile_json(item, report, (*path, name), names=names)
            for name, item in value.items()
        }
        return JsonTemplate(lambda scope: {name: item.evaluate(scope) for name, item in members.items()})
    if isinstance(value, list):
        items = [compile_json(item, report, (*path, index), names=names) for index, item in enumerate(value)]
        return JsonTemplate(lambda scope: [item.evaluate(scope) for item in items])
    if isinstance(value, str):
        try:
            template = compile_template(value, names=names)
        except TemplateError as error:
            report(path, str(error))
            return JsonTemplate(lambda _: None)
        place = ".".join(str(part) for part in path)
        return JsonTemplate(lambda scope: _at(place, template, scope))
    return JsonTemplate(lambda _: value)


def _at(place: str, template: Template, scope: Scope) -> Json:
    try:
        return template.render(scope)
    except TemplateError as error:
        raise TemplateError(f"{place}: {error}") from error.__cause__


def _short(source: str) -> str:
    flat = " ".join(source.split())
    return flat if len(flat) <= 80 else flat[:79] + "…"
