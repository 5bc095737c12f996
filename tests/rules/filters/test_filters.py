"""Keys, cases that are not documented, explanations of failures, and errors in filters."""

import json
from typing import Final

import pytest

from shared.errors import ConfigurationError
from shared.event import Event, read_events
from shared.rules.filters import MISSING, OPERATORS, Fields, FilterError, compile_filter, parse_key
from shared.rules.filters.operators import as_number
from shared.rules.problems import path_text
from shared.values.json_text import Json, JsonObject
from tests.support.paths import SAMPLES


def fields_of(name: str) -> Fields:
    """Return the fields of a CloudEvent."""
    (event,) = read_events((SAMPLES / name).read_bytes())
    assert isinstance(event, Event)
    return Fields(event)


def fields_with(data: Json, **extensions: Json) -> Fields:
    """Return the fields of an event with this data."""
    return Fields(Event(id="1", source="/s", type="t", data=data, extensions=extensions))


def comparison(operator: str, key: str, *values: Json) -> JsonObject:
    """Return an advanced filter."""
    if not values:
        return {"operatorType": operator, "key": key}
    many = OPERATORS[operator].many
    return {
        "operatorType": operator,
        "key": key,
        "values" if many else "value": list(values) if many else values[0],
    }


def holds(fields: Fields, operator: str, key: str, *values: Json) -> bool:
    """Return whether one advanced filter holds; `holds` and `failure` agree."""
    condition = compile_filter(comparison(operator, key, *values))
    answer = condition.holds(fields)
    assert (condition.failure(fields) is None) is answer
    return answer


def failure(fields: Fields, spec: Json) -> str:
    """Return why a filter fails."""
    text = compile_filter(spec).failure(fields)
    assert text is not None
    return text


def problems(spec: Json) -> list[tuple[str, str]]:
    """Return the errors in a filter, with their paths as text."""
    with pytest.raises(FilterError) as caught:
        compile_filter(spec)
    assert isinstance(caught.value, ConfigurationError)
    assert all(message in str(caught.value) for _, message in caught.value.problems)
    return [(path_text(path) or "filter", message) for path, message in caught.value.problems]


GRID_KEYS: Final = {
    "id": ["id", "ID", "eventid", "eventID"],
    "source": ["source", "topic", "Topic"],
    "type": ["type", "eventType", "EventType", "eventtype"],
    "subject": ["subject", "Subject"],
    "time": ["time", "eventTime"],
    "dataschema": ["dataschema", "DataVersion", "eventtypeversion", "schemaurl"],
    "datacontenttype": ["datacontenttype", "contentType"],
}


@pytest.mark.parametrize(
    ("attribute", "key"), [(name, key) for name, keys in GRID_KEYS.items() for key in keys]
)
@pytest.mark.parametrize(
    "name", ["appservice/exact_numbers.eventgrid.json", "custom/deployment_succeeded.cloudevents.json"]
)
def test_keys_of_both_schemas_serve_both(name: str, attribute: str, key: str) -> None:
    """An attribute has its names of both schemas, in any letter case."""
    fields = fields_of(name)
    value = getattr(fields.event, attribute)
    assert fields.get(parse_key(key)) == (MISSING if value is None else value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data.sha", "9fceb02"),
        ("Data.sha", "9fceb02"),
        ("data.SHA", MISSING),
        ("data.sha.x", MISSING),
        ('data.parts."0"', MISSING),
        ("data.nothing.x", MISSING),
        ('data.claims."http://example.com/name"', "Ada"),
        ("data.claims.'http://example.com/name'", "Ada"),
        ("'data'.claims.'http://example.com/name'", "Ada"),
        ("region", "westeurope"),
        ("Region", "westeurope"),
        ("attempt", 5),
        ("nothing", MISSING),
        ("app", MISSING),
        ("app.site", "shop"),
        ("App.Slot", "staging"),
        ("app.succeeded", True),
        ("app.deployment_id", MISSING),
    ],
)
def test_a_key_leads_to_its_value(key: str, value: object) -> None:
    """Dots separate names of data and app, quotes contain dots, and a bare name is an extension attribute."""
    found = fields_of("custom/deployment_succeeded.cloudevents.json").get(parse_key(key))
    assert found == value
    assert type(found) is type(value)


