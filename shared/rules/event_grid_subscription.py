"""The narrowest filter of an Event Grid subscription that loses no event that the rules need.

Every event that a rule matches must pass. So the filter has only conditions that are certain for both schemas
and for all rules together: types, the subject's common beginning and end, and comparisons of `data` whose
results Event Grid documents. Event Grid's limits are 25 advanced filters, 25 values in all of them together,
and 512 characters for a value (https://learn.microsoft.com/azure/event-grid/event-filtering#limitations).
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
"""Operators that Event Grid documents for scalars, arrays and missing keys, with the same results as ours."""


def subscription_filter(rules: Sequence[Rule]) -> JsonObject:
    """Return the `filter` of an Event Grid subscription for several rules.

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
    """Return every type; empty if a rule accepts a family, which Event Grid cannot express."""
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
    """Return the common beginning and end of the subjects of all rules."""
    wanted = [rule.spec.when.subject for rule in rules]
    begins = [(each.begins_with or "").removesuffix("*") if each else "" for each in wanted]
    ends = [(each.ends_with or "") if each else "" for each in wanted]
    first = _common(begins)[:MAX_CHARACTERS]
    last = _common([text[::-1] for text in ends])[:MAX_CHARACTERS][::-1]
    return first, last


def _common(texts: Sequence[str]) -> str:
    """Return the common beginning in any letter case, in the first text's letter case."""
    lowered = [text.lower() for text in texts]
    if any(len(low) != len(text) for low, text in zip(lowered, texts, strict=True)):
        return texts[0] if len(set(texts)) == 1 else ""
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*lowered, strict=False))
    return texts[0][: len(list(same))]


def _advanced(rules: Sequence[Rule]) -> list[JsonObject]:
    """Return the comparisons that all rules have, widened to pass what any of the rules passes."""
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
    """Return the comparisons that must hold and that Event Grid supports, by key and operator."""
    found: dict[tuple[str, str], Comparison] = {}
    for each in certain_comparisons(condition):
        portable = (
            each.key.group == "data" and each.key.text.lower() == "data." + ".".join(each.key.path).lower()
        )
        if portable and each.operator.name in _DOCUMENTED and all("." not in name for name in each.key.path):
            found.setdefault((".".join(each.key.path), each.operator.name), each)
    return found


def _widened(same: Sequence[Comparison]) -> list[Json] | None:
    """Return values with which the operator passes what any of the comparisons passes."""
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
