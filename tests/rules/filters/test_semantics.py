"""Filters against a second implementation of Event Grid's semantics, written from its documentation.

The second implementation is slow and independent: it takes the generated values, compares numbers as
fractions, and handles the documentation's cases one by one.
"""

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.event import Event, read_events
from shared.rules.filters import OPERATORS, Fields, compile_filter
from shared.values.json_text import Json

PATIENT: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine must not fail a test."""

type Drawn = bool | int | Decimal | str | list["Drawn"] | dict[str, "Drawn"] | None
type Spec = dict[str, Any]

ABSENT: Final = "absent"
EVENT: Final = '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":'
MATCH_WHEN_MISSING: Final = {"NumberNotIn", "NumberNotInRange", "StringNotIn", "IsNullOrUndefined"}

NUMBERS: Final = (
    st.integers(-3, 3)
    | st.decimals(-3, 3, places=1)
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False, places=20, min_value=-10, max_value=10)
)
STRINGS: Final = st.text("aAbB.É", max_size=3) | st.sampled_from(["5", "true", "null"])
SCALARS: Final[st.SearchStrategy[Drawn]] = st.none() | st.booleans() | NUMBERS | STRINGS
ARRAYS: Final = st.lists(SCALARS | st.lists(SCALARS, max_size=2), max_size=3)
SEEN: Final = SCALARS | ARRAYS | st.dictionaries(STRINGS, SCALARS, max_size=1) | st.just(ABSENT)


def comparisons(key: str = "data.k") -> st.SearchStrategy[Spec]:
    """Return a strategy of valid advanced filters on one key."""

    def spec(name: str) -> st.SearchStrategy[Spec]:
        head = {"operatorType": st.just(name), "key": st.just(key)}
        if name.startswith("Is"):
            return st.fixed_dictionaries(head)
        if name == "BoolEquals":
            return st.fixed_dictionaries({**head, "value": st.booleans()})
        if name.endswith("Range"):
            pairs = st.tuples(NUMBERS, NUMBERS).map(sorted)
            return st.fixed_dictionaries({**head, "values": st.lists(pairs, min_size=1, max_size=3)})
        if name in {"NumberIn", "NumberNotIn"}:
            return st.fixed_dictionaries({**head, "values": st.lists(NUMBERS, min_size=1, max_size=3)})
        if name.startswith("Number"):
            return st.fixed_dictionaries({**head, "value": NUMBERS})
        return st.fixed_dictionaries({**head, "values": st.lists(STRINGS, min_size=1, max_size=3)})

    return st.sampled_from(sorted(OPERATORS)).flatmap(spec)


def trees() -> st.SearchStrategy[Spec]:
    """Return a strategy of filters with `all`, `any` and `not`."""

    def grouped(inner: st.SearchStrategy[Spec]) -> st.SearchStrategy[Spec]:
        several = st.lists(inner, min_size=1, max_size=3)
        parts: dict[str, st.SearchStrategy[Any]] = {"not": inner, "all": several, "any": several}
        return st.one_of(*(st.fixed_dictionaries({name: part}) for name, part in parts.items()))

    return st.recursive(comparisons(), grouped, max_leaves=6)


def to_json(value: object) -> str:
    """Write JSON with every decimal digit."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list | tuple):
        return f"[{','.join(map(to_json, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{to_json(each)}" for name, each in value.items()) + "}"
    return json.dumps(value)


def event_with(seen: Drawn) -> Event:
    """Return an event whose data has one member, or no member."""
    data = {} if seen is ABSENT else {"k": seen}
    text = EVENT + to_json(data) + "}"
    (event,) = read_events(text)
    assert isinstance(event, Event)
    return event


def parsed(spec: Spec) -> Json:
    """Return a filter whose decimals are as a YAML reader returns them."""
    (event,) = read_events(EVENT + to_json(spec) + "}")
    assert isinstance(event, Event)
    return event.data


def members_of(seen: Drawn) -> list[Drawn]:
    """Return an array's scalars, or a scalar as an array of one."""
    if not isinstance(seen, list):
        return [seen]
    return [scalar for member in seen for scalar in members_of(member)]


def as_read(number: int | Decimal) -> Fraction:
    """Return a number as JSON readers return it: an exact integer, or a double."""
    text = to_json(number)
    return Fraction(float(text)) if "." in text else Fraction(int(text))


