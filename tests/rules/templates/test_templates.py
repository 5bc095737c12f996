"""Templates: types are kept, names are checked, event content is data, and everything is limited."""

import contextlib
import json
import math
import re
import sys
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.processes import programs
from shared.errors import TemplateError, UnusableValue
from shared.event import Event
from shared.event.app_facts import AppFacts
from shared.rules.templates import compile_json, compile_template, event_scope
from shared.rules.templates.compile import _paths_alone
from shared.rules.templates.filters import FILTERS
from shared.rules.templates.sandbox import compile_with_jinja
from shared.values.json_text import Json
from shared.values.storable import MAX_CONF_BYTES, MAX_DEPTH, MAX_TEXT, check_size, to_json

DATA: dict[str, Any] = {
    "count": 3,
    "ratio": 0.5,
    "yes": True,
    "nothing": None,
    "text": "plain",
    "tags": ["a", "b"],
    "files": [{"url": "https://x/a.csv", "at": {"n": 1}}, {"url": "https://x/b.csv", "at": {"n": 2}}],
    "items": "the event's own",
    "url": "https://account.blob.core.windows.net/orders/2026/03/new file.csv?sig=1",
    "payload": '{"name": "inner", "n": [1, 2]}',
    "evil": "{{ 7 * 7 }}{% raw %}",
    "long": "x" * 60_000,
}
EVENT = Event(
    id="e1",
    source="/subscriptions/1/resourceGroups/web",
    type="Contoso.Done",
    subject="/orders/new.csv",
    time="2026-03-01T23:30:00.1234567+02:00",
    data=DATA,
    extensions={"traceparent": "00-1", "contosokind": "gold"},
)
SCOPE = event_scope(EVENT, AppFacts(site="shop", slot="production"), rule="r1", description="Why")

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["{{ x }}", "{% for", "\x00"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def render(source: str, scope: dict[str, Any] = SCOPE) -> Json:
    """Compile and render a template."""
    return compile_template(source).render(scope)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain", "plain"),
        ("{{ data.count }}", 3),
        ("  {{ data.count }}\n", 3),
        ("{{ data.count + 1 }}", 4),
        ("{{ data.ratio }}", 0.5),
        ("{{ data.yes }}", True),
        ("{{ data.nothing }}", None),
        ("{{ data.tags }}", ["a", "b"]),
        ("{{ data.files[0] }}", DATA["files"][0]),
        ("{{ data.text }}", "plain"),
        ("{{ '3' }}", "3"),
        ("{{ data.items }}", "the event's own"),
        ("{{ data['items'] }}", "the event's own"),
        ("{{ data.tags.1 }}", "b"),
        ("{{ data.tags[-1] }}", "b"),
        ("{{ data.tags[:1] }}", ["a"]),
        ("{{ [data.count, data.text] }}", [3, "plain"]),
        ("{{ {'n': data.count} }}", {"n": 3}),
        ("{{ data.count > 2 and not data.nothing }}", True),
        ("{{ 'big' if data.count > 2 else 'small' }}", "big"),
        ("{{ 'a' in data.tags }}", True),
        ("{{ data.nothing is none }}", True),
        ("{{ data.missing is defined }}", False),
        ("{{ data.a.b.c is undefined }}", True),
        ("{{ -data.count }}", -3),
        ("{{ 7 // 2 }}", 3),
    ],
)
def test_a_single_expression_keeps_its_type(source: str, expected: Json) -> None:
    """A template that is exactly one expression keeps the type of its value."""
    value = render(source)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("n={{ data.count }}", "n=3"),
        (" {{ data.count }}!", " 3!"),
        ("{{ data.yes }} {{ data.nothing }} {{ data.ratio }}", "true null 0.5"),
        ("{{ data.tags }};", '["a","b"];'),
        ("{{ app.site }}-{{ rule.name }}", "shop-r1"),
        ("{% if data.count > 2 %}many{% else %}few{% endif %}", "many"),
        ("{% if data.count > 5 %}many{% elif data.yes %}some{% endif %}", "some"),
        ("{{ data.text ~ data.count ~ data.yes }}", "plain3true"),
        ("{{ data.evil }}.", "{{ 7 * 7 }}{% raw %}."),
        ("{# a remark #}x", "x"),
    ],
)
def test_text_around_expressions_gives_text(source: str, expected: str) -> None:
    """Within text a value is written as JSON, and a text unchanged."""
    assert render(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ id }} {{ source }} {{ type }}", "e1 /subscriptions/1/resourceGroups/web Contoso.Done"),
        ("{{ topic }} {{ eventType }}", "/subscriptions/1/resourceGroups/web Contoso.Done"),
        ("{{ time }} {{ eventTime }}", f"{EVENT.time} {EVENT.time}"),
        ("{{ subject }}", "/orders/new.csv"),
        ("{{ traceparent }}", "00-1"),
        ("{{ extensions.contosokind }}", "gold"),
        ("{{ event.contosokind }}", "gold"),
        ("{{ contosokind | default('none') }}", "gold"),
        ("{{ otherkind | default('none') }}", "none"),
        ("{{ event.specversion }}", "1.0"),
        ("{{ rule.description }}", "Why"),
        ("{{ app.slot }}", "production"),
    ],
)
def test_every_name_of_the_event_is_there(source: str, expected: str) -> None:
    """Templates have every attribute by the names of both schemas, and the extensions."""
    assert render(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ data.text | upper }}", "PLAIN"),
        ("{{ type | lower }}", "contoso.done"),
        ("{{ subject | trim('/') }}", "orders/new.csv"),
        ("{{ ' x ' | trim }}", "x"),
        ("{{ subject | replace('/', '-') }}", "-orders-new.csv"),
        ("{{ 'a.b' | split('.') }}", ["a", "b"]),
        ("{{ data.tags | join('+') }}", "a+b"),
        ("{{ [1, true, 'x'] | join }}", "1truex"),
        ("{{ data.tags | first }}", "a"),
        ("{{ data.tags | last }}", "b"),
        ("{{ data.tags | length }}", 2),
        ("{{ data.files | map(attribute='url') }}", ["https://x/a.csv", "https://x/b.csv"]),
        ("{{ data.files | map('at.n') }}", [1, 2]),
        ("{{ '12' | int }}", 12),
        ("{{ '1.5' | float }}", 1.5),
        ("{{ data.count | string }}", "3"),
        ("{{ data.tags | tojson }}", '["a","b"]'),
        ("{{ data.text | tojson }}", '"plain"'),
        ("{{ data.payload | from_json }}", {"name": "inner", "n": [1, 2]}),
        ("{{ (data.payload | from_json).n[1] }}", 2),
        ("{{ 'New Site (EU)' | slug }}", "new-site-eu"),
        ("{{ 'x' | hash }}", "2d711642b726b044"),
        ("{{ 'x' | hash(length=4) }}", "2d71"),
        ("{{ data.url | path_parts }}", ["orders", "2026", "03", "new file.csv"]),
        ("{{ source | path_parts | last }}", "web"),
        ("{{ time | parse_time }}", "2026-03-01T21:30:00.123456Z"),
        ("{{ (time | parse_time).hour }}", 21),
        ("at {{ time | parse_time }}", "at 2026-03-01T21:30:00.123456Z"),
        ("{{ time | format_time('%Y/%m/%d') }}", "2026/03/01"),
        ("{{ data.missing | default(0) }}", 0),
        ("{{ data.a.b.c | default }}", ""),
        ("{{ data.nothing | d('x', true) }}", "x"),
        ("{{ data.nothing | default('x') }}", None),
    ],
)
def test_filters(source: str, expected: Json) -> None:
    """Each filter returns what docs/rules.md describes."""
    assert render(source) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ dta.x }}", r"`dta` is not defined \(did you mean `data`\?\)"),
        ("{{ Data }}", "did you mean `data`"),
        ("{{ somethingelse }}", "`event.somethingelse`"),
        ("{{ Some_Thing | default(1) }}", "`Some_Thing` is not defined"),
        ("{{ app.sit }}", r"`app` has no member `sit` \(did you mean `site`\?\)"),
        ("{{ app.sit | upper }}", "did you mean `site`"),
        ("{{ data.x | slgu }}", r"unknown filter `slgu` \(did you mean `slug`\?\)"),
        ("{{ data.x is defind }}", r"unknown test|No test named"),
        ("{{ data.x", "`{{` is not closed by `}}`; write `{{ data.x }}`"),
        ("{{ data.x() }}", "calls are not available"),
        ("{{ range(10) }}", "calls are not available"),
        ("{{ 10 ** 10 }}", r"`\*\*` is not available"),
        ("{% for x in data.tags %}{{ x }}{% endfor %}", "loops are not available"),
        ("{% set x = 1 %}", "set %}` is not available"),
        ("{% macro m() %}{% endmacro %}", "only expressions and `{% if %}` are available"),
        ("{% include 'x' %}", "only expressions and"),
        ("{% import 'x' as y %}", "only expressions and"),
        ("{% filter upper %}x{% endfilter %}", "only expressions and"),
        ("{{ data.tags | join(*data.tags) }}", "arguments are not available"),
        ("{{ '%999999999d' | format(1) }}", "unknown filter `format`"),
        ("{{ " + " + ".join(["1"] * 200) + " }}", "parts, more than"),
        ("{{ data.x }}" + "x" * 5_000, "characters long, more than"),
        ("{{ " + "(" * 1_000 + "1" + ")" * 1_000 + " }}", "nested too deeply|parts, more than"),
        ("{{ " + "-" * 2_000 + "1 }}", "nested too deeply|parts, more than"),
    ],
)
def test_mistakes_are_found_before_any_event(source: str, message: str) -> None:
    """A template that is wrong for every event is refused when the rules are loaded."""
    with pytest.raises(TemplateError, match=message):
        compile_template(source)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ data.txt }}", r"`data` has no member `txt` \(did you mean `text`\?\)"),
        ("{{ data.txt | upper }}", "did you mean `text`"),
        ("{{ data.text.x }}", "is str and has no member `x`"),
        ("{{ data.nothing.x }}", "is null and has no member `x`"),
        ("a {{ datacontenttype }}", "this event has no `datacontenttype`"),
        ("{{ datacontenttype ~ 'x' }}", "this event has no `datacontenttype`"),
        ("{{ data.txt + 1 }}", "has no member `txt`"),
        ("{{ [data.txt] }}", "has no member `txt`|not a JSON value"),
        ("{{ 1 // 0 }}", "divides by zero"),
        ("{{ data.text * 1000000000 }}", r"`\*` needs two numbers"),
        ("{{ data.tags * 1000000000 }}", r"`\*` needs two numbers"),
        ("{{ '%0999999999d' % 1 }}", "`%` needs two numbers"),
        ("{{ " + " * ".join(["99999999999999"] * 20) + " }}", "more than 256 bits"),
        ("{{ data.text + 1 }}", r"`\+` needs two numbers, two texts"),
        ("{{ data.long | replace('x', data.long) }}", "`replace` makes more than"),
        ("{{ [data.long, data.long] | join }}", "`join` makes more than"),
        ("{{ data.tags | join(data.long ~ data.text) | join }}", "needs a list"),
        ("{{ data.long ~ data.long }}", "makes more than"),
        ("{{ data.long }}{{ data.long }}", "writes more than"),
        ("{{ data.long | upper }}{{ data.long }}", "writes more than"),
        ("{{ [" + ", ".join(["data.long | upper"] * 80) + "] }}", "in all its steps"),
        ("{{ " + " + ".join(["data.long"] * 30) + " }}", "in all its steps"),
        ("{{ [" + ", ".join(["data.long | hash"] * 80) + "] }}", "in all its steps"),
        ("{{ 1e308 * 10 }}", "inf, which JSON"),
        ("{{ data.text | int }}", "`int` needs a number, not `plain`"),
        ("{{ data.text | float }}", "`float` needs a number, not `plain`"),
        ("{{ data.nothing | float }}", "`float` needs a number, not null"),
        ("{{ data.text | from_json }}", "the text is not JSON"),
        ("{{ data.count | from_json }}", "`from_json` needs text"),
        ("{{ 'NaN' | from_json }}", "the text is not JSON"),
        ("{{ data.text | parse_time }}", "`plain` is not an RFC 3339 time"),
        ("{{ '2026-03-01T10:00:00' | parse_time }}", "with an offset"),
        ("{{ time | format_time('%1000000000d') }}", "is not a pattern"),
        ("{{ data.count | length }}", "`length` needs a list"),
        ("{{ [] | first }}", "the list is empty"),
        ("{{ data.text | split('') }}", "needs a separator"),
        ("{{ data.text | replace('', 'x') }}", "needs a text to replace"),
        ("{{ data.files | map(attribute='nope') }}", "no member `nope`"),
        ("{{ data.text | map(attribute='x') }}", "`map` needs a list"),
        ("{{ 'http://[' | path_parts }}", "is not a URL"),
        ("{{ data.text | upper(1, 2) }}", "cannot be rendered"),
        ("{{ 'a' < 1 }}", "cannot be rendered"),
        ("{{ {1: 2} }}", "JSON's keys are text"),
        ("{{ data.text.__class__ }}", "has no member `__class__`"),
        ("{{ data['__class__'] }}", "has no member `__class__`"),
        ("{{ (time | parse_time).isoformat }}", "has no member `isoformat`"),
    ],
)
def test_what_cannot_be_rendered_is_a_template_error(source: str, message: str) -> None:
    """A missing value of the event, or an exceeded limit, is a TemplateError with the reason."""
    template = compile_template(source)
    started = time.monotonic()
    with pytest.raises(TemplateError, match=message):
        template.render(SCOPE)
    assert time.monotonic() - started < 30  # without the limit it never ends


