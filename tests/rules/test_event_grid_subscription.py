"""The subscription's filter: it passes every event that the rules need, within Event Grid's limits."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.deciding.decide import decide
from shared.event import Event
from shared.rules import Rules, load_rules
from shared.rules.event_grid_subscription import MAX_CHARACTERS, MAX_FILTERS, MAX_VALUES, subscription_filter
from shared.rules.filters import Fields, compile_filter
from shared.values.json_text import Json, JsonObject

TYPES = ["A.One", "A.Two", "B.Three"]
NAMES = ["x", "y", "a.b"]
WORDS = ["", "a", "ab", "b", "A", "zz"]
VALUES: st.SearchStrategy[Any] = st.sampled_from([*WORDS, 1, 2.5, 10, True, None, ["a", "zz"], [1, 10], []])


def comparison(operator: str, key: str, member: str, value: Json) -> JsonObject:
    """Return one advanced filter."""
    return {"operatorType": operator, "key": key, member: value}


KEYS = st.sampled_from(["data.x", "data.y", 'data."a.b"', "subject", "app.site"])
FILTERS = st.one_of(
    st.builds(
        comparison,
        st.sampled_from(
            ["StringIn", "StringNotIn", "StringBeginsWith", "StringContains", "StringNotContains"]
        ),
        KEYS,
        st.just("values"),
        st.lists(st.sampled_from([*WORDS[1:], "w" * 600]), min_size=1, max_size=14, unique=True),
    ),
    st.builds(
        comparison,
        st.sampled_from(["NumberIn", "NumberNotIn"]),
        KEYS,
        st.just("values"),
        st.lists(st.sampled_from([1, 2.5, 10]), min_size=1, max_size=3),
    ),
    st.builds(
        comparison,
        st.sampled_from(["NumberGreaterThan", "NumberLessThanOrEquals"]),
        KEYS,
        st.just("value"),
        st.sampled_from([1, 5]),
    ),
    st.builds(comparison, st.just("NumberInRange"), KEYS, st.just("values"), st.just([[1, 2], [5, 20]])),
    st.builds(lambda key: {"operatorType": "IsNotNull", "key": key}, KEYS),
)
WHENS = st.fixed_dictionaries(
    {"types": st.lists(st.sampled_from([*TYPES, "A.*"]), min_size=1, max_size=2)},
    optional={
        "subject": st.fixed_dictionaries(
            {"begins_with": st.sampled_from(["/orders/", "/Orders/new", "/"])},
            optional={"ends_with": st.sampled_from([".csv", "w.CSV"]), "case_sensitive": st.booleans()},
        ),
        "filter": st.lists(FILTERS, max_size=4)
        | st.fixed_dictionaries({"any": st.lists(FILTERS, min_size=1)}),
    },
)
EVENTS = st.builds(
    Event,
    id=st.just("1"),
    source=st.just("/s"),
    type=st.sampled_from(TYPES),
    subject=st.sampled_from(["/orders/new.csv", "/ORDERS/NEW.CSV", "/orders/old", "/"]) | st.none(),
    data=st.dictionaries(st.sampled_from(NAMES), VALUES),
)


def rules_of(whens: list[Any]) -> Rules:
    """Load one rule for each `when`."""
    document = {
        "connections": {"a": {"url": "https://x.example", "auth": {"kind": "entra", "scope": "s"}}},
        "rules": [{"name": f"r{n}", "when": when, "start": {"dag": "d"}} for n, when in enumerate(whens)],
    }
    return load_rules(json.dumps(document), file="rules.yaml", settings={})


def lets_through(found: JsonObject, event: Event) -> bool:
    """Return whether Event Grid's filter passes an event: types exactly, other parts by our own semantics."""
    types = found.get("includedEventTypes", [event.type])
    assert isinstance(types, list)
    subject = (event.subject or "").lower()
    begins, ends = str(found.get("subjectBeginsWith", "")), str(found.get("subjectEndsWith", ""))
    condition = compile_filter(found.get("advancedFilters", []))
    return (
        event.type in types
        and subject.startswith(begins.lower())
        and subject.endswith(ends.lower())
        and condition.holds(Fields(event))
    )


