"""Selects the rules that `updraft explain` shows: `--rule`, `--matches`, and a limit for long rules files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from shared.errors import UpdraftError
from shared.values.wording import did_you_mean

if TYPE_CHECKING:
    from cli.explain.explained import Explained

MOST_SHOWN: Final = 10
"""The most rules without a match that are shown each on a line; more are one line with their number."""
_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Selection:
    """The values of `--rule` and `--matches`.

    Attributes:
        patterns: Names of rules, in which `*` stands for any characters; empty for all rules.
        matches: Whether only the rules that match are shown.
    """

    patterns: tuple[str, ...]
    matches: bool

    def check(self, names: Sequence[str]) -> None:
        """Check that each pattern fits at least one rule.

        Args:
            names: The names of the rules.

        Raises:
            UpdraftError: A pattern fits no rule.
        """
        from shared.rules.wildcards import matches

        for pattern in self.patterns:
            if not any(matches(pattern, name) for name in names):
                more = len(names) - _NAMED
                there = ", ".join(islice(names, _NAMED)) or "none"
                rest = f" and {more} more" if more > 0 else ""
                near = did_you_mean(pattern, names)
                raise UpdraftError(f"there is no rule `{pattern}`{near}; there are {there}{rest}")

    def of(self, explained: "Explained") -> "Explained":
        """Return an event with the decisions of the named rules, or of all rules."""
        from shared.rules.wildcards import matches_any

        if not self.patterns:
            return explained
        decisions = [each for each in explained.decisions if matches_any(self.patterns, each.rule)]
        return replace(explained, decisions=decisions)

    def folded(self, explained: "Explained", most: int = MOST_SHOWN) -> "tuple[Explained, int]":
        """Leave out the rules that do not match, if `--matches` is given or there are too many.

        Args:
            explained: The event.
            most: The most rules without a match that are shown if no rule is named.

        Returns:
            The event, and how many decisions were left out.
        """
        matched = [each for each in explained.decisions if each.matched]
        others = len(explained.decisions) - len(matched)
        if self.matches or (not self.patterns and others > most):
            return replace(explained, decisions=matched), others
        return explained, 0