def test_an_event_about_no_site_has_no_app() -> None:
    """`app` is missing if the event is not about a site, and `default` handles this."""
    scope = event_scope(EVENT, None, rule="r", description="")
    with pytest.raises(TemplateError, match="not about an App Service site"):
        render("{{ app.site }}", scope)
    assert render("{{ app.site | default('none') }}", scope) == "none"


def test_an_extension_never_hides_a_name_of_the_scope() -> None:
    """An extension attribute with a name such as `rule` or `app` is read only through `event`."""
    event = Event(id="1", source="s", type="t", extensions={"rule": "x", "app": "y", "data1": "z"})
    scope = event_scope(event, None, rule="r", description="")
    assert render("{{ rule.name }}", scope) == "r"
    assert "app" not in scope


def test_what_airflow_cannot_store_is_replaced_or_refused() -> None:
    """NUL and lone surrogates become U+FFFD, also in keys; NaN, infinity and deep nesting are refused."""
    scope = {"data": {"a\x00": "b\x00c\ud800"}}
    assert render("{{ data }}", scope) == {
        "a\N{REPLACEMENT CHARACTER}": "b\N{REPLACEMENT CHARACTER}c\N{REPLACEMENT CHARACTER}"
    }
    for number in (math.nan, math.inf):
        with pytest.raises(TemplateError, match="JSON and Airflow cannot hold"):
            render("{{ data }}", {"data": number})
    deep: Json = 1
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    with pytest.raises(TemplateError, match="levels deep"):
        render("{{ data }}", {"data": deep})
    with pytest.raises(TemplateError, match="levels deep"):
        render("x{{ data }}", {"data": deep})
    with pytest.raises(TemplateError, match=r"nested|levels deep"):
        render("{{ data == event }}", {"data": nested(100_000), "event": nested(100_000)})


