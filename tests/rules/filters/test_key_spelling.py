"""Keys that are written as in templates: each is an error with the right spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.filters import FilterError, compile_filter, parse_key
from shared.rules.filters.key_spelling import joined

NAMES = st.lists(st.text(min_size=1, max_size=8).filter(lambda name: name == name.strip()), max_size=4)


def refusal(key: str) -> str:
    """Return the message for a wrong key."""
    with pytest.raises(FilterError) as caught:
        compile_filter({"operatorType": "IsNotNull", "key": key})
    [(path, message)] = caught.value.problems
    assert path == ("key",)
    return message


@pytest.mark.parametrize(
    ("key", "write"),
    [
        ("data['n']", "write data.n"),
        ('data["n"]', "write data.n"),
        ("data[n]", "write data.n"),
        ("data.a['b'].c", "write data.a.b.c"),
        ("data['a.b']", 'write data."a.b"'),
        ("data['a b']", "write data.a b"),
        ("{{ data.n }}", "write data.n"),
        ("{{data['n']}}", "write data.n"),
        ("data.n | lower", "write data.n, without the template's filter"),
        ("event['data']['n']", "write data.n"),
        ("event.data.n", "write data.n"),
        ("event.type", "write type"),
        ("extensions.tenant", "write tenant"),
        ("$.data.n", "write data.n"),
        ("$['data']['n']", "write data.n"),
        ("data.tags[0]", 'write data.tags (a member with the name `0` needs quotes: data.tags."0")'),
        ("data.tags.0", "write data.tags (a member"),
        ("data.tags[-1]", "write data.tags (a member"),
        ("data[0]", "write data (a member"),
        ("data.tags[*]", "compares every value of a list; write data.tags"),
        ("data.tags[]", "compares every value of a list; write data.tags"),
        ("data.a[0].b", "cannot read objects in a list; write data.a (a member"),
        ("data.a[*].b", "cannot read objects in a list; write data.a"),
        ("data.get('n')", "names joined by dots"),
        ("data.n()", "names joined by dots"),
        ("data. n", "names joined by dots"),
        ("[0]", "names joined by dots"),
        ("data['']", "names joined by dots"),
        ("${data.n}", "names joined by dots"),
    ],
)
def test_another_spelling_is_a_mistake_with_the_right_one(key: str, write: str) -> None:
    """The message has the right key, if there is one."""
    assert write in refusal(key)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ('data."0"', ("0",)),
        ("data.'a[0]'", ("a[0]",)),
        ('data."{{ x }}"', ("{{ x }}",)),
        ('data." n "', (" n ",)),
        ("data.First Name", ("First Name",)),
        ("data.$type", ("$type",)),
        ("data.@odata", ("@odata",)),
        ("data.x-y_z", ("x-y_z",)),
        ("data.a1", ("a1",)),
    ],
)
def test_a_name_in_quotes_is_taken_as_it_stands(key: str, path: tuple[str, ...]) -> None:
    """A name in quotes can have any character; other names need no quotes."""
    assert parse_key(key).path == path


@pytest.mark.parametrize(
    ("names", "key"),
    [
        (["data", "a", "b"], "data.a.b"),
        (["data", "a.b", "0", "c d"], 'data."a.b"."0".c d'),
        (["data", 'a".b', '"x'], 'data."a"".b"."""x"'),
        (["data", "'x", " y", "z{"], 'data."\'x"." y"."z{"'),
        (["a.b"], "a.b"),
    ],
)
def test_a_name_that_needs_quotes_has_them(names: list[str], key: str) -> None:
    """A quote inside is doubled; the first name never needs any."""
    assert joined(names) == key


@given(names=NAMES)
def test_the_spelling_that_is_shown_leads_along_the_names(names: list[str]) -> None:
    """The key in a message means the same names, for any names."""
    assert parse_key(joined(["data", *names])).path == tuple(names)


@given(names=NAMES.filter(bool), quote=st.sampled_from("'\""))
def test_brackets_are_never_part_of_a_name_in_silence(names: list[str], quote: str) -> None:
    """A path in brackets is refused, with the right key if no name has a quote or a bracket."""
    message = refusal("data" + "".join(f"[{quote}{name}{quote}]" for name in names))
    if not any(set(name) & set("[]'\"{}|") for name in names):
        assert message.endswith(f"write {joined(['data', *names])}")
