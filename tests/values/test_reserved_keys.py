"""Keys that Airflow 3.4 refuses in a conf: found at any depth, named with their path, removed by a filter."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.deciding.decide import Decision, decide, explain
from shared.errors import RulesError, UnusableValue
from shared.event import Event
from shared.rules import load_rules
from shared.rules.templates import compile_template
from shared.values.json_text import Json
from shared.values.reserved_keys import (
    MAX_MEMBERS,
    RESERVED_KEYS,
    check_reserved_keys,
    without_reserved_keys,
)
from tests.support.delivery import event

KEYS = st.sampled_from([*sorted(RESERVED_KEYS), "a", "type", "_type", "__TYPE", "__type__", "dict", "a b"])
VALUES = st.recursive(
    st.none() | st.integers() | st.sampled_from([*sorted(RESERVED_KEYS), '{"__type": 1}']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
RULES = """
connections: {analytics: {url: "https://airflow.example", auth: {kind: entra, scope: s}}}
rules:
  - name: one
    when: {types: [Shop.Opened]}
    start: {dag: d, conf: {order: "{{ data }}", %s}}
"""
REST = "  - {name: two, when: {types: [Shop.Opened]}, start: {dag: d, conf: {n: 1}}}\n"


def refused_by_airflow(value: Json) -> bool:
    """Return whether Airflow 3.4.0b2 refuses a conf, by the rule of its `find_reserved_keys`."""
    if isinstance(value, dict):
        return bool(RESERVED_KEYS & value.keys()) or any(map(refused_by_airflow, value.values()))
    return isinstance(value, list) and any(map(refused_by_airflow, value))


def without(value: Json) -> Json:
    """Return a value without the reserved keys, by another implementation."""
    if isinstance(value, dict):
        return {name: without(inner) for name, inner in value.items() if name not in RESERVED_KEYS}
    return [without(inner) for inner in value] if isinstance(value, list) else value


@given(VALUES)
def test_what_airflow_refuses_is_refused_here_and_nothing_else(value: Json) -> None:
    """A conf passes exactly if Airflow accepts it; texts that look like objects are texts."""
    if refused_by_airflow(value):
        with pytest.raises(UnusableValue, match="and newer refuse the key"):
            check_reserved_keys(value, remedy="")
    else:
        check_reserved_keys(value, remedy="")


@given(VALUES)
def test_what_is_left_passes(value: Json) -> None:
    """The filter removes the reserved keys at any depth and leaves everything else as it was."""
    left = without_reserved_keys(value)
    check_reserved_keys(left, remedy="")
    assert left == without(value)
    assert compile_template("{{ data | without_reserved }}").render({"data": value}) == left


@pytest.mark.parametrize("key", sorted(RESERVED_KEYS))
@pytest.mark.parametrize(
    ("data", "path"),
    [
        ("{'KEY': 1}", "conf.order.KEY"),
        ("{'a': [0, {'b': {'KEY': None}}]}", "conf.order.a[1].b.KEY"),
        ("{'a b': {'KEY': 1}}", "conf.order['a b'].KEY"),
        ("[[{'x': 1}, {'KEY': 1}]]", "conf.order[0][1].KEY"),
    ],
)
def test_an_event_with_such_a_key_is_told_where_it_is(key: str, data: str, path: str) -> None:
    """The rule's run is refused with the key's whole path, and the event's other rules start their runs."""
    known = json.loads(data.replace("KEY", key).replace("'", '"').replace("None", "null"))
    rules = load_rules(RULES % "n: 1" + REST, file="rules.yaml", settings={})
    one, two = explain(event(type="Shop.Opened", data=known), rules)
    assert (one.matched, one.request) == (True, None)
    assert str(one.reason).startswith(f"{path.replace('KEY', key)}: Airflow 3.4 and newer refuse the key")
    assert "| without_reserved" in str(one.reason)
    assert two.request is not None


def test_a_rule_that_removes_them_starts(decided: Decision) -> None:
    """With the filter the rest of the payload arrives."""
    assert decided.request is not None
    assert decided.request.conf["order"] == {"n": 7, "lines": [{"sku": "a"}]}


@pytest.fixture
def decided() -> Decision:
    """The decision of a rule with the filter about a payload with reserved keys."""
    rules = load_rules(
        (RULES % "n: 1").replace("{{ data }}", "{{ data | without_reserved }}"), file="r", settings={}
    )
    data: Any = {"__type": "Order", "n": 7, "lines": [{"__id__": 1, "sku": "a"}]}
    [decision] = decide(Event(id="1", source="/s", type="Shop.Opened", data=data), rules)
    return decision


def test_a_rule_that_writes_such_a_key_itself_is_a_mistake() -> None:
    """The file is refused at the key's line, at any depth."""
    with pytest.raises(RulesError) as caught:
        load_rules(RULES % "deep: [{__data__: 1}], __type: x", file="rules.yaml", settings={})
    assert [problem.path for problem in caught.value.problems] == [
        "start.conf.deep[0].__data__",
        "start.conf.__type",
    ]


def test_the_filter_is_bounded() -> None:
    """A value with more members than the limit is refused and not copied."""
    without_reserved_keys([0] * MAX_MEMBERS)
    with pytest.raises(UnusableValue, match="at most 65,536 members"):
        without_reserved_keys([[0] * (MAX_MEMBERS - 1), [0]])


def test_a_long_path_is_cut() -> None:
    """A message shows the end of a path, where the key is."""
    value: Json = {"__type": 1}
    for _ in range(100):
        value = {"a-rather-long-name": value}
    with pytest.raises(UnusableValue) as caught:
        check_reserved_keys(value, remedy="leave it out")
    assert len(str(caught.value)) < 600
    assert "__type: Airflow" in str(caught.value)