def nested(levels: int) -> Json:
    """Return a nested list with this many levels."""
    value: Json = []
    for _ in range(levels):
        value = [value]
    return value


def test_a_json_value_is_rendered_member_by_member() -> None:
    """Texts in lists and objects are templates, other values are unchanged, and an error has its path."""
    problems: list[tuple[tuple[str | int, ...], str]] = []

    def report(path: tuple[str | int, ...], message: str) -> None:
        problems.append((path, message))

    value: Json = {"a": ["{{ data.count }}", 7, None], "b": {"c": "x{{ data.text }}"}}
    assert compile_json(value, report).render(SCOPE) == {"a": [3, 7, None], "b": {"c": "xplain"}}
    with pytest.raises(TemplateError, match=r"^b\.0: `\{\{ data\.txt \}\}`: "):
        compile_json({"b": ["{{ data.txt }}"]}, report).render(SCOPE)
    assert problems == []
    compile_json({"b": ["{{ dta }}", "{{"]}, report, ("conf",))
    assert [path for path, _ in problems] == [("conf", "b", 0), ("conf", "b", 1)]


def test_a_conf_that_is_too_large_is_refused_with_its_size() -> None:
    """A run's conf has at most 48 KiB."""
    check_size({"a": "x" * (MAX_CONF_BYTES - 8)})
    with pytest.raises(UnusableValue, match="49,153 bytes as JSON, more than 49,152"):
        check_size({"a": "x" * (MAX_CONF_BYTES - 7)})