def says(name: str, value: Drawn, wanted: object) -> bool:  # noqa: PLR0911 - a case a line, as documented
    """Return whether one scalar matches one wanted value; a scalar of another type matches nothing."""
    if name == "BoolEquals":
        return isinstance(value, bool) and value == wanted
    if name.startswith("Number"):
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            return False
        number = as_read(value)
        if name.endswith("Range"):
            assert isinstance(wanted, list)
            return as_read(wanted[0]) <= number <= as_read(wanted[1])
        assert isinstance(wanted, int | Decimal)
        other = as_read(wanted)
        return {
            "NumberGreaterThan": number > other,
            "NumberGreaterThanOrEquals": number >= other,
            "NumberLessThan": number < other,
            "NumberLessThanOrEquals": number <= other,
            "NumberIn": number == other,
            "NumberNotIn": number == other,
        }[name]
    if not isinstance(value, str):
        return False
    assert isinstance(wanted, str)
    text, part = value.lower(), wanted.lower()
    if name.endswith("Contains"):
        return text.find(part) >= 0
    if name.endswith("BeginsWith"):
        return text[: len(part)] == part
    if name.endswith("EndsWith"):
        return part == "" or text[-len(part) :] == part
    return text == part


def reading(spec: Spec, seen: Drawn) -> bool:  # noqa: PLR0911 - a case a line, as documented
    """Return whether a filter matches, by the documentation."""
    if "not" in spec:
        return not reading(spec["not"], seen)
    if "all" in spec:
        return all(reading(each, seen) for each in spec["all"])
    if "any" in spec:
        return any(reading(each, seen) for each in spec["any"])
    name = str(spec["operatorType"])
    if seen is None or seen is ABSENT:
        return name in MATCH_WHEN_MISSING
    if name == "IsNullOrUndefined":
        return False
    if name == "IsNotNull":
        return True
    wanted = spec["values"] if "values" in spec else [spec["value"]]
    assert isinstance(wanted, list)
    hit = any(says(name, member, each) for member in members_of(seen) for each in wanted)
    return not hit if "Not" in name else hit


@PATIENT
@given(trees(), SEEN)
@example(
    {"operatorType": "NumberIn", "key": "data.k", "values": [Decimal("0.10000000000000000001")]},
    Decimal("0.1"),
)
@example(
    {"operatorType": "NumberIn", "key": "data.k", "values": [9007199254740993]}, Decimal("9007199254740992.0")
)
@example({"operatorType": "NumberNotIn", "key": "data.k", "values": [1]}, True)
def test_filters_mean_what_the_documentation_says(spec: Spec, seen: Drawn) -> None:
    """Both implementations agree, and there is a failure exactly if the filter does not hold."""
    fields = Fields(event_with(seen))
    condition = compile_filter(parsed(spec))
    expected = reading(spec, seen)
    assert condition.holds(fields) is expected
    failure = condition.failure(fields)
    assert (failure is None) is expected
    assert failure is None or failure


@PATIENT
@given(st.lists(comparisons(), max_size=4), SEEN)
def test_a_list_means_and(specs: list[Spec], seen: Drawn) -> None:
    """Every filter of a list must hold, and an empty list always does."""
    fields = Fields(event_with(seen))
    expected = all(reading(spec, seen) for spec in specs)
    assert compile_filter([parsed(spec) for spec in specs]).holds(fields) is expected
    pasted = parsed({"filter": {"advancedFilters": specs, "enableAdvancedFilteringOnArrays": True}})
    assert compile_filter(pasted).holds(fields) is expected


@PATIENT
@given(trees(), SEEN)
def test_old_spellings_mean_the_same(spec: Spec, seen: Drawn) -> None:
    """Capitalised members, `Operator`, lower-case operators and one value instead of a list work."""

    def old(part: object) -> object:
        if isinstance(part, dict) and "operatorType" in part:
            values = part.get("values")
            renamed = {"Operator": str(part["operatorType"]).lower(), "Key": part["key"]}
            if values is not None and len(values) == 1 and not isinstance(values[0], list):
                return {**renamed, "Values": values[0]}
            return {**renamed, **{name.title(): part[name] for name in ("value", "values") if name in part}}
        if isinstance(part, dict):
            return {name: old(inner) for name, inner in part.items()}
        return [old(each) for each in part] if isinstance(part, list) else part

    fields = Fields(event_with(seen))
    respelt = old(spec)
    assert isinstance(respelt, dict)
    assert compile_filter(parsed(respelt)).holds(fields) is reading(spec, seen)
