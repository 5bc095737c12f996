"""Which rules `updraft explain` shows: `--rule`, `--matches`, and how many fit where there are many."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from shared.errors import UpdraftError
from shared.values.wording import did_you_mean

if TYPE_CHECKING:
    from cli.explain.explained import Explained

MOST_SHOWN: Final = 10
"""Rules that do not match and are shown each on a line of its own; more become one line with their number."""
_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Selection:
    """What `--rule` and `--matches` say.

    Attributes:
        patterns: Names of rules, in which `*` stands for any characters; empty for all rules.
        matches: Whether only the rules that match are shown.
    """

    patterns: tuple[str, ...]
    matches: bool

    def check(self, names: Sequence[str]) -> None:
        """Check that each pattern fits a rule.

        Args:
            names: The names of the rules.

        Raises:
            UpdraftError: One does not.
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
        """Return an event with the decisions of the rules that were named, or of all."""
        from shared.rules.wildcards import matches_any

        if not self.patterns:
            return explained
        decisions = [each for each in explained.decisions if matches_any(self.patterns, each.rule)]
        return replace(explained, decisions=decisions)

    def folded(self, explained: "Explained", most: int = MOST_SHOWN) -> "tuple[Explained, int]":
        """Leave out the rules that do not match, where that was asked for or too many were not named.

        Args:
            explained: The event.
            most: How many rules that do not match and were not named are too few to be left out.

        Returns:
            The event, and how many decisions were left out.
        """
        matched = [each for each in explained.decisions if each.matched]
        others = len(explained.decisions) - len(matched)
        if self.matches or (not self.patterns and others > most):
            return replace(explained, decisions=matched), others
        return explained, 0