@pytest.mark.slow
def test_plain_paths_do_not_import_jinja() -> None:
    """A rules file with only plain paths does not import Jinja."""
    script = (
        "import sys; from shared.rules.templates import compile_template as c;"
        "c('{{ data.url }}'); c('a {{ app.site }} b'); c('text');"
        "assert 'jinja2' not in sys.modules; c('{{ 1 + 1 }}'); assert 'jinja2' in sys.modules"
    )
    programs.run([sys.executable, "-c", script], check=True)


PATHS = st.lists(
    st.sampled_from(["count", "text", "files", "url", "nope", "items", "0", "a", "tags"]), max_size=3
).map(lambda names: ".".join(["data", *(name for name in names if not name.isdigit())]))


@given(
    before=st.text(st.characters(exclude_characters="{}%#\n\r", exclude_categories=["Cs"]), max_size=5),
    path=PATHS,
    after=st.text(st.characters(exclude_characters="{}%#\n\r", exclude_categories=["Cs"]), max_size=5),
    data=JSON_VALUES | st.just(DATA),
)
def test_plain_paths_mean_what_jinja_makes_of_them(before: str, path: str, after: str, data: Json) -> None:
    """The direct compilation of plain paths and Jinja return the same value, or both refuse."""
    source = f"{before}{{{{ {path} }}}}{after}"
    short = _paths_alone(source)
    assert short is not None
    outcomes: list[object] = []
    for evaluate in (short, compile_with_jinja(source)):
        try:
            outcomes.append(to_json(evaluate({"data": data})))
        except UnusableValue:
            outcomes.append(UnusableValue)
    assert outcomes[0] == outcomes[1]


