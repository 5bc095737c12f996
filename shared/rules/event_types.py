"""Checks of the event types in a rule: misspelt types, and `app` if no event of the types has it."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from shared.errors import TemplateError
from shared.rules.compiled import Rule
from shared.rules.filters import certain_comparisons
from shared.rules.model.rule import RuleSpec
from shared.rules.problems import Mistakes
from shared.rules.templates import BURST_NAMES, NAMES, compile_template
from shared.rules.yaml_document import Path
from shared.values.json_text import Json, JsonObject

_ALLOWS_ABSENCE: Final = re.compile(r"\bapp(?:\.\w+)?\s+is\s+(?:not\s+)?(?:un)?defined\b")
_PROVIDER: Final = re.compile(r"/providers/(microsoft\.[a-z]+)/", re.IGNORECASE)
_TYPE_KEYS: Final = frozenset({"type", "eventtype"})


def warn_of_types(rule: Rule, path: Path, mistakes: Mistakes) -> None:
    """Warn of each event type that no service is known to emit.

    Args:
        rule: The rule.
        path: The rule's path.
        mistakes: Takes the warnings.
    """
    for index, name in enumerate(rule.spec.when.types or ()):
        _warn(name, (*path, "when", "types", index), mistakes)
    for comparison, place in _comparisons(rule.spec.when.filter, (*path, "when", "filter")):
        members = {name.lower(): value for name, value in comparison.items()}
        operator = members.get("operatortype") or members.get("operator")
        if str(members.get("key")).lower() not in _TYPE_KEYS or str(operator).lower() != "stringin":
            continue
        name = next((name for name in comparison if name.lower() in {"values", "value"}), "")
        listed = comparison.get(name)
        if isinstance(listed, list):
            for index, value in enumerate(listed):
                _warn(value, (*place, name, index), mistakes)
        else:
            _warn(listed, (*place, name), mistakes)


def refuse_app(rule: Rule, path: Path, mistakes: Mistakes) -> None:
    """Refuse `app.…` in a rule whose events never have it, except in templates that handle its absence.

    Args:
        rule: The rule.
        path: The rule's path.
        mistakes: Takes the errors.
    """
    places = list(_app_keys(rule.spec.when.filter, (*path, "when", "filter")))
    naming = [(place, source) for place, source in _templates(rule.spec, path) if "app" in source]
    # Check the types before the templates: templates may need Jinja, which most rules do not.
    why = _why_no_app(rule) if places or naming else None
    if why is None:
        return
    names = NAMES if rule.spec.coalesce is None else BURST_NAMES
    for place in (*places, *(place for place, source in naming if _needs_app(source, names))):
        mistakes.add(
            place,
            f"only events about a web app have `app`, and {why}; write the event's own data, as in "
            "`data.name` (docs/events.md has the events with `app`)",
        )


def _why_no_app(rule: Rule) -> str | None:
    """Return why no event that a rule can match has app facts, or None if one may have them.

    It uses only what is certain: the types and sources of services that are not about web apps.
    """
    from shared.rules.known_types import never_about_a_site

    if rule.spec.when.types and all(map(never_about_a_site, rule.spec.when.types)):
        return "no event of these `types` is about a web app"
    for comparison in certain_comparisons(rule.condition):
        if (comparison.key.group, comparison.key.path) != ("attribute", ("type",)):
            continue
        star = {"StringIn": "", "StringBeginsWith": "*"}.get(comparison.operator.name)
        if star is not None and all(never_about_a_site(f"{name}{star}") for name in comparison.values):
            return f"no event of the types in `{comparison}` is about a web app"
    providers = [_PROVIDER.search(source) for source in rule.sources]
    if providers and all(found and never_about_a_site(f"{found[1]}.*") for found in providers):
        return "no event of these `sources` is about a web app"
    return None


def _needs_app(source: str, names: frozenset[str]) -> bool:
    """Return whether a template cannot be rendered without `app`.

    Args:
        source: The template.
        names: The names that it may use, with `app`.
    """
    if "{" not in source or _ALLOWS_ABSENCE.search(source):
        return False
    try:
        compile_template(source, names=names)
    except TemplateError:
        return False  # this error is reported elsewhere
    try:
        compile_template(source, names=names - {"app"})
    except TemplateError:
        return True
    return False


def _app_keys(spec: Json, path: Path) -> Iterator[Path]:
    """Yield the path of each key of a filter that begins with `app`."""
    for comparison, place in _comparisons(spec, path):
        name = next((name for name in comparison if name.lower() == "key"), None)
        key = comparison.get(name or "")
        if isinstance(key, str) and key.lower().startswith("app."):
            yield (*place, name or "")


def _templates(spec: RuleSpec, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the templates of a rule, each with its path."""
    start = spec.start
    found = {
        ("start", "note"): start.note,
        ("start", "logical_date"): start.logical_date,
        ("start", "run_after"): start.run_after,
        ("dedupe_by",): spec.dedupe_by,
        ("latest_by",): spec.latest_by,
        ("coalesce", "by"): spec.coalesce.by if spec.coalesce is not None else None,
    }
    yield from (((*path, *place), source) for place, source in found.items() if source is not None)
    yield from _texts(start.conf, (*path, "start", "conf"))


def _texts(value: Json, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, (dict, list)):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(item, (*path, step))


def _comparisons(spec: Json, path: Path) -> Iterator[tuple[JsonObject, Path]]:
    """Yield each comparison of a filter with its path."""
    if isinstance(spec, list):
        for index, inner in enumerate(spec):
            yield from _comparisons(inner, (*path, index))
    elif isinstance(spec, dict):
        if any(name.lower() == "key" for name in spec):
            yield spec, path
        for name, inner in spec.items():
            if name.lower() not in {"value", "values"}:
                yield from _comparisons(inner, (*path, name))


def _warn(name: Json, path: Sequence[str | int], mistakes: Mistakes) -> None:
    if not isinstance(name, str) or not name.lower().startswith("mi"):
        return
    from shared.rules.known_types import doubt

    reason = doubt(name)
    if reason is not None:
        mistakes.warn(path, reason)
