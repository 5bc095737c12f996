"""Invisible characters in texts: an error in names and in values that are compared."""

import json
import re
from typing import Any, Final

import pytest

from shared.errors import RulesError
from shared.rules import Rules, load_rules
from shared.values.invisible import named
from tests.values.test_invisible import UNSEEN

RULE: Final = {"name": "r", "when": {"types": ["Contoso.Built"]}, "start": {"dag": "d"}}
CONNECTION: Final = {"url": "https://airflow.example", "auth": {"kind": "entra", "scope": "s"}}


def load(rule: dict[str, Any], **more: Any) -> Rules:
    """Load a file with one rule."""
    document = {"connections": {"main": CONNECTION}, "rules": [rule], **more}
    text = json.dumps(document, ensure_ascii=False, indent=1)
    refused_as_they_are = "[\x7f\x85\u2028\u2029]"
    text = re.sub(refused_as_they_are, lambda match: f"\\u{ord(match.group()):04x}", text)
    return load_rules(text, file="rules.yaml", settings=None)


def mistakes(rule: dict[str, Any], **more: Any) -> list[str]:
    """Return the errors of a file."""
    with pytest.raises(RulesError) as caught:
        load(rule, **more)
    return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize("character", UNSEEN, ids=named)
@pytest.mark.parametrize("place", ["{}Contoso.Built", "Contoso{}.Built", "Contoso.Built{}"])
def test_no_type_holds_what_nobody_sees(character: str, place: str) -> None:
    """An invisible character in a type is named, and there is no other error about the type."""
    [problem] = mistakes({**RULE, "when": {"types": [place.format(character)]}})
    assert problem.startswith("when.types[0]: `")
    assert f"contains {named(character)} (at ␣)" in problem
    assert place.format("␣") in problem


HIDDEN: Final = "a\u200bb"
FILTER: Final = {"operatorType": "StringIn", "key": "data.n", "values": ["x"]}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": HIDDEN}, "name"),
        ({"when": {"types": ["t"], "sources": [HIDDEN]}}, "when.sources[0]"),
        ({"when": {"subject": {"ends_with": HIDDEN}}}, "when.subject.ends_with"),
        ({"when": {"filter": [{**FILTER, "values": ["x", HIDDEN]}]}}, "when.filter[0].values[1]"),
        ({"when": {"filter": {**FILTER, "key": "data.a\u200bb"}}}, "when.filter.key"),
        ({"when": {"filter": {"any": [{**FILTER, "operatorType": "StringIn\xa0"}]}}}, "any[0].operatorType"),
        ({"start": {"dag": HIDDEN}}, "start.dag"),
        ({"start": {"dag": "d", "conf": {HIDDEN: 1}}}, "start.conf.a\u200bb"),
        ({"start": {"dag": "d", "conf": {"k": "{{ data.n == 'a\u200bb' }}"}}}, "start.conf.k"),
        ({"start": {"dag": "d", "note": "{% if\u00a0true %}x{% endif %}"}}, "start.note"),
        ({"dedupe_by": "{{ id }}\u200b"}, "dedupe_by"),
        ({"track\u200b": "none"}, "track\u200b"),
    ],
)
def test_names_and_values_that_are_compared_are_read_as_they_look(change: dict[str, Any], path: str) -> None:
    """Every part of a rule that is compared is checked, also keys; each error is one line."""
    [problem] = mistakes({**RULE, **change})
    assert problem.partition(": ")[0].endswith(path)
    assert "U+200B ZERO WIDTH SPACE" in problem or "U+00A0 NO-BREAK SPACE" in problem


def test_what_people_and_dags_read_may_hold_anything() -> None:
    """Descriptions, notes and values of conf are unchanged; characters of scripts are allowed everywhere."""
    start = {"dag": "d", "note": "1\xa0000 rows of {{ id }}", "conf": {"k": ["zero\u200bwidth {{ id }}\n"]}}
    values = ["\u0645\u06cc\u200c\u062e\u0648", "山田\u3000太郎", " with blanks "]
    rules = load(
        {
            **RULE,
            "description": "soft\xadhyphen",
            "when": {"filter": {**FILTER, "values": values}},
            "start": start,
            "dedupe_by": "{{ id }}\n",
        }
    )
    assert rules.rules[0].spec.start.conf == start["conf"]
    assert not rules.warnings


@pytest.mark.parametrize("text", ["Contoso.Built ", " Contoso.Built", "Contoso.Built\t"])
def test_a_type_has_no_blank_at_its_ends(text: str) -> None:
    """A space at either end of a type is refused, because no event has it."""
    [problem] = mistakes({**RULE, "when": {"types": [text]}})
    assert "has a space at its beginning or end" in problem or "U+0009 TAB" in problem


@pytest.mark.parametrize("part", ["connections", "vaults", "callers"])
def test_the_rest_of_the_file_is_checked_as_well(part: str) -> None:
    """Addresses, scopes, names of secrets and callers are checked as names."""
    values = {
        "connections": {"main": {**CONNECTION, "auth": {"kind": "entra", "scope": "api://x "}}},
        "vaults": {"partner": "https://partner\u200b.vault.azure.net"},
        "callers": [{"name": "p", "role": "Runs.Start\ufeff", "dags": ["*"]}],
    }
    [problem] = mistakes(RULE, **{part: values[part]})
    assert problem.startswith(part)


@pytest.mark.parametrize(
    "when",
    [
        {"types": ["Contoso.Mu\u0308ller"]},
        {"subject": {"begins_with": "/Mu\u0308ller"}},
        {"filter": {**FILTER, "values": ["Mu\u0308ller"]}},
        {"filter": {**FILTER, "key": "data.Mu\u0308ller"}},
    ],
)
def test_a_text_in_nfd_is_worth_a_warning(when: dict[str, Any]) -> None:
    """A text in NFD is a warning, and the same text in NFC is not."""
    [warning] = load({**RULE, "when": when}).warnings
    assert "NFD" in warning.message
    assert warning.line > 1
    composed = json.loads(json.dumps(when, ensure_ascii=False).replace("u\u0308", "\u00fc"))
    assert not load({**RULE, "when": composed}).warnings