@settings(deadline=None)
@given(
    data=JSON_VALUES,
    filters=st.lists(st.sampled_from([*sorted(FILTERS), "default", "d"]), max_size=4),
    argument=st.sampled_from(["", "('x')", "(1)", "(data)", "(data, data)", "(attribute='a')"]),
)
def test_hostile_data_never_raises_anything_but_a_template_error(
    data: Json, filters: list[str], argument: str
) -> None:
    """For any event, a template returns JSON that can be sent, or a TemplateError."""
    source = "{{ data" + "".join(f" | {name}{argument}" for name in filters) + " }}"
    for text in (source, f"x{source}"):
        try:
            value = compile_template(text).render({"data": data})
        except TemplateError:
            continue
        encoded = json.dumps(value, allow_nan=False, ensure_ascii=False)
        encoded.encode()
        assert len(encoded) < 10 * MAX_TEXT


@given(
    source=st.lists(
        st.sampled_from([*"{}%#()[]|~.+*'\" abd0", "{{", "}}", "data", "if", "endif", "is", "not"])
    ).map("".join)
)
def test_any_source_compiles_or_is_a_template_error(source: str) -> None:
    """Compiling any text returns a template or raises a TemplateError."""
    try:
        template = compile_template(source)
    except TemplateError:
        return
    with contextlib.suppress(TemplateError):
        template.render(SCOPE)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ data.0 }}", "zero"),
        ("{{ data[0] }}", "zero"),
        ("{{ data['0'] }}", "zero"),
        ("{{ data.list.0 }}", "first"),
        ("{{ data.10.20 }}", "deep"),
        ("{{ data[-1] }}", "minus"),
        ("{{ data.5 | default('none') }}", "none"),
    ],
)
def test_a_member_whose_name_is_a_number_is_found(source: str, expected: str) -> None:
    """Names in JSON are text, and Jinja reads digits as a number: both find the member."""
    data = {"0": "zero", "list": ["first"], "10": {"20": "deep"}, "-1": "minus"}
    assert compile_template(source).render({"data": data}) == expected


@pytest.mark.parametrize("source", ["{{ data.7 }}", "{{ data[7] }}", "{{ data['7'] }}", "{{ data[0.5] }}"])
def test_a_missing_member_is_never_suggested_as_itself(source: str) -> None:
    """The suggestion for a missing name is another name."""
    with pytest.raises(TemplateError) as caught:
        compile_template(source).render({"data": {"0": 1, "0.5": 2}})
    missing = re.search(r"no member `([^`]+)`", str(caught.value))
    assert missing is None or f"did you mean `{missing[1]}`" not in str(caught.value)
