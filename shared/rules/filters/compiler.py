"""Compiles the `filter` of a rule, and collects all its errors."""

from collections.abc import Sequence
from typing import Final

from shared.errors import ConfigurationError
from shared.event.members import kind, shown
from shared.rules.filters.comparisons import Mistake, Path, Problems, compile_comparison, unknown
from shared.rules.filters.conditions import All, Any, Condition, Not
from shared.rules.problems import path_text
from shared.values.json_text import Json, JsonObject

MAX_DEPTH: Final = 50
"""Levels of nested lists, `all`, `any` and `not`."""

_GROUPS: Final = ("all", "any", "not")
_SUBSCRIPTION: Final = ("filter", "advancedFilters", "enableAdvancedFilteringOnArrays")
_SUBSCRIPTION_MEMBERS: Final = {name.lower() for name in _SUBSCRIPTION}
_BELONG_ELSEWHERE: Final = {
    "includedeventtypes": "when.types",
    "subjectbeginswith": "when.subject.begins_with",
    "subjectendswith": "when.subject.ends_with",
    "issubjectcasesensitive": "when.subject.case_sensitive",
}


class FilterError(ConfigurationError):
    """A filter with errors.

    Attributes:
        problems: The errors, each with its path in the filter (member names and indices).
    """

    def __init__(self, problems: Sequence[tuple[Path, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "\n".join(f"{path_text(path) or 'filter'}: {message}" for path, message in self.problems)
        )


def compile_filter(spec: Json) -> Condition:
    """Return the condition that a filter describes. docs/filters.md has the forms of a filter.

    Args:
        spec: The filter as decoded YAML or JSON.

    Raises:
        FilterError: The filter has errors; it contains all of them.
    """
    compiler = _Compiler()
    condition = compiler.compile(spec, ())
    if compiler.problems.found or condition is None:
        raise FilterError(compiler.problems.found)
    return condition


class _Compiler:
    """Compiles one filter and collects its errors; a part with an error becomes None."""

    def __init__(self) -> None:
        self.problems = Problems()
        self.arrays = True

    def compile(self, spec: Json, path: Path) -> Condition | None:
        """Compile any filter."""
        return self.problems.attempt(self._compile, spec, path)

    def _compile(self, spec: Json, path: Path) -> Condition | None:
        if len(path) > MAX_DEPTH:
            raise Mistake(path, f"the filter is nested more than {MAX_DEPTH} levels deep; nest less")
        if isinstance(spec, list):
            return self._all(spec, path)
        if not isinstance(spec, dict):
            raise Mistake(
                path,
                f"a filter is an object or a list of them, and this is {kind(spec)}; write it as in "
                "`{operatorType: StringIn, key: data.targetSlot, values: [production]}`",
            )
        names = {str(name).lower(): name for name in spec}
        if not names.keys().isdisjoint(_SUBSCRIPTION_MEMBERS):
            return self._subscription(spec, names, path)
        if not names.keys().isdisjoint(_GROUPS):
            return self._groups(spec, path)
        return compile_comparison(spec, path, self.problems, arrays=self.arrays)

    def _all(self, specs: list[Json], path: Path) -> Condition:
        conditions = self._each(specs, path)
        return conditions[0] if len(conditions) == 1 else All(conditions)

    def _each(self, specs: list[Json], path: Path) -> tuple[Condition, ...]:
        compiled = [self.compile(spec, (*path, index)) for index, spec in enumerate(specs)]
        return tuple(condition for condition in compiled if condition is not None)

    def _subscription(self, spec: JsonObject, names: dict[str, str], path: Path) -> Condition | None:
        """Compile the filter object of an Event Grid subscription, or the object around it."""
        for lower, name in names.items():
            if lower in _BELONG_ELSEWHERE:
                place = _BELONG_ELSEWHERE[lower]
                self.problems.add(
                    (*path, name), f"`{name}` does not belong in a filter; write it as `{place}`"
                )
            elif lower not in _SUBSCRIPTION_MEMBERS:
                self.problems.add((*path, name), unknown(name, _SUBSCRIPTION))
        if "filter" in names:
            return self.compile(spec[names["filter"]], (*path, names["filter"]))
        outer = self.arrays
        switch = names.get("enableadvancedfilteringonarrays")
        if switch is not None:
            value = spec[switch]
            if not isinstance(value, bool):
                raise Mistake(
                    (*path, switch),
                    f"`{switch}` is true or false, and this is {shown(value)}; write `true` or `false`",
                )
            self.arrays = value
        name = names.get("advancedfilters", "advancedFilters")
        filters = spec.get(name, [])
        if not isinstance(filters, list):
            raise Mistake(
                (*path, name),
                f"`{name}` is a list of filters, and this is {kind(filters)}; write `- ` before each filter",
            )
        condition = self._all(filters, (*path, name))
        self.arrays = outer
        return condition

    def _groups(self, spec: JsonObject, path: Path) -> Condition:
        """Compile `all`, `any` and `not`; if an object has several of them, all must hold."""
        parts: list[Condition] = []
        for name, inner in spec.items():
            group, here = str(name).lower(), (*path, name)
            if group not in _GROUPS:
                self.problems.add(here, unknown(str(name), _GROUPS))
            elif group == "not":
                condition = self.compile(inner, here)
                parts += [] if condition is None else [Not(condition)]
            elif not isinstance(inner, list) or not inner:
                self.problems.add(
                    here,
                    f"`{name}` is a list of at least one filter, and this is {shown(inner)}; write `- ` "
                    "before each filter",
                )
            else:
                conditions = self._each(inner, here)
                parts.append(All(conditions) if group == "all" else Any(conditions))
        return parts[0] if len(parts) == 1 else All(tuple(parts))