@settings(deadline=None, max_examples=300)
@given(whens=st.lists(WHENS, min_size=1, max_size=3), events=st.lists(EVENTS, min_size=1, max_size=8))
def test_whatever_a_rule_matches_passes(whens: list[Any], events: list[Event]) -> None:
    """The filter passes every event that a rule matches, and keeps to the limits."""
    rules = rules_of(whens)
    found = subscription_filter(rules.rules)
    for event in events:
        if decide(event, rules):
            assert lets_through(found, event)
    advanced = found.get("advancedFilters", [])
    assert isinstance(advanced, list)
    values = [value for each in advanced if isinstance(each, dict) for value in each.get("values", [0])]  # type: ignore[union-attr] # lists, as we wrote them
    assert len(advanced) <= MAX_FILTERS
    assert len(values) <= MAX_VALUES
    assert all(len(value) <= MAX_CHARACTERS for value in values if isinstance(value, str))
    assert len(str(found.get("subjectBeginsWith", ""))) <= MAX_CHARACTERS


def filter_of(*whens: JsonObject) -> JsonObject:
    """Return the filter for some rules."""
    return subscription_filter(rules_of(list(whens)).rules)


def test_one_rules_own_filter_is_kept() -> None:
    """The filter has what Event Grid supports: types, subject and comparisons of data."""
    assert filter_of(
        {
            "types": ["microsoft.storage.blobcreated"],
            "subject": {"begins_with": "/blobServices/default/", "ends_with": ".csv"},
            "filter": [
                {"operatorType": "StringIn", "key": "data.api", "values": ["PutBlob"]},
                {"operatorType": "NumberGreaterThan", "key": "data.contentLength", "value": 0},
                {"operatorType": "StringIn", "key": "source", "values": ["ours-alone"]},
            ],
        }
    ) == {
        "includedEventTypes": ["Microsoft.Storage.BlobCreated"],
        "subjectBeginsWith": "/blobServices/default/",
        "subjectEndsWith": ".csv",
        "isSubjectCaseSensitive": False,
        "enableAdvancedFilteringOnArrays": True,
        "advancedFilters": [
            {"operatorType": "StringIn", "key": "data.api", "values": ["PutBlob"]},
            {"operatorType": "NumberGreaterThan", "key": "data.contentLength", "value": 0},
        ],
    }


def test_several_rules_share_what_they_have_in_common() -> None:
    """Values of positive operators are united, and only common values of negative operators remain."""
    found = filter_of(
        {
            "types": ["A"],
            "subject": {"begins_with": "/orders/new", "ends_with": ".csv"},
            "filter": [
                {"operatorType": "StringIn", "key": "data.x", "values": ["a"]},
                {"operatorType": "StringNotIn", "key": "data.y", "values": ["p", "q"]},
                {"operatorType": "BoolEquals", "key": "data.z", "value": True},
            ],
        },
        {
            "types": ["B"],
            "subject": {"begins_with": "/Orders/old", "ends_with": "s.CSV"},
            "filter": [
                {"operatorType": "StringNotIn", "key": "data.y", "values": ["q", "r"]},
                {"operatorType": "StringIn", "key": "data.x", "values": ["b"]},
                {"operatorType": "BoolEquals", "key": "data.z", "value": False},
            ],
        },
    )
    assert found == {
        "includedEventTypes": ["A", "B"],
        "subjectBeginsWith": "/orders/",
        "subjectEndsWith": ".csv",
        "isSubjectCaseSensitive": False,
        "enableAdvancedFilteringOnArrays": True,
        "advancedFilters": [
            {"operatorType": "StringIn", "key": "data.x", "values": ["a", "b"]},
            {"operatorType": "StringNotIn", "key": "data.y", "values": ["q"]},
        ],
    }


def test_a_family_of_types_lets_all_types_through() -> None:
    """Event Grid has no families of types, so the filter passes all types."""
    assert filter_of({"types": ["A.*", "B"]}) == {"isSubjectCaseSensitive": False}
