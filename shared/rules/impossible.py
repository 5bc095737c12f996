"""Rules that no event can ever match: contradictions that can be proved without an event.

Only what is certain is reported. A key in `data` may hold an array, of which one member can satisfy one
comparison and another member the next; so there only negative comparisons count as contradictions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from shared.event import Event
from shared.filters import All, Comparison, Condition, Fields
from shared.json_types import Json
from shared.rules.rule import Rule

_BLANK: Final = Event(id="-", source="-", type="-")
_LISTS: Final = frozenset({"StringIn", "NumberIn"})


def never_matches(rule: Rule) -> str | None:
    """Return why no event can match the rule, or None where one may."""
    comparisons = list(certain_comparisons(rule.condition))
    by_key: dict[tuple[str, tuple[str, ...]], list[Comparison]] = {}
    for comparison in comparisons:
        by_key.setdefault((comparison.key.room, comparison.key.path), []).append(comparison)
    for same in by_key.values():
        reason = _null_and_not(same) or _list_exhausted(same)
        if reason:
            return reason
    return _types_refused(rule, by_key.get(("attribute", ("type",)), ())) or _subjects_refused(
        rule, by_key.get(("attribute", ("subject",)), ())
    )


def certain_comparisons(condition: Condition | None) -> Iterator[Comparison]:
    """Yield the comparisons that all have to hold, whatever else the condition asks."""
    if isinstance(condition, Comparison):
        yield condition
    elif isinstance(condition, All):
        for inner in condition.conditions:
            yield from certain_comparisons(inner)


def _null_and_not(same: Sequence[Comparison]) -> str | None:
    null = next((each for each in same if each.operator.name == "IsNullOrUndefined"), None)
    other = next((each for each in same if not each.operator.missing), None)
    if null is None or other is None:
        return None
    return f"`{null}` and `{other}` never hold together"


def _list_exhausted(same: Sequence[Comparison]) -> str | None:
    """Find a list of values each of which another comparison of the key refuses."""
    for listed in same:
        if listed.operator.name not in _LISTS:
            continue
        others = [
            each
            for each in same
            if each is not listed and (each.operator.negative or each.key.room == "attribute")
        ]
        if others and not any(
            all(each.holds(_fields_with(each, value)) for each in others) for value in listed.values
        ):
            return f"`{listed}` and `{'`, `'.join(str(each) for each in others)}` never hold together"
    return None


def _fields_with(comparison: Comparison, value: Json) -> Fields:
    """Return an event's fields in which the comparison's key has a value."""
    key = comparison.key
    if key.room == "attribute":
        return Fields(replace(_BLANK, **{key.path[0]: str(value)}))  # type: ignore[arg-type] # a text attribute
    if key.room == "extension":
        return Fields(replace(_BLANK, extensions={key.path[0]: value}))
    data = value
    for name in reversed(key.path):
        data = {name: data}
    return Fields(replace(_BLANK, data=data))


def _types_refused(rule: Rule, comparisons: Sequence[Comparison]) -> str | None:
    """Find a rule whose filter refuses every one of its own types."""
    if rule.any_type or rule.type_families or not comparisons:
        return None
    events = [Fields(replace(_BLANK, type=name)) for name in rule.exact_types]
    if any(all(each.holds(fields) for each in comparisons) for fields in events):
        return None
    return f"the filter `{'`, `'.join(str(each) for each in comparisons)}` refuses every one of `types`"


def _subjects_refused(rule: Rule, comparisons: Sequence[Comparison]) -> str | None:
    """Find a rule whose filter lists subjects none of which begins or ends as `subject` wants."""
    wanted = rule.spec.when.subject
    if wanted is None:
        return None
    begins, ends = (wanted.begins_with or "").lower(), (wanted.ends_with or "").lower()
    for listed in comparisons:
        subjects = [str(value).lower() for value in listed.values]
        if listed.operator.name == "StringIn" and not any(
            subject.startswith(begins) and subject.endswith(ends) for subject in subjects
        ):
            return f"`{listed}` lists no subject that `subject` lets through"
    return None
