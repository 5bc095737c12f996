"""Attacks through templates: an event's content is data, and a template can only read the event.

The bounds of time and size are tested beside the sandbox (tests/rules/templates/test_templates.py).
"""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import TemplateError
from shared.event import Event
from shared.event.app_facts import AppFacts
from shared.rules.templates import compile_template, event_scope
from shared.rules.templates.filters import FILTERS
from shared.values.json_text import Json

SECRET = "made-up-secret-of-the-process"
FOREIGN = (SECRET, "<class", "<function", "<bound", "object at 0x", "root:")
"""Text that cannot come from the event."""
ROOTS = (
    "event",
    "data",
    "app",
    "rule",
    "id",
    "source",
    "subject",
    "time",
    "data.list",
    "data.text",
    "data.number",
)
"""The names that a template can begin with."""
INNER = (
    "__class__", "__class__.__mro__", "__class__.__base__.__subclasses__", "__init__.__globals__", "__dict__",
    "__getattribute__", "__reduce_ex__", "__module__", "__builtins__", "_TemplateReference__context",
    "to_cloud_event", "extensions", "gi_frame.f_globals", "func_globals", "format", "format_map", "mro",
    "items", "keys", "values", "pop", "clear", "update", "append", "encode", "isoformat",
    "real", "denominator",
)  # fmt: skip
"""Members of Python's objects by which sandboxes were left before, and those that would change the event."""
OUTSIDE = (
    "self", "self.__init__", "cycler", "cycler.__init__.__globals__.os", "joiner", "namespace", "lipsum",
    "lipsum.__globals__", "dict", "range", "config", "request", "environ", "os", "loop", "caller", "varargs",
    "kwargs", "super", "url_for", "get_flashed_messages", "undefined", "environment", "__builtins__",
    "__import__", "globals", "settings", "context",
)  # fmt: skip
"""Names that other users of Jinja offer, or Python does."""
SOURCES = (
    *(f"{{{{ {root}.{member} }}}}" for root in ROOTS for member in INNER),
    *(f"{{{{ {root}['{member.partition('.')[0]}'] }}}}" for root in ROOTS for member in INNER),
    *(f"{{{{ {name} }}}}" for name in OUTSIDE),
    *(f"{{{{ {name}() }}}}" for name in OUTSIDE),
    *(f"{{{{ data | map(attribute='{member}') }}}}" for member in INNER),
    *(f"{{{{ data.list | map(attribute='{member}') | list }}}}" for member in INNER),
    *(
        f"{{{{ data | {name} }}}}"
        for name in ("attr('__class__')", "map('attr', '__class__')", "selectattr('__class__')",
                     "groupby('__class__')", "pprint", "xmlattr", "tojson", "safe", "escape", "dictsort",
                     "format", "urlize", "random",
                     "sum(attribute='__class__')", "sort(attribute='__class__')", "batch(9)", "slice(9)")
    ),
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ().__class__.__bases__[0].__subclasses__() }}",
    "{{ ''['__cl' ~ 'ass__'] }}",
    "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "{{ data[data.text] }}",
    "{{ '{0.__class__}'.format(data) }}",
    "{{ '%s' % data }}",
    "{{ data.text.format(data) }}",
    "{% set x = data.__class__ %}{{ x }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os.environ }}",
    "{% from 'os' import environ %}{{ environ }}",
    "{% extends '/etc/passwd' %}",
    "{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{{ m() }}",
    "{% call m() %}{% endcall %}",
    "{% debug %}",
    "{% with x = self %}{{ x.__dict__ }}{% endwith %}",
    "{% autoescape false %}{{ self }}{% endautoescape %}",
    "{% trans %}{{ self }}{% endtrans %}",
    "{% do data.list.append(1) %}",
    "{{ namespace(x=self).x.__init__ }}",
)  # fmt: skip


def scope_of(data: Json, **members: Any) -> dict[str, object]:
    """Return the template variables of an event."""
    event = Event(
        id="e1", source="/shops/1", type="Shop.Done", time="2026-03-01T10:00:00Z", data=data, **members
    )
    return dict(event_scope(event, AppFacts(site="shop", slot="production"), rule="r", description="why"))


def rendered(source: str, scope: dict[str, object]) -> object:
    """Render a template; None if it is refused, when it is loaded or later."""
    with contextlib.suppress(TemplateError):
        return compile_template(source).render(scope)
    return None


def test_no_template_leaves_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """A template is refused, or gives JSON of the event: no object, no code, no environment, no file."""
    monkeypatch.setenv("UPDRAFT_TEST_SECRET", SECRET)
    data: Json = {"text": "__class__", "number": 7, "list": [{"a": 1}, {"a": 2}]}
    before = json.dumps(data)
    got = {source: json.dumps(rendered(source, scope_of(data))) for source in SOURCES}
    assert len(got) > 300
    assert {source: text for source, text in got.items() if any(word in text for word in FOREIGN)} == {}
    assert json.dumps(data) == before


def test_the_attacks_meet_a_template_that_works() -> None:
    """The scope of the attacks works: a value of the event is rendered."""
    assert rendered("{{ data.list | map(attribute='a') | join('-') }}", scope_of({"list": [{"a": 1}]})) == "1"


TEMPLATE_TEXT = st.lists(
    st.sampled_from(
        ["{{", "}}", "{%", "%}", "{#", "#}", "7*7", "data", "self", "__class__", "|", "attr", "'", "x", "\n"]
    )
).map("".join)


@settings(deadline=None)
@given(
    text=TEMPLATE_TEXT,
    chain=st.lists(st.sampled_from(["trim", "upper", "lower", "slug", "string"]), max_size=3),
)
def test_what_an_event_holds_is_never_source(text: str, chain: list[str]) -> None:
    """A template in an event's text stays that text, by every path and filter that hands text on."""
    scope = scope_of({"x": text}, subject=text or "s")
    assert rendered("{{ data.x }}", scope) == text
    assert rendered("a{{ data.x }}b{{ data.x }}", scope) == f"a{text}b{text}"
    known = [name for name in chain if name in FILTERS]
    once = rendered("".join(["{{ data.x", *(f" | {name}" for name in known), " }}"]), scope)
    assert "49" not in str(once)


@settings(deadline=None)
@given(key=TEMPLATE_TEXT.filter(bool))
def test_a_key_of_an_event_is_never_source(key: str) -> None:
    """The names of an event's members are looked up as they are."""
    assert rendered("{{ data }}", scope_of({key: "v"})) == {key: "v"}
