"""Templates that Jinja2 cannot read: what is wrong, and what to write."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import TemplateError
from shared.rules.templates import compile_template


def problem(source: str) -> str:
    """Return what is wrong with a template."""
    with pytest.raises(TemplateError) as caught:
        compile_template(source)
    return str(caught.value)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ app.site }", "`{{` is not closed by `}}`; write `{{ app.site }}`"),
        ("a {{ app.site b {{ data.x }}", "`{{` is not closed by `}}`; write "),
        ("{% if app", "`{%` is not closed by `%}`; write `{% if app %}`"),
        ("{# note", "`{#` is not closed by `#}`; write `{# note #}`"),
        ("{{ }}", "`{{ }}` is empty; write a name in it, as in `{{ app.site }}`"),
        ("{# fine #}{{ }}", "`{{ }}` is empty; write a name in it"),
        ("{% if app %}x", "`{% if … %}` is not closed; write `{% endif %}` after it"),
        ("{% foo %}", "`{% foo %}` is not available in templates; write `{% if … %}…{% endif %}`"),
        ("{{ data['x }}", "a quote (`'`) in `data['x` is not closed; write another `'`"),
        ("{{ (data.x }}", "`(` in `(data.x` has no `)`; write both, or none"),
        ("{{ data.x) }}", "`)` in `data.x)` has no `(`; write both, or none"),
        ("{{ data.x && data.y }}", "`&` is not an operator of templates; write `and`"),
        ("{{ data.x ? 1 : 2 }}", "`?` is not an operator of templates; write `a if b else c`"),
        ("{{ data.x @ 1 }}", "`@` is not an operator of templates; write the expression without it"),
        ("{{ data.x = 1 }}", "`=` in `data.x = 1` is not a comparison; write `==`"),
        (
            "{{ data.x | }}",
            "a name is missing at the end of `data.x |`; write it, or delete the last character",
        ),
        (
            "{{ data.x data }}",
            "`data` is not expected there; write a filter after `|`, `~` between two values",
        ),
        ("{{ 1 2 }}", "`{{ 1 2 }}` is not an expression; write one, as in `{{ app.site }}`"),
        ("{{ not }}", "`{{ not }}` is not an expression; write one, as in `{{ app.site }}`"),
    ],
)
def test_a_slip_is_named_with_what_to_write(source: str, expected: str) -> None:
    """The commonest mistakes have their own message."""
    assert expected in problem(source)


@given(
    st.lists(st.sampled_from([*"{}%#|.=~()['] &?x1", "{{", "}}", "{%", "%}", "if", "data", " "])).map("".join)
)
def test_no_template_shows_a_word_of_jinja(source: str) -> None:
    """For any text the message is this app's, and has a fix."""
    try:
        compile_template(source)
    except TemplateError as error:
        for line in str(error).splitlines():
            said = re.sub(r"`[^`]*`", "", line)
            assert not re.search(r"expected token|end of print|unexpected|Jinja|Encountered|Syntax", said)
            assert "; " in line or "did you mean" in line, line
