"""Whether one event matches one rule, and which condition failed on which value."""

from collections.abc import Sequence
from typing import Final

from shared.event import Event
from shared.rules import Rule
from shared.rules.filters import Fields
from shared.values.path_prefixes import begins_with_any, has_dot_segments
from shared.values.wording import one_of, shown

NOT_ENABLED: Final = "the rule is not enabled"


class Matching:
    """One event for the conditions of several rules; values that several rules need are computed once.

    Attributes:
        event: The event.
        fields: Its fields for filters.
    """

    __slots__ = ("_source", "_type", "event", "fields")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.fields = Fields(event)
        self._type = event.type.lower()
        self._source = event.source.lower()

    def failure(self, rule: Rule) -> str | None:
        """Return the first condition of a rule that fails, with the value of the event; None if all hold."""
        return (
            self._enabled_failure(rule)
            or self._type_failure(rule)
            or self._origin_failure(rule)
            or self._filter_failure(rule)
        )

    def holds_after_types(self, rule: Rule) -> bool:
        """Return whether all conditions except `types` hold; the index of the rules checks `types`."""
        return (
            rule.enabled
            and self._origin_failure(rule) is None
            and (rule.condition is None or rule.condition.holds(self.fields))
        )

    def steps_held(self, rule: Rule) -> int:
        """Return how many conditions after `types`, in the fixed order, hold before one fails.

        `enabled` does not count: a disabled rule whose other conditions hold is the nearest rule.
        """
        steps = (self._via_failure, self._source_failure, self._subject_failure, self._filter_failure)
        return next((number for number, step in enumerate(steps) if step(rule) is not None), len(steps))

    def _enabled_failure(self, rule: Rule) -> str | None:
        return None if rule.enabled else NOT_ENABLED

    def _type_failure(self, rule: Rule) -> str | None:
        if rule.any_type or self._type in rule.exact_types or self._type.startswith(rule.type_families):
            return None
        return f"type is {shown(self.event.type)}, not {one_of(rule.spec.when.types or [])}"

    def _origin_failure(self, rule: Rule) -> str | None:
        """Return the first of `via`, `sources` and `subject` that fails; None if all hold."""
        return self._via_failure(rule) or self._source_failure(rule) or self._subject_failure(rule)

    def _via_failure(self, rule: Rule) -> str | None:
        if not rule.via or self.event.via in rule.via:
            return None
        seen = "unknown (--via sets it)" if self.event.via == "unknown" else f"`{self.event.via}`"
        return f"via is {seen}, not {one_of(sorted(rule.via))}"

    def _source_failure(self, rule: Rule) -> str | None:
        if not rule.sources or begins_with_any(self._source, rule.sources):
            return None
        wanted = one_of(rule.spec.when.sources or [])
        reason = _not_begun(self._source, rule.sources)
        return f"source is {shown(self.event.source)}, which {reason} {wanted}"

    def _subject_failure(self, rule: Rule) -> str | None:
        wanted = rule.spec.when.subject
        if wanted is None:
            return None
        subject = self.event.subject
        if subject is None:
            return "the event has no subject"
        seen = subject if wanted.case_sensitive else subject.lower()
        begins, ends = (
            part if part is None or wanted.case_sensitive else part.lower()
            for part in (wanted.begins_with, wanted.ends_with)
        )
        if begins is not None and not begins_with_any(seen, (begins,)):
            reason = _not_begun(seen, (begins,))
            return f"subject is {shown(subject)}, which {reason} `{wanted.begins_with}`"
        if ends is not None and not seen.endswith(ends):
            return f"subject is {shown(subject)}, which does not end with `{wanted.ends_with}`"
        return None

    def _filter_failure(self, rule: Rule) -> str | None:
        return rule.condition.failure(self.fields) if rule.condition is not None else None


def _not_begun(path: str, beginnings: Sequence[str]) -> str:
    """Return why a path does not match the beginnings of a rule."""
    if not path.startswith(tuple(each.removesuffix("*") for each in beginnings)):
        return "does not begin with"
    if has_dot_segments(path):
        return "has a segment `.` or `..`, so it may not be below"
    return "continues the last segment of"