def test_the_data_itself_is_a_key() -> None:
    """An event's data can be a scalar or an array."""
    assert holds(fields_with("hello"), "StringIn", "data", "HELLO")
    assert holds(fields_with([1, 2]), "NumberIn", "data", 2)
    assert holds(fields_with(None), "IsNullOrUndefined", "data")


def test_what_base64_holds_is_a_key() -> None:
    """A key decodes the text, or a member of the JSON in it; only values in data, and only once."""
    fields = fields_with({"body": "eyJzcGVlZCI6IDd9"})
    assert fields.get(parse_key("data.body | from_base64")) == '{"speed": 7}'
    assert fields.get(parse_key("(data.body | from_base64).speed")) == 7
    assert fields.get(parse_key("(data.body | from_base64).other")) is MISSING
    for bad in ("subject | from_base64", "((data.body | from_base64) | from_base64).a"):
        with pytest.raises(ValueError, match="only values in data can be decoded"):
            parse_key(bad)


def test_a_quote_inside_a_quoted_name_is_doubled() -> None:
    """Every name of JSON can be written as a key."""
    fields = fields_with({'a"b.c': {"it's": 1}, "d": {'"': 2}})
    assert fields.get(parse_key('data."a""b.c".it\'s')) == 1
    assert fields.get(parse_key("data.'a\"b.c'.'it''s'")) == 1
    assert fields.get(parse_key("data.d.'\"'")) == 2


def test_an_event_about_no_app_has_no_app_fields() -> None:
    """A filter can test whether an event is about an app."""
    assert holds(fields_with({}), "IsNullOrUndefined", "app.site")
    assert not holds(fields_with({}), "StringIn", "app.site", "shop")
    fields = fields_of("custom/deployment_succeeded.cloudevents.json")
    assert fields.app is fields.app


@pytest.mark.parametrize(
    "bad", ["", ".", "data.", ".data", "data..a", 'data."a', 'data."a"b', "data.''", "'x"]
)
def test_a_malformed_key_is_a_mistake(bad: str) -> None:
    """A key with an empty name or an open quote is an error with an explanation."""
    ((place, message),) = problems(comparison("IsNotNull", bad))
    assert place == "key"
    assert "quotes" in message


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("subject.name", "data.subject.name"),
        ("targetslot.x", "no members"),
        ("app.sit", "did you mean `site`?"),
        ("app.site.name", "site, slot"),
        ("app.zzz", "site, slot"),
    ],
)
def test_a_key_that_leads_nowhere_is_a_mistake(bad: str, words: str) -> None:
    """Attributes have no members, and `app` has only its own."""
    assert words in problems(comparison("IsNotNull", bad))[0][1]


# The cases that Event Grid leaves open; docs/filters.md has each.


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_null_counts_as_missing(operator: str) -> None:
    """A key whose value is null is the same as a missing key."""
    values: dict[str, Json] = {"N": 1, "S": "x", "B": True}
    given: list[Json] = [] if operator.startswith("Is") else [values[operator[0]]]
    if operator.endswith("Range"):
        given = [[1, 2]]
    without: list[Json] = [{}, {"k": None}, None, "text"]
    answers = {holds(fields_with(data), operator, "data.k", *given) for data in without}
    assert answers == {operator in {"NumberNotIn", "NumberNotInRange", "StringNotIn", "IsNullOrUndefined"}}


@pytest.mark.parametrize("value", ["5", True, {"a": 5}, [], ["5"], [{"n": 5}]])
def test_a_value_of_another_type_hits_nothing(value: Json) -> None:
    """A scalar is compared like an array of one member: another type is ignored."""
    fields = fields_with({"k": value})
    assert not holds(fields, "NumberIn", "data.k", 5)
    assert not holds(fields, "NumberInRange", "data.k", [1, 9])
    assert holds(fields, "NumberNotIn", "data.k", 5)
    assert holds(fields, "NumberNotInRange", "data.k", [1, 9])


