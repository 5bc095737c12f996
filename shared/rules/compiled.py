"""Compiled rules, made once when rules.yaml is loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.errors import Problem
from shared.event.via import Via
from shared.rules.filters import Condition
from shared.rules.model.callers import CallerSpec
from shared.rules.model.connection import Connection
from shared.rules.model.rule import RuleSpec
from shared.rules.templates import JsonTemplate, Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One compiled rule.

    Attributes:
        name: The rule's name.
        description: The rule's description.
        enabled: Whether the rule is enabled.
        spec: The rule in rules.yaml.
        exact_types: The whole type names that it accepts, in lower case.
        type_families: The beginnings of type names that it accepts, in lower case.
        sources: The beginnings of sources that it accepts, in lower case, as `path_prefixes` compares them;
            empty: any.
        via: The channels that it accepts; empty: any.
        condition: Its filter, if it has one.
        connection: The name of the connection in which its runs are started.
        conf: The template of its runs' conf.
        note: The template of its runs' note, if it has one.
        logical_date: The template of its runs' logical date, if it has one.
        run_after: The template of its runs' earliest start, if it has one.
        dedupe_by: The template of its runs' identity, if it is not the event's.
        latest_by: The template of the ordering key, if it has one.
        coalesce_by: The template of the key of bursts, if it collects them.
    """

    name: str
    description: str
    enabled: bool
    spec: RuleSpec
    exact_types: frozenset[str]
    type_families: tuple[str, ...]
    sources: tuple[str, ...]
    via: frozenset[Via]
    condition: Condition | None
    connection: str
    conf: JsonTemplate
    note: Template | None
    logical_date: Template | None
    run_after: Template | None
    dedupe_by: Template | None
    latest_by: Template | None
    coalesce_by: Template | None

    @property
    def any_type(self) -> bool:
        """Whether the rule accepts events of every type."""
        return not self.exact_types and not self.type_families


@dataclass(frozen=True, slots=True)
class Rules:
    """All of rules.yaml.

    Attributes:
        connections: The Airflows, by name.
        rules: Every rule in the file's order, also disabled ones.
        vaults: The addresses of further Key Vaults, by name.
        callers: Who may call over HTTP, each with its connection.
        ordered: Whether a rule orders events, by `latest_by` or in windows.
        warnings: The parts of the file that may be errors.
    """

    connections: Mapping[str, Connection]
    rules: tuple[Rule, ...]
    vaults: Mapping[str, str] = field(default_factory=dict)
    callers: tuple[CallerSpec, ...] = ()
    warnings: tuple[Problem, ...] = field(default=(), compare=False)
    _by_type: Mapping[str, Sequence[int]] = field(init=False, repr=False, compare=False)
    _by_family: Mapping[str, Sequence[int]] = field(init=False, repr=False, compare=False)
    _family_lengths: tuple[int, ...] = field(init=False, repr=False, compare=False)
    ordered: bool = field(init=False, compare=False)
    _for_all: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _by_name: Mapping[str, Rule] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_type: dict[str, list[int]] = {}
        by_family: dict[str, list[int]] = {}
        for index, rule in enumerate(self.rules):
            for name in rule.exact_types:
                by_type.setdefault(name, []).append(index)
            for family in rule.type_families:
                by_family.setdefault(family, []).append(index)
        object.__setattr__(self, "_by_type", by_type)
        object.__setattr__(self, "_by_family", by_family)
        object.__setattr__(self, "_family_lengths", tuple(sorted({len(family) for family in by_family})))
        every = tuple(index for index, rule in enumerate(self.rules) if rule.any_type)
        object.__setattr__(self, "_for_all", every)
        ordered = any(rule.latest_by is not None or rule.coalesce_by is not None for rule in self.rules)
        object.__setattr__(self, "ordered", ordered)
        object.__setattr__(self, "_by_name", {rule.name: rule for rule in self.rules})

    def named(self, name: str) -> Rule | None:
        """Return the rule with this name, if there is one."""
        return self._by_name.get(name)

    def caller(self, entry: object) -> CallerSpec | None:
        """Return the entry of `callers` of that name, if there is one."""
        return next((each for each in self.callers if each.name == entry), None)

    def for_type(self, event_type: str) -> list[Rule]:
        """Return the rules that accept events of a type, in the file's order.

        It needs only a few dictionary look-ups, for any number of rules.

        Args:
            event_type: The event's type, in lower case.
        """
        found = [*self._for_all, *self._by_type.get(event_type, ())]
        for length in self._family_lengths:
            found.extend(self._by_family.get(event_type[:length], ()))
        return [self.rules[index] for index in (found if len(found) <= 1 else sorted(set(found)))]
