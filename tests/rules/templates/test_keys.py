"""Keys (`dedupe_by`, `latest_by`, `coalesce.by`): a missing value never becomes a key."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.deciding.decide import Decision, decide, explain
from shared.errors import TemplateError
from shared.event import Event
from shared.rules import load_rules
from shared.rules.templates import compile_template
from shared.rules.templates.compile import _paths_alone
from shared.rules.templates.filters import FILTERS
from shared.rules.templates.key_sandbox import key_dialect
from shared.rules.templates.presence import absence, written_absence
from shared.rules.templates.sandbox import compile_with_jinja
from shared.values.json_text import Json, JsonObject

type Step = Callable[[str], str]

ABSENT: dict[str, JsonObject] = {
    "missing": {},
    "null": {"x": None},
    "an empty text": {"x": ""},
    "blanks": {"x": " \t\r\n\u00a0"},
    "invisible characters": {"x": "\u200b\u2060\ufeff\u00ad\x00"},
    "an empty list": {"x": []},
    "an empty object": {"x": {}},
    "a list of null": {"x": [None, None]},
    "a list of empty texts": {"x": ["", " "]},
    "an object of null": {"x": {"a": None, "b": [{}]}},
}
ARGUMENTS = {
    "format_time": "('%Y')",
    "join": "('-')",
    "map": "(attribute='a')",
    "replace": "('a', 'b')",
    "split": "(',')",
}
"""What a filter needs; every other one is tried without an argument."""


def call(name: str, arguments: str = "") -> Step:
    """Return the step that adds a filter after an expression."""
    return lambda inner: f"({inner}) | {name}{arguments}"


def around(form: str) -> Step:
    """Return the step that puts an expression into another one, instead of `_`."""
    return lambda inner: form.replace("_", f"({inner})")


FILTER_STEPS = {name: call(name, ARGUMENTS.get(name, "")) for name in FILTERS} | {
    "default": call("default"),
    "default('')": call("default", "('')"),
    "d('none')": call("d", "('none')"),
    "default('none', true)": call("default", "('none', true)"),
    "default(otherwise='none')": call("default", "(otherwise='none', boolean=true)"),
    "default(rule.name)": call("default", "(rule.name, true)"),
    "default(1 + 1)": call("default", "(1 + 1, true)"),
    "default(data.x)": call("default", "(data.x, true)"),
}
COMBINING = (
    *("_ ~ ''", "'' ~ _", "'a' ~ _ ~ 'b'", "_ ~ id", "_ + ''", "'a' + _", "_ + 1", "-_", "_ // 2"),
    *("[_]", "[_, 'a'] | join", "['a', _] | first", "[_] | length", "[[_]] | tojson", "(_, 'a') | last"),
    *("{'a': _}", "{'a': _, 'b': 1} | tojson", "({'a': _}).a", "{'b': _, 'a': 'x'} | hash"),
    *("'a' if _ else 'b'", "_ if _ else 'b'", "id if not _ else 'b'", "_ or 'a'", "_ or id", "_ and 'a'"),
    *("_ == 'a'", "_ != none", "_ in ['a']", "_ in []", "'a' in _", "'a' == _", "_ < 'a'", "not _"),
    *("_ is none", "_ is defined", "_ is undefined", "_ is string", "_ is sequence", "_ is not number"),
    *("_[0]", "_[0:]", "_['a']", "data[_]", "id[_:]", "'abc' | replace('b', _)", "'abc' | trim(_)"),
    *("id | split(_)", "[id, id] | join(_)", "id | hash(length=_)"),
)
WHOLE = (
    "{{ _ }}",
    " {{ _ }}",
    "p-{{ _ }}",
    "{{ _ }}{{ id }}",
    "{% if _ %}a{% endif %}b",
    "{% if not _ %}a{% endif %}b",
)


def key(source: str, data: Json, **more: object) -> str:
    """Return the key that a template makes for an event."""
    scope: dict[str, Any] = {"data": data, "id": "e-1", "rule": {"name": "r"}, **more}
    try:
        template = compile_template(source, key=True)
    except TemplateError as error:
        raise AssertionError(f"{source} is wrong in itself: {error}") from error
    return template.render_text(scope)


STEPS = [*FILTER_STEPS.values(), *map(around, COMBINING)]


@pytest.mark.parametrize("absent", ABSENT)
@pytest.mark.parametrize("whole", WHOLE)
def test_what_is_not_there_is_an_error_by_whatever_filter(absent: str, whole: str) -> None:
    """With a missing value the key raises, for every filter, operator and text around it."""
    for step in [call("string"), *STEPS]:
        source = around(whole)(step("data.x")) if whole != "{{ _ }}" else f"{{{{ {step('data.x')} }}}}"
        with pytest.raises(TemplateError):
            raise AssertionError(f"{source} gives {key(source, ABSENT[absent])}")


@given(
    steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=4),
    whole=st.sampled_from(WHOLE),
    data=st.sampled_from(list(ABSENT.values())),
    leaf=st.sampled_from(
        ["data.x", "data['x']", "data.in.x", "x", "data.list[0]", "(data.text | from_json).x"]
    ),
)
@settings(deadline=None, max_examples=200)
def test_no_chain_of_steps_gets_round_it(steps: list[Step], whole: str, data: JsonObject, leaf: str) -> None:
    """With a missing value the key raises, for every chain of filters, operators and conditions."""
    inner = reduce(lambda expression, step: step(expression), steps, leaf)
    everywhere: JsonObject = {**data, "in": data, "list": [data.get("x")], "text": '{"x": null}'}
    if leaf == "x":  # an extension attribute, which only `default` and tests may name bare
        inner = reduce(lambda expression, step: step(expression), steps, "x | default('none')")
    try:
        made = key(around(whole)(inner), everywhere, **({"x": data["x"]} if "x" in data else {}))
    except TemplateError:
        return
    raise AssertionError(made)


GOOD = [
    *(call(name) for name in ("lower", "upper", "trim", "string", "hash", "tojson")),
    *(call("default", arguments) for arguments in ("('none')", "", "(id)", "(data.gone)")),
    *(call("split", "('|')"), call("replace", "('|', '-')")),
    *map(
        around,
        (
            *(
                "_ ~ ''",
                "'' ~ _",
                "'a' ~ _",
                "_ ~ id",
                "[_] | first",
                "[_, 'a'] | last",
                "[_, ''] | join('-')",
            ),
            *(
                "{'a': _}",
                "({'a': _}).a",
                "_ if _ else 'b'",
                "'a' if _ == 'q' else 'b'",
                "_ or id",
                "_ and id",
            ),
            *("_ is none", "_ is defined", "_ in ['a']", "[_] | tojson", "[_] | length"),
        ),
    ),
]
VISIBLE = st.text(min_size=1).filter(lambda text: any(each.isalnum() for each in text))
PRESENT = VISIBLE | st.integers() | st.booleans() | st.lists(VISIBLE, min_size=1, max_size=3)


@given(
    steps=st.lists(st.sampled_from(GOOD), max_size=4),
    whole=st.sampled_from(["{{ _ }}", "p-{{ _ }}", "{{ _ }}{{ id }}"]),
    value=PRESENT,
)
@settings(deadline=None, max_examples=150)
def test_what_is_there_gives_the_key_that_it_always_gave(steps: list[Step], whole: str, value: Json) -> None:
    """A value makes the same text as in any other template, also 0 and false."""
    source = whole.replace("_", reduce(lambda expression, step: step(expression), steps, "data.x"))
    scope: dict[str, Any] = {"data": {"x": value}, "id": "e-1"}
    assert key(source, {"x": value}) == compile_template(source).render_text(scope)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ data.gone | default(id) }}", "e-1"),
        ("{{ data.gone | default(data.also | default(id)) }}", "e-1"),
        ("{{ data.null | default(id, true) }}", "e-1"),
        ("{{ data.blank | default(data.x, true) }}", "v"),
        ("{{ data.null | default('none', true) | default(data.x, true) }}", "v"),
        ("{{ data.x | default(data.gone) }}", "v"),
        ("{{ data.x | default('none', true) }}", "v"),
        ("{{ data.zero | default(id, true) }}", "e-1"),
        ("{{ data.zero | default('none', true) }}", None),
        ("{{ '///' | trim('/') | default(id, true) }}", "e-1"),
        ("{{ data.path | split('/') | join('-') }}", "-a-b"),
        ("{{ (data.path | split('/'))[1:] | join('.') }}", "a.b"),
        ("{{ data.path | split('/') | last }}", "b"),
        ("{{ data.tags + [data.x] }}", '["a","v"]'),
        ("{{ [data.x] + data.tags | first }}", None),
        ("{{ data.files | map(attribute='url') | last }}", "u2"),
        ("{{ data | tojson | length > 5 }}", "true"),
        ("{{ {'n': data.zero, 'f': data.false} }}", '{"n":0,"f":false}'),
        ("{{ data.whole }}", '{"n":null,"m":1}'),
        ("{{ data.whole.n | default(id) }}", None),
        ("{{ data.null | default(id) }}", None),
        ("{{ data.mixed }}", None),
        ("{{ data.mixed | join }}", None),
        ("{{ data.mixed | first }}", None),
        ("{{ data.mixed | last }}", "a"),
        ("{{ data.path | split('/') | first }}", None),
        ("{{ '' }}", None),
        ("{{ none }}", None),
        ("{{ data.x ~ none }}", None),
        ("{{ specversion | default(specversion) }}", None),
    ],
)
def test_where_the_line_is(source: str, expected: str | None) -> None:
    """Another value of the event can replace a missing one, and a part can be empty if the whole is not."""
    data: JsonObject = {
        "x": "v",
        "null": None,
        "blank": " ",
        "path": "/a/b",
        "tags": ["a"],
        "zero": 0,
        "false": False,
    }
    data |= {"files": [{"url": None}, {"url": "u2"}], "whole": {"n": None, "m": 1}, "mixed": [None, "a"]}
    if expected is not None:
        assert key(source, data) == expected
        return
    with pytest.raises(TemplateError):
        raise AssertionError(key(source, data))


KEYED = {
    "dedupe_by": "  dedupe_by: {}\n",
    "latest_by": "  latest_by: {}\n",
    "coalesce.by": "  coalesce: {{window: 5m, by: {}}}\n",
}


@pytest.mark.parametrize("place", KEYED)
@pytest.mark.parametrize("absent", ABSENT)
@pytest.mark.parametrize(
    "template",
    [
        *(
            "{{ data.x }}",
            "site-{{ data.x }}",
            "{{ data.x | string }}",
            "{{ data.x ~ '' }}",
            "{{ data.x | lower }}",
        ),
        *(
            "{{ data.x | default('') }}",
            "{{ [data.x, data.x] | join('-') }}",
            "{{ data.x | default('none') }}",
        ),
    ],
)
def test_a_rule_says_which_of_its_keys_is_not_there(place: str, absent: str, template: str) -> None:
    """In each of the three keys the event starts no run, and the reason names the key."""
    assert decided(place, template, ABSENT[absent]).request is None
    assert str(decided(place, template, ABSENT[absent]).reason).startswith(f"{place}: ")
    assert decided(place, template, {"x": "shop"}).request is not None


def decided(place: str, template: str, data: JsonObject) -> Decision:
    """Return what a rule with a key decides about an event."""
    rules = load_rules(
        "connections: {a: {url: 'https://airflow.example', auth: {kind: entra, scope: s}}}\n"
        "rules:\n- name: r\n  when: {types: ['*']}\n  start: {dag: d}\n"
        + KEYED[place].format(f'"{template}"'),
        file="rules.yaml",
        settings={},
    )
    [decision] = explain(Event(id="1", source="/s", type="t", time="2026-11-01T12:00:00Z", data=data), rules)
    return decision


@given(
    data=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    ),
    steps=st.lists(st.sampled_from(STEPS), max_size=3),
)
@settings(deadline=None)
def test_hostile_data_never_raises_anything_but_a_template_error(data: Json, steps: list[Step]) -> None:
    """For any event, a key is a text with a visible character, or a TemplateError."""
    source = reduce(lambda expression, step: step(expression), steps, "data.x")
    try:
        made = key(f"{{{{ {source} }}}}", {"x": data})
    except TemplateError:
        return
    assert not absence(made)
    assert made != "null"


def test_a_key_of_a_deep_text_is_bounded() -> None:
    """A text of very deep JSON is an error of the template."""
    with pytest.raises(TemplateError):
        key("{{ data.x | from_json }}", {"x": "[" * 5_000 + "]" * 5_000})


def test_an_extension_may_be_left_out() -> None:
    """`default` can replace an extension attribute that only some events have."""
    source = "{{ contosokind | default(id) }}"
    assert (key(source, {}), key(source, {}, contosokind="gold")) == ("e-1", "gold")


@pytest.mark.parametrize("id_", [" ", "\u200b", "\u00a0\u00ad"])
def test_an_id_that_nobody_can_see_is_no_identity(id_: str) -> None:
    """A rule without `dedupe_by` starts no run for an invisible id; a rule with a key does."""
    rules = load_rules(
        "connections: {a: {url: 'https://airflow.example', auth: {kind: entra, scope: s}}}\n"
        "rules:\n"
        "- {name: r, when: {types: ['*']}, start: {dag: d}}\n"
        "- {name: c, when: {types: ['*']}, start: {dag: d}, coalesce: {window: 5m, by: '{{ source }}'}}\n"
        "- {name: k, when: {types: ['*']}, start: {dag: d}, dedupe_by: '{{ source }}'}\n",
        file="rules.yaml",
        settings={},
    )
    one, collected, keyed = decide(Event(id=id_, source="/s", type="t"), rules)
    assert (one.request, collected.request) == (None, None)
    assert str(one.reason).startswith("id: ")
    assert (collected.burst_key, collected.reason) == (None, one.reason)
    assert keyed.request is not None


@given(
    before=st.text("a-. ", max_size=3),
    path=st.sampled_from(["data", "data.x", "data.x.a", "data.x.b", "id"]),
    after=st.text("a-. ", max_size=3),
    data=st.sampled_from(
        [*ABSENT.values(), {"x": "v"}, {"x": {"a": 1, "b": None}}, {"x": [1, None]}, {"x": 0}]
    ),
)
@settings(deadline=None)
def test_plain_paths_mean_what_jinja_makes_of_them(before: str, path: str, after: str, data: Json) -> None:
    """The direct compilation of plain paths and Jinja make the same key, or both refuse."""
    source = f"{before}{{{{ {path} }}}}{after}"
    short = _paths_alone(source, key=True)
    assert short is not None
    made: list[object] = []
    for evaluate in (short, compile_with_jinja(source, dialect=key_dialect())):
        try:
            made.append(evaluate({"data": data, "id": "e-1"}))
        except TemplateError:
            made.append(TemplateError)
    assert made[0] == made[1]


@given(
    st.recursive(
        st.none() | st.just("") | st.just(" "),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
@settings(deadline=None, max_examples=50)
def test_nothing_within_nothing_is_nothing(value: Json) -> None:
    """Nested null and empty values are absent, at any depth."""
    assert absence(value)
    assert written_absence(value)
    assert "list with a member that is a list" not in written_absence([value])


def test_other_templates_keep_null() -> None:
    """In conf null is a value: null in JSON, and `null` in text."""
    assert compile_template("{{ data.x }}").render({"data": {"x": None}}) is None
    assert compile_template("p-{{ data.x }}").render({"data": {"x": None}}) == "p-null"
    assert compile_template("{{ data.x | default('none') }}").render({"data": {}}) == "none"