def test_arrays_in_arrays_are_looked_into() -> None:
    """Event Grid accepts arrays of strings, booleans and numbers, and arrays of them."""
    assert holds(fields_with({"k": [[["x"]], 1]}), "StringIn", "data.k", "X")


def test_an_array_is_not_null() -> None:
    """The null tests test the value itself, not its members."""
    assert holds(fields_with({"k": [None]}), "IsNotNull", "data.k")
    assert not holds(fields_with({"k": []}), "IsNullOrUndefined", "data.k")


@pytest.mark.parametrize("operator", ["StringIn", "StringNotIn"])
def test_arrays_can_be_switched_off_as_in_a_subscription(operator: str) -> None:
    """With `enableAdvancedFilteringOnArrays: false` an array fails every comparison."""
    spec: JsonObject = {
        "enableAdvancedFilteringOnArrays": False,
        "advancedFilters": [comparison(operator, "data.k", "x")],
    }
    assert not compile_filter(spec).holds(fields_with({"k": ["x"]}))
    assert not compile_filter(spec).holds(fields_with({"k": ["y"]}))
    assert compile_filter({**spec, "advancedFilters": [comparison("IsNotNull", "data.k")]}).holds(
        fields_with({"k": []})
    )
    nested: Json = [spec, comparison("StringIn", "data.l", "x")]
    assert (
        compile_filter(nested).failure(fields_with({"k": "x" if operator == "StringIn" else "y", "l": ["x"]}))
        is None
    )


def test_an_empty_string_is_in_every_string() -> None:
    """An empty value is compared literally."""
    assert holds(fields_with({"k": "abc"}), "StringBeginsWith", "data.k", "")
    assert not holds(fields_with({"k": "abc"}), "StringNotContains", "data.k", "")
    assert not holds(fields_with({"k": 5}), "StringContains", "data.k", "")


@pytest.mark.parametrize(("seen", "wanted"), [("STRASSE", "straße"), ("ΟΔΟΣ", "οδος"), ("Ä", "ä")])
def test_letter_case_is_unicodes(seen: str, wanted: str) -> None:
    """Strings are compared by Unicode's caseless matching."""
    assert holds(fields_with({"k": seen}), "StringIn", "data.k", wanted)


@pytest.mark.parametrize("value", [5, "5"])
def test_an_extension_is_compared_in_the_type_asked_for(value: Json) -> None:
    """Event Grid's documentation has a string operator on an integer extension."""
    fields = fields_with(None, comexampleothervalue=value)
    assert holds(fields, "StringBeginsWith", "comexampleothervalue", "5", "1")
    assert holds(fields, "NumberIn", "comexampleothervalue", 5)
    assert not holds(fields, "BoolEquals", "comexampleothervalue", True)


@pytest.mark.parametrize("value", [True, "true"])
def test_a_boolean_extension_too(value: Json) -> None:
    """In HTTP headers a boolean is a word."""
    fields = fields_with(None, flag=value)
    assert holds(fields, "BoolEquals", "flag", True)
    assert holds(fields, "StringIn", "flag", "true")
    assert not holds(fields, "NumberIn", "flag", 1)


@pytest.mark.parametrize("value", ["007", "5.0", "x", "9" * 30])
def test_only_canonical_integers_are_numbers(value: str) -> None:
    """A text that is not a canonical integer is not a number."""
    assert not holds(fields_with(None, n=value), "NumberGreaterThan", "n", -1)


def test_numbers_are_exact() -> None:
    """Large integers are compared digit by digit, other numbers as doubles, and any exponent quickly."""
    (event,) = read_events(
        '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":'
        '{"small":1e-999999,"tiny":1e-99999999999999999999,"third":0.3,"big":' + "9" * 4000 + "}}"
    )
    assert isinstance(event, Event)
    fields = Fields(event)
    assert holds(fields, "NumberIn", "data.small", 0)
    assert holds(fields, "NumberIn", "data.tiny", 0)
    assert holds(fields, "NumberIn", "data.third", 0.3)
    assert holds(fields, "NumberGreaterThan", "data.big", int("9" * 3999))
    assert as_number(float("nan")) is None


# Explanations of failures.


