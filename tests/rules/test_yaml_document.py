"""Reading YAML: positions, YAML 1.2's scalars, duplicate keys, and limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.yaml_document import MAX_CHARACTERS, read_yaml
from shared.rules.yaml_nodes import MAX_DEPTH
from shared.values.invisible import named
from shared.values.json_text import Json


def value_of(text: str) -> Json:
    """Return the value of a YAML text without errors."""
    document, problems = read_yaml(text, file="f")
    assert problems == []
    assert document is not None
    return document.value


def refusal(text: str) -> str:
    """Return the last problem of a text that cannot be read."""
    document, problems = read_yaml(text, file="f")
    assert document is None
    return str(problems[-1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("a:", {"a": None}),
        ("12", 12),
        ("010", 10),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("2026-03-01", "2026-03-01"),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("1: x", {"1": "x"}),
        (
            "{010: x, 0x1F: y, true: t, .inf: i}",
            {"010": "x", "0x1F": "y", "true": "t", ".inf": "i"},
        ),
        ("a: &x [1, 2]\nb: *x", {"a": [1, 2], "b": [1, 2]}),
        ("a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}", {"a": {"k": 1, "l": 2}, "b": {"k": 1, "l": 3}}),
        ("b: {<<: [{k: 1}, {k: 2, m: 3}]}", {"b": {"k": 1, "m": 3}}),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, expected: Json) -> None:
    """Plain scalars are read as editors show them: `no` is text, and there are no octal numbers or times."""
    assert value_of(text) == expected


def test_every_part_has_its_place() -> None:
    """A scalar has its own position, a list or object its key's, and a missing path its parent's."""
    document, _ = read_yaml("a:\n  b: [x, {c: 1}]\n", file="f")
    assert document is not None
    assert document.position(("a",)) == (1, 1)
    assert document.position(("a", "b", 0)) == (2, 7)
    assert document.position(("a", "b", 1, "c")) == (2, 14)
    assert document.position(("a", "b", 1, "c"), key=True) == (2, 11)
    assert document.position(("a", "b", 7)) == (2, 3)
    assert document.position(("z",)) == (1, 1)
    assert document.has(("a", "b", 1, "c"))
    assert not document.has(("a", "b", 2))


def test_a_key_that_stands_twice_is_a_mistake() -> None:
    """The second key is reported with the line of the first."""
    _, problems = read_yaml("a: 1\nb: 2\na: 3\n", file="f")
    assert [str(problem) for problem in problems] == [
        "f:3:1: the key `a` appears a second time (first on line 1); keep one of the two"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("a: [1", "f:1:4: `[` is not closed; write `]`"),
        ("a: b: c", 'f:1:5: a text with `: ` in it needs quotes; write `a: "b: c"`'),
        ("a: \x00", "f:1:4: U+0000 NULL is not allowed in the file; delete it"),
        ("a: 1\n---\nb: 2", "f:2:1: a second document begins here"),
        ("a: *x", "f:1:4: the alias `*x` has no anchor `&x` before it"),
        ("a: &x [*x]", "refers to an object that contains it"),
        ("? [a]\n: 1", "a key must be text"),
        ("a: {<<: 1}", "`<<` takes an object"),
        ("[" * 100_000, f"nested more than {MAX_DEPTH} levels deep"),
        ("x" * (MAX_CHARACTERS + 1), "characters, more than"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, message: str) -> None:
    """A file that is not YAML, or exceeds a limit, has one clear problem."""
    assert message in refusal(text)


def test_aliases_cannot_blow_up() -> None:
    """The number and the depth of values from aliases are limited."""
    wide = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    assert "the file's aliases make more than" in refusal(wide)
    deep = "- &a0 [x]\n" + "".join(f"- &a{n} [*a{n - 1}]\n" for n in range(1, 5_000))
    assert f"nested more than {MAX_DEPTH} levels deep" in refusal(deep)


def test_a_number_that_json_cannot_hold_is_a_mistake_at_its_place() -> None:
    """The rest of the file is read, so that all errors are reported together."""
    document, problems = read_yaml("a: .inf\nb: [1, 1e999]\nc: '.inf'\n", file="f")
    assert document is not None
    assert [str(problem).partition(" is")[0] for problem in problems] == ["f:1:4: `.inf`", "f:2:8: `1e999`"]


@pytest.mark.parametrize(
    "character", ["\x00", "\x07", "\x7f", "\x85", "\u2028", "\u2029", "\ufffe"], ids=ascii
)
def test_a_character_that_no_file_may_hold_is_named(character: str) -> None:
    """The character is named at its position, also if YAML 1.1 ends a line at it."""
    assert f"f:2:6: {named(character)} is not allowed" in refusal(f"a: 1\nb: 'x{character}y'\n")


def test_other_tags_are_mistakes() -> None:
    """A tag for a Python object is refused."""
    _, problems = read_yaml("a: !!binary aGk=\nb: !env X\n", file="f")
    assert ["the YAML tag" in problem.message for problem in problems] == [True, True]


@given(text=st.text() | st.lists(st.sampled_from([*"[]{}:,-&*?|>!#'\"ab \n", "<<", "- ", ": "])).map("".join))
def test_any_text_is_a_document_or_problems(text: str) -> None:
    """Reading any text returns a document or problems."""
    document, problems = read_yaml(text, file="f")
    assert document is not None or problems
