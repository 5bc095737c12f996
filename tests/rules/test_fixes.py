"""What to write instead of a wrong value: durations, names, lists, objects, numbers."""

import pytest

from shared.rules import fixes
from shared.rules.model.rule import When


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2 days", "`48h`"),
        ("1d", "`24h`"),
        ("1w", "`168h`"),
        ("5 min", "`5m`"),
        ("90 seconds", "`90s`"),
        ("120 seconds", "`2m`"),
        ("1.5h", "`90m`"),
        ("PT1H", "`1h`"),
        ("3600", "`3600s`"),
        ("0", "as in `90s`, `15m` or `48h`"),
        ("soon", "as in `90s`, `15m` or `48h`"),
    ],
)
def test_a_duration_is_written_in_the_files_units(given: str, expected: str) -> None:
    """The fix has the largest unit with a whole number."""
    assert expected in fixes.duration_fix(given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("60 per minute", "60/m"), ("5/sec", "5/s"), ("often", "60/m"), ("10 an hour", "10/h")],
)
def test_a_rate_is_written_with_a_slash(given: str, expected: str) -> None:
    """The fix has a number for each second, minute or hour."""
    assert f"write `{expected}`" in fixes.rate_fix(given)


@pytest.mark.parametrize(
    ("fix", "expected"),
    [
        (fixes.name_fix("Smoke Test!", 63), "write `smoke-test`"),
        (fixes.name_fix("***", 63), "write lower-case letters"),
        (fixes.list_fix("rules", {"a": 1}), "write `- ` before each member of `rules`"),
        (fixes.list_fix("types", None), "write `types: […]`"),
        (fixes.list_fix("types", "a b"), 'write `types: ["a b"]`'),
        (fixes.object_fix("start", "dag:x"), "write `dag: x`, with a space after the colon"),
        (fixes.object_fix("start", "smoke"), "write `start: {dag: smoke}`"),
        (fixes.object_fix("when", "Contoso.Built"), "write `when: {types: [Contoso.Built]}`"),
        (fixes.object_fix("auth", "entra"), "write `auth: {kind: entra, …}`"),
        (fixes.object_fix("subject", "*.csv"), "write `subject: {ends_with: .csv}`"),
        (fixes.object_fix("subject", "*"), 'write `subject: {ends_with: ""}`'),
        (fixes.object_fix("coalesce", 5), 'write `coalesce: {window: 5m, by: "{{ app.site }}"}`'),
        (fixes.object_fix("", 5), "write `key: value`"),
        (fixes.text_fix("dag", True, ""), 'write it in quotes: `"true"`'),
        (fixes.text_fix("dag", 31, "0x1F"), 'write it in quotes: `"0x1F"`'),
        (fixes.text_fix("dag", None, ""), "write a text after `dag:`"),
        (fixes.text_fix("dag", ["x"], ""), "write `dag: x`, without brackets"),
        (fixes.text_fix("dag", ["x", "y"], ""), "write one text: `dag: …`"),
        (fixes.text_fix("", None, ""), "write a text"),
        (fixes.bool_fix("no"), "write `false`"),
        (fixes.bool_fix("maybe"), "write `true` or `false`"),
        (fixes.number_fix("1_000", whole=True), "write `1000`, without quotes"),
        (fixes.number_fix("2.5", whole=False), "write `2.5`, without quotes"),
        (fixes.number_fix(2.6, whole=True), "write `3`"),
        (fixes.number_fix("many", whole=True), "write a whole number"),
    ],
)
def test_a_value_is_written_in_its_form(fix: str, expected: str) -> None:
    """The fix has the probable value as YAML."""
    assert fix.startswith(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "a"),
        ("true", '"true"'),
        (True, "true"),
        ([1, "b", None, 4], "[1, b, …, …]"),
        ({}, "…"),
        ("x" * 80, "x" * 59 + "…"),
    ],
)
def test_values_are_shown_as_yaml_on_one_line(value: object, expected: str) -> None:
    """Long values are cut."""
    assert fixes.flow(value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a is wrong; write b", ("a is wrong", "write b")),
        ("`x; y` is wrong; write b; or c", ("`x; y` is wrong", "write b; or c")),
        ("`x``; y` is odd", ("`x``", "y` is odd")),
        ("no `a` (did you mean `b`?)", ("no `a`", "did you mean `b`?")),
        ("no `a` (did you mean `b`?); there are b, c", ("no `a`", "did you mean `b`? (there are b, c)")),
        ("only wrong", ("only wrong", "")),
    ],
)
def test_a_message_is_parted(text: str, expected: tuple[str, str]) -> None:
    """A message is split at `; `, but not within a value."""
    assert fixes.parted(text) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [("typs", "types"), ("Event-Types", "types"), ("topic", "sources"), ("TYPES", "types"), ("zzz", "")],
)
def test_the_key_that_was_meant(key: str, expected: str) -> None:
    """The nearest key is found by its spelling, or by its name in Event Grid."""
    assert fixes.nearest_key(When, key, [*When.model_fields]) == expected