def test_a_failure_names_condition_and_value() -> None:
    """The text is what `explain` prints."""
    fields = fields_of("appservice/exact_numbers.eventgrid.json")
    assert failure(fields, comparison("StringIn", "data.targetSlot", "staging", "test 1", "true")) == (
        'data.targetSlot StringIn [staging, "test 1", "true"]: saw "production"'
    )
    assert failure(fields, comparison("NumberGreaterThan", "data.build", 1e20)) == (
        "data.build NumberGreaterThan 1e+20: saw 90071992547409931"
    )
    assert failure(fields, comparison("IsNotNull", "data.nothing")) == (
        "data.nothing IsNotNull: data.nothing is missing"
    )
    assert failure(fields, comparison("StringIn", "data.appEventTypeDetail", "x")).endswith(": saw null")


def test_a_failure_knows_names_that_differ_in_case() -> None:
    """Names inside data must be identical, and an explanation shows the nearest name."""
    assert 'there is "targetSlot"' in failure(
        fields_of("appservice/exact_numbers.eventgrid.json"),
        comparison("StringIn", "data.TargetSlot", "production"),
    )
    assert "there is" not in failure(fields_with({"a": 1}), comparison("IsNotNull", "data.a.b"))


def test_the_first_failure_of_all_and_every_one_of_any() -> None:
    """`all` reports the first failure, and `any` reports all failures."""
    fields = fields_with({"k": "a"})
    first, second = comparison("StringIn", "data.k", "b"), comparison("StringIn", "data.k", "c")
    assert failure(fields, {"all": [first, second]}) == 'data.k StringIn [b]: saw "a"'
    assert failure(fields, {"any": [first, second]}) == (
        'none of 2 holds: data.k StringIn [b]: saw "a"; data.k StringIn [c]: saw "a"'
    )


def test_a_failure_of_not_says_what_holds() -> None:
    """The condition that must not hold is shown, with the value of the event."""
    fields = fields_with({"k": "a"})
    holds_here = comparison("StringIn", "data.k", "a")
    assert failure(fields, {"not": holds_here}) == 'not (data.k StringIn [a]): saw "a"'
    assert failure(fields, {"not": comparison("IsNullOrUndefined", "data.x")}) == (
        "not (data.x IsNullOrUndefined): it is missing"
    )
    assert failure(fields, {"not": [holds_here, holds_here]}) == (
        "not (all of (data.k StringIn [a]; data.k StringIn [a]))"
    )
    assert failure(fields, {"not": {"any": [holds_here, {"not": {"not": holds_here}}]}}) == (
        "not (any of (data.k StringIn [a]; not (not (data.k StringIn [a]))))"
    )


def test_a_failure_tells_normal_forms_apart() -> None:
    """A difference only in Unicode's normal form is reported for values and for names inside data."""
    composed, decomposed = "M\u00fcller", "Mu\u0308ller"
    for written, seen in ((composed, decomposed), (decomposed, composed)):
        fields = fields_with({seen: seen, "k": seen})
        for operator in ("StringIn", "StringContains", "StringBeginsWith", "StringEndsWith"):
            said = failure(fields, comparison(operator, "data.k", written.upper()))
            assert said.endswith("; in Unicode's form NFC the two are the same text"), said
        missing = failure(fields, comparison("StringIn", f"data.{written}", "x"))
        assert missing.endswith("Unicode's normal form matters inside data)"), missing
        assert failure(fields, comparison("StringIn", "data.k", "Meyer")).endswith(f'saw "{seen}"')


def test_a_failure_of_a_negative_operator_is_no_question_of_form() -> None:
    """If a text must not be in a list, and is, the reason has no nearest value."""
    for operator in ("StringNotIn", "StringNotContains"):
        said = failure(fields_with({"k": "M\u00fcller"}), comparison(operator, "data.k", "M\u00fcller"))
        assert said.endswith('saw "M\u00fcller"')


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("eyJzcGVlZCI6IDd9", ""),
        ("aGVsbG8=", "the text in the Base64 is not JSON"),
        ("%%%", "the value is not Base64 of text"),
        (None, ""),
    ],
)
def test_a_failure_says_why_base64_cannot_be_opened(body: Json, says: str) -> None:
    """JSON without the member has another reason, and missing Base64 too."""
    said = failure(fields_with({"body": body}), comparison("StringIn", "(data.body | from_base64).gone", "x"))
    assert "gone" in said
    reasons = ("not JSON", "not Base64")
    assert (says in said) if says else not any(reason in said for reason in reasons)


