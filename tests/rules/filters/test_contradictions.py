"""What is called impossible never holds, and what can hold is never called impossible."""

from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.event import Event
from shared.rules.filters import Fields, compile_filter, contradiction
from shared.values.json_text import Json, JsonObject

PATIENT: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failure."""

SITE = "/subscriptions/5f0e/resourceGroups/shop/providers/Microsoft.Web/sites/"


def f(operator: str, key: str, *values: Json) -> JsonObject:
    """Return an advanced filter."""
    return {"operatorType": operator, "key": key} | ({"values": list(values)} if values else {})


@pytest.mark.parametrize(
    "spec",
    [
        [f("StringIn", "app.slot", "a"), f("StringIn", "App.Slot", "b", "c")],
        [f("StringIn", "type", "a"), f("StringNotIn", "eventType", "A")],
        [f("StringIn", "subject", "ab"), f("StringEndsWith", "subject", "a", "c")],
        [f("StringNotContains", "source", "x"), f("StringIn", "topic", "axe")],
        [f("BoolEquals", "app.succeeded", True), f("BoolEquals", "app.succeeded", False)],
        [f("IsNullOrUndefined", "data.k"), f("IsNotNull", "data.k")],
        [f("IsNullOrUndefined", "data.k"), f("NumberIn", "data.k", 1)],
        [f("IsNotNull", "data.k"), {"not": f("IsNotNull", "data.k")}],
        {"all": [f("IsNotNull", "id"), {"all": [f("StringIn", "id", "a"), f("StringIn", "id", "b")]}]},
        {"any": [[f("StringIn", "id", "a"), f("StringIn", "id", "b")], f("NumberIn", "id", 1)]},
        f("NumberGreaterThan", "app.slot", 5),
        [f("StringIn", "data.k", "a", "b"), f("StringNotBeginsWith", "data.k", "B", "A")],
        [f("NumberIn", "data.k", 1), f("NumberNotInRange", "data.k", [0, 2])],
        [f("StringIn", "colour", "red"), f("StringIn", "Colour", "blue")],
        f("StringIn", "app.succeeded", "true"),
        f("BoolEquals", "subject", True),
        [f("NumberGreaterThan", "attempt", 5), f("NumberLessThanOrEquals", "attempt", 5)],
        [f("NumberInRange", "attempt", [1, 3], [5, 6]), f("NumberGreaterThanOrEquals", "attempt", 7)],
        [f("NumberInRange", "data.k", [1, 3]), f("NumberNotInRange", "data.k", [0, 3.5])],
        [f("NumberInRange", "data.k", [2, 2]), f("NumberNotIn", "data.k", 1, 2)],
        {
            "enableAdvancedFilteringOnArrays": False,
            "advancedFilters": [f("NumberLessThan", "data.k", 1), f("NumberGreaterThan", "data.k", 1)],
        },
    ],
)
def test_a_contradiction_is_found(spec: Json) -> None:
    """What can be seen to hold for no event is told in words."""
    assert "never" in str(contradiction(compile_filter(spec)))


@pytest.mark.parametrize(
    "spec",
    [
        [],
        [f("StringIn", "data.k", "a"), f("StringIn", "data.k", "b")],
        [f("StringIn", "app.slot", "a"), f("StringIn", "app.site", "b")],
        [f("StringIn", "app.slot", "a", "b"), f("StringIn", "app.slot", "b", "c")],
        [f("StringIn", "id", "a"), f("StringBeginsWith", "id", "A")],
        [f("StringIn", "app.slot", "production"), f("StringNotContains", "app.slot", "test")],
        [f("StringIn", "data.k", "a"), f("NumberIn", "data.k", 1)],
        [f("StringContains", "id", "a"), f("StringContains", "id", "b")],
        [f("IsNullOrUndefined", "data.k"), f("StringNotIn", "data.k", "a")],
        [f("IsNotNull", "data.k"), f("StringIn", "data.k", "a")],
        [f("IsNotNull", "data.k"), {"any": [f("IsNotNull", "data.l")]}],
        {"any": [f("NumberIn", "id", 1), f("StringIn", "id", "a")]},
        {"not": f("NumberIn", "id", 1)},
        f("NumberNotIn", "subject", 1),
        f("BoolEquals", "app.succeeded", True),
        f("NumberIn", "attempt", 1),
        [f("NumberGreaterThan", "data.k", 5), f("NumberLessThan", "data.k", 5)],
        [f("NumberGreaterThanOrEquals", "attempt", 5), f("NumberLessThanOrEquals", "attempt", 5)],
        [f("NumberInRange", "data.k", [1, 3]), f("NumberNotInRange", "data.k", [2, 4])],
        [f("NumberNotIn", "data.k", 1), f("NumberNotInRange", "data.k", [0, 2])],
        [f("StringIn", "data.k", "a"), f("NumberLessThan", "data.k", 1)],
    ],
)
def test_what_can_hold_is_not_called_impossible(spec: Json) -> None:
    """An array may satisfy what no single value could, so that data is left alone."""
    assert contradiction(compile_filter(spec)) is None


SPECS = st.lists(
    st.builds(
        f,
        st.sampled_from(
            ["StringIn", "StringNotIn", "StringBeginsWith", "StringNotEndsWith", "StringContains"]
        ),
        st.sampled_from(["id", "subject", "app.site", "data.k"]),
        st.sampled_from(["a", "b", "ab", ""]),
        st.sampled_from(["a", "c"]),
    )
    | st.builds(
        f, st.sampled_from(["IsNotNull", "IsNullOrUndefined"]), st.sampled_from(["subject", "data.k"])
    ),
    min_size=1,
    max_size=3,
)
WORD = st.sampled_from(["a", "b", "ab", "c", "ba"])


@PATIENT
@given(SPECS, WORD, st.none() | WORD, WORD, st.none() | WORD | st.lists(WORD))
def test_what_holds_once_is_never_called_impossible(
    specs: list[Json], event_id: str, subject: str | None, site: str, value: Json
) -> None:
    """No event satisfies a condition that was proven impossible."""
    condition = compile_filter(specs)
    event = Event(id=event_id, source=SITE + site, type="t", subject=subject, data={"k": value})
    if condition.holds(Fields(event)):
        assert contradiction(condition) is None


NUMBER = st.sampled_from([0, 1, 1.5, 2, 3])
RANGE = st.tuples(NUMBER, NUMBER).map(sorted)
NUMBER_SPECS = st.lists(
    st.builds(
        f,
        st.sampled_from(["NumberGreaterThan", "NumberGreaterThanOrEquals", "NumberLessThan", "NumberIn"]),
        st.sampled_from(["attempt", "data.k"]),
        NUMBER,
    )
    | st.builds(
        f,
        st.sampled_from(["NumberInRange", "NumberNotInRange"]),
        st.sampled_from(["attempt", "data.k"]),
        RANGE,
        RANGE,
    )
    | st.builds(
        f,
        st.sampled_from(["NumberIn", "NumberNotIn"]),
        st.sampled_from(["attempt", "data.k"]),
        NUMBER,
        NUMBER,
    ),
    min_size=2,
    max_size=3,
)


@PATIENT
@given(NUMBER_SPECS, st.sampled_from([True, False]), st.integers(0, 3), NUMBER | st.lists(NUMBER, max_size=3))
def test_numbers_that_hold_once_are_never_called_impossible(
    specs: list[Json], arrays: Json, attempt: int, value: Json
) -> None:
    """No event satisfies number comparisons that were proven impossible, with arrays or without."""
    condition = compile_filter({"advancedFilters": specs, "enableAdvancedFilteringOnArrays": arrays})
    event = Event(id="e", source="/s", type="t", data={"k": value}, extensions={"attempt": attempt})
    if condition.holds(Fields(event)):
        assert contradiction(condition) is None
