"""From rules to the filter of an Event Grid subscription that lets through what they need, and little more.

It may let through too much, never too little: an event that a rule matches always passes. So it holds only
what is certain for both schemas and for every rule at once: types, the subject's common beginning and end,
and comparisons of `data` whose semantics Event Grid documents. Event Grid's limits: 25 advanced filters,
25 values over all of them, 512 characters a value
(https://learn.microsoft.com/azure/event-grid/event-filtering#limitations).
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from shared.rules.compiled import Rule
from shared.rules.filters import Compares, Comparison, Condition, certain_comparisons
from shared.values.json_text import Json, JsonObject

MAX_FILTERS: Final = 25
MAX_VALUES: Final = 25
MAX_CHARACTERS: Final = 512

_DOCUMENTED: Final = frozenset(
    {
        *("NumberGreaterThan", "NumberGreaterThanOrEquals", "NumberLessThan", "NumberLessThanOrEquals"),
        *("NumberIn", "NumberNotIn", "NumberInRange", "BoolEquals"),
        *("StringContains", "StringBeginsWith", "StringEndsWith", "StringIn", "StringNotIn"),
    }
)
"""Operators that Event Grid documents for scalars, arrays and missing keys alike: it decides as we do."""


def subscription_filter(rules: Sequence[Rule]) -> JsonObject:
    """Return the `filter` of an Event Grid subscription for some rules together.

    Args:
        rules: At least one rule.
    """
    found: JsonObject = {}
    types = _types(rules)
    if types:
        found["includedEventTypes"] = [*types]
    begins, ends = _subject(rules)
    if begins:
        found["subjectBeginsWith"] = begins
    if ends:
        found["subjectEndsWith"] = ends
    found["isSubjectCaseSensitive"] = False
    advanced = _advanced(rules)
    if advanced:
        found["enableAdvancedFilteringOnArrays"] = True
        found["advancedFilters"] = [*advanced]
    return found


def _types(rules: Sequence[Rule]) -> list[str]:
    """Return every type; none where a rule takes a family, which Event Grid cannot say."""
    if any(rule.any_type or rule.type_families for rule in rules):
        return []
    names: dict[str, str] = {}
    for rule in rules:
        for name in rule.spec.when.types or ():
            names.setdefault(name.lower(), name)
    canonical = _canonical_types()
    return [canonical.get(lowered, name) for lowered, name in names.items()]


def _canonical_types() -> dict[str, str]:
    """Return Azure's own event types in their own letter case: Event Grid compares types exactly."""
    from azure.eventgrid import SystemEventNames

    return {name.value.lower(): name.value for name in SystemEventNames}


def _subject(rules: Sequence[Rule]) -> tuple[str, str]:
    """Return how the subjects of all rules begin and end, as far as they have it in common."""
    wanted = [rule.spec.when.subject for rule in rules]
    begins = [(each.begins_with or "").removesuffix("*") if each else "" for each in wanted]
    ends = [(each.ends_with or "") if each else "" for each in wanted]
    first = _common(begins)[:MAX_CHARACTERS]
    last = _common([text[::-1] for text in ends])[:MAX_CHARACTERS][::-1]
    return first, last


def _common(texts: Sequence[str]) -> str:
    """Return the common beginning, letter case aside, in the first text's letter case."""
    lowered = [text.lower() for text in texts]
    if any(len(low) != len(text) for low, text in zip(lowered, texts, strict=True)):
        return texts[0] if len(set(texts)) == 1 else ""
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*lowered, strict=False))
    return texts[0][: len(list(same))]


def _advanced(rules: Sequence[Rule]) -> list[JsonObject]:
    """Return the comparisons that every rule makes, widened to what any of them lets through."""
    by_rule = [_comparisons(rule.condition) for rule in rules]
    filters: list[JsonObject] = []
    values_left = MAX_VALUES
    for shape in by_rule[0]:
        same = [each[shape] for each in by_rule if shape in each]
        values = _widened(same) if len(same) == len(by_rule) else None
        if not values or len(filters) == MAX_FILTERS or not _short(values):
            continue
        cost = len(values) * (2 if same[0].operator.compares is Compares.RANGES else 1)
        if cost > values_left:
            continue
        values_left -= cost
        many = same[0].operator.many
        member: JsonObject = {"values": values} if many else {"value": values[0]}
        filters.append({"operatorType": same[0].operator.name, "key": same[0].key.text, **member})
    return filters


def _comparisons(condition: Condition | None) -> dict[tuple[str, str], Comparison]:
    """Return what certainly has to hold and Event Grid can decide: by key and operator, the first of each."""
    found: dict[tuple[str, str], Comparison] = {}
    for each in certain_comparisons(condition):
        portable = (
            each.key.group == "data" and each.key.text.lower() == "data." + ".".join(each.key.path).lower()
        )
        if portable and each.operator.name in _DOCUMENTED and all("." not in name for name in each.key.path):
            found.setdefault((".".join(each.key.path), each.operator.name), each)
    return found


def _widened(same: Sequence[Comparison]) -> list[Json] | None:
    """Return values with which the operator lets through what any of the comparisons does."""
    if same[0].operator.negative:
        kept = [value for value in same[0].values if all(value in each.values for each in same)]
        return kept or None
    if same[0].operator.many:
        union: list[Json] = []
        for each in same:
            union.extend(value for value in each.values if value not in union)
        return union
    first = same[0].values
    return [*first] if all(each.values == first for each in same) else None


def _short(values: Sequence[Json]) -> bool:
    return all(not isinstance(value, str) or 0 < len(value) <= MAX_CHARACTERS for value in values)