@pytest.mark.parametrize("operator", ["NumberGreaterThan", "NumberIn", "NumberInRange", "BoolEquals"])
def test_a_failure_of_another_type_has_no_normal_form(operator: str) -> None:
    """A text for a number or a boolean operator is shown without a hint about normal forms."""
    wanted: dict[str, Json] = {"NumberInRange": [1, 2], "BoolEquals": True}
    told = failure(fields_with({"k": "M\u00fcller"}), comparison(operator, "data.k", wanted.get(operator, 1)))
    assert told.endswith('saw "M\u00fcller"')


def test_a_failure_is_short_whatever_it_saw() -> None:
    """Large values are cut."""
    huge: list[Json] = ["x" * 100_000, ["x" * 100 for _ in range(1000)], {"a": "x" * 10_000}, 10**4000]
    for seen in huge:
        assert len(failure(fields_with({"k": seen}), comparison("BoolEquals", "data.k", True))) < 400
    many: list[Json] = [f"v{index}" for index in range(25)]
    assert "25 in all" in failure(fields_with({}), comparison("StringIn", "data.k", *many))


# Errors in filters.


@pytest.mark.parametrize(
    ("spec", "place", "words"),
    [
        (None, "filter", "null"),
        ("x", "filter", "a string"),
        ({}, "filter", "`operatorType` is missing"),
        ([5], "[0]", "a number"),
        (
            comparison("IsNotNull", "data.k") | {"operatorType": "StringBeginWith"},
            "operatorType",
            "did you mean `StringBeginsWith`?",
        ),
        (
            comparison("IsNotNull", "data.k") | {"operatorType": "Zzz"},
            "operatorType",
            "write one of NumberGreaterThan",
        ),
        (comparison("IsNotNull", "data.k") | {"operatorType": 5}, "operatorType", "a number"),
        ({"operatorType": "IsNotNull"}, "filter", "`key` is missing"),
        ({"operatorType": "IsNotNull", "key": 5}, "key", "a number"),
        (comparison("IsNotNull", "data.k") | {"value": 1}, "value", "takes no value"),
        ({"operatorType": "StringIn", "key": "data.k"}, "filter", "`values` is missing"),
        (comparison("StringIn", "data.k", "a") | {"value": "b"}, "filter", "`value` and `values`"),
        (comparison("StringIn", "data.k", "a") | {"Values": ["b"]}, "Values", "mean the same"),
        ({"operatorType": "StringIn", "key": "data.k", "values": []}, "values", "empty"),
        ({"operatorType": "BoolEquals", "key": "data.k", "values": [True, False]}, "values", "one value"),
        (comparison("BoolEquals", "data.k", "true"), "value", "without quotes"),
        (
            comparison("BoolEquals", "data.k", 1),
            "value",
            "BoolEquals compares with booleans, and 1 is a number",
        ),
        (comparison("StringIn", "data.k", 1), "values[0]", "StringIn compares with strings, and"),
        (comparison("NumberIn", "data.k", "1"), "values[0]", "NumberIn compares with numbers, and"),
        (comparison("StringIn", "data.k", "a", 5), "values[1]", "quotes"),
        (comparison("NumberIn", "data.k", 1, "5"), "values[1]", "without quotes"),
        (comparison("NumberIn", "data.k", True), "values[0]", "a boolean"),
        ({"operatorType": "NumberInRange", "key": "data.k", "values": [1, 5]}, "values[0]", "[[1, 5]"),
        (comparison("NumberInRange", "data.k", [5, 1]), "values[0]", "lower end first"),
        (comparison("NumberNotInRange", "data.k", [1, 2, 3]), "values[0]", "pairs"),
        (comparison("StringIn", "data.k", "a") | {"valus": 1}, "valus", "did you mean `value"),
        (
            comparison("StringIn", "data.k", "a") | {"zzz": 1},
            "zzz",
            "unknown key `zzz`; there are operatorType, key, value, values, all, any, not",
        ),
        ({"all": []}, "all", "at least one"),
        ({"any": {}}, "any", "at least one"),
        ({"not": {}}, "not", "operatorType"),
        ({"not": 5}, "not", "a number"),
        ({"all": [comparison("IsNotNull", "data.k")], "anny": []}, "anny", "did you mean `any`?"),
        (
            {"any": [comparison("IsNotNull", "data.k"), {"not": {"all": [{}]}}]},
            "any[1].not.all[0]",
            "operatorType",
        ),
        ({"advancedFilters": {}}, "advancedFilters", "an object"),
        ({"advancedFilters": [], "subjectBeginsWith": "/x"}, "subjectBeginsWith", "when.subject.begins_with"),
        (
            {"advancedFilters": [], "advancedFiltres": []},
            "advancedFiltres",
            "did you mean `advancedFilters`?",
        ),
        (
            {"advancedFilters": [], "enableAdvancedFilteringOnArrays": "yes"},
            "enableAdvancedFilteringOnArrays",
            "is true or",
        ),
        ({"filter": {"AdvancedFilters": [{}]}}, "filter.AdvancedFilters[0]", "operatorType"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_remedy(spec: Json, place: str, words: str) -> None:
    """Each error has its path in the filter, the wrong value and the fix."""
    assert any(where == place and words in message for where, message in problems(spec))


@pytest.mark.parametrize("empty", [None, []])
def test_the_null_tests_may_have_an_empty_value(empty: Json) -> None:
    """Some tools write an empty `values` for the null tests."""
    assert compile_filter(comparison("IsNotNull", "data.k") | {"values": empty}).holds(fields_with({"k": 1}))


def test_all_mistakes_are_told_at_once() -> None:
    """All errors of a filter are reported together."""
    spec: Json = [
        comparison("StringIn", "data.", 5, "a", 6),
        {"any": [{"operatorType": "x", "key": "app.x"}]},
    ]
    places = [place for place, _ in problems(spec)]
    assert places == [
        "[0].key",
        "[0].values[0]",
        "[0].values[2]",
        "[1].any[0].operatorType",
        "[1].any[0].key",
    ]


def test_a_bottomless_filter_is_a_mistake() -> None:
    """The nesting depth has a limit."""
    spec: Json = comparison("IsNotNull", "data.k")
    for _ in range(100):
        spec = {"not": spec}
    assert "nested" in problems(spec)[0][1]


def test_groups_in_one_object_must_all_hold() -> None:
    """`all`, `any` and `not` can be in one object."""
    spec: Json = {
        "all": [comparison("IsNotNull", "data.a")],
        "any": [comparison("IsNotNull", "data.b"), comparison("IsNotNull", "data.c")],
        "not": comparison("IsNotNull", "data.d"),
    }
    condition = compile_filter(spec)
    assert condition.holds(fields_with({"a": 1, "c": 1}))
    for data in ({"c": 1}, {"a": 1}, {"a": 1, "c": 1, "d": 1}):
        assert not condition.holds(fields_with({**data}))


def test_the_operators_are_event_grids() -> None:
    """All 19 operators of a subscription exist under their names."""
    numbers = {
        f"Number{rest}" for rest in ("GreaterThan", "LessThan", "In", "NotIn", "InRange", "NotInRange")
    }
    numbers |= {"NumberGreaterThanOrEquals", "NumberLessThanOrEquals"}
    parts = ("Contains", "BeginsWith", "EndsWith", "In")
    texts = {f"String{negation}{part}" for part in parts for negation in ("", "Not")}
    assert OPERATORS.keys() == numbers | texts | {"BoolEquals", "IsNullOrUndefined", "IsNotNull"}


def test_conditions_are_values() -> None:
    """Equal filters compile to equal, immutable conditions."""
    spec: Json = json.loads('{"any": [{"operatorType": "NumberIn", "key": "data.k", "values": [1, 2.5]}]}')
    assert compile_filter(spec) == compile_filter(spec)
    assert hash(compile_filter(comparison("IsNotNull", "data.k"))) is not None
