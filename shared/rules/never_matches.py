"""Rules that no event can ever match: what a filter contradicts, itself or another part of `when`.

Only what is certain is reported.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from shared.event import Event
from shared.rules.compiled import Rule
from shared.rules.filters import All, Comparison, Condition, Fields, contradiction
from shared.values.path_prefixes import begins_with_any

_BLANK: Final = Event(id="-", source="-", type="-")


def never_matches(rule: Rule) -> str | None:
    """Return why no event can match the rule, or None where one may."""
    if rule.condition is None:
        return None
    comparisons = list(certain_comparisons(rule.condition))
    return (
        contradiction(rule.condition)
        or _types_refused(rule, _of_attribute("type", comparisons))
        or _subjects_refused(rule, _of_attribute("subject", comparisons))
    )


def certain_comparisons(condition: Condition | None) -> Iterator[Comparison]:
    """Yield the comparisons that all have to hold, whatever else the condition asks."""
    if isinstance(condition, Comparison):
        yield condition
    elif isinstance(condition, All):
        for inner in condition.conditions:
            yield from certain_comparisons(inner)


def _of_attribute(name: str, comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons that look at an attribute of the event."""
    return [each for each in comparisons if (each.key.room, each.key.path) == ("attribute", (name,))]


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
            begins_with_any(subject, (begins,)) and subject.endswith(ends) for subject in subjects
        ):
            return f"`{listed}` lists no subject that `subject` lets through"
    return None
