"""docs/rules.schema.json in a JSON Schema library: the errors that an editor shows."""

import copy
import json
import re
from collections.abc import Callable
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from shared.errors import RulesError
from shared.rules import load_rules
from shared.rules.known_types import KNOWN_TYPES
from shared.rules.yaml_document import read_yaml
from tests.support.paths import EXAMPLE_RULES, ROOT

SCHEMA: Final = json.loads((ROOT / "docs/rules.schema.json").read_text(encoding="utf-8"))
VALIDATOR: Final = Draft202012Validator(SCHEMA)
OWN: Final = EXAMPLE_RULES.read_text(encoding="utf-8")
PAGE: Final = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
WHOLE_FILES: Final = re.findall(r"^```yaml rules\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
RULES: Final = re.findall(r"^```yaml rule\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
HEAD: Final = "connections: {main: {url: 'https://a.example', auth: {kind: entra, scope: s}}}\nrules:\n- "


def value(text: str) -> Any:
    """Return a rules file as JSON."""
    document, problems = read_yaml(text, file="rules.yaml")
    assert problems == []
    assert document is not None
    return json.loads(json.dumps(document.value))


def mistakes(document: Any) -> list[str]:
    """Return the errors that an editor shows."""
    return [error.message for error in VALIDATOR.iter_errors(document)]


def test_the_schema_is_one() -> None:
    """The schema is valid for the draft that it names."""
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(SCHEMA)


def test_every_name_of_it_leads_somewhere() -> None:
    """Each `$ref` has a definition, and each definition is used."""
    referred = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(SCHEMA)))
    assert referred == set(SCHEMA["$defs"])


@pytest.mark.parametrize(
    "text", [OWN, *WHOLE_FILES, *(HEAD + rule.replace("\n", "\n  ") for rule in RULES)], ids=lambda _: ""
)
def test_what_is_right_is_accepted(text: str) -> None:
    """The example rules and every example of docs/rules.md please the schema and the app alike."""
    assert mistakes(value(text)) == []
    load_rules(text, file="rules.yaml", settings=None)


def test_every_key_is_described() -> None:
    """Each key has a description, also the keys of a filter's comparison."""

    def described(key: Any) -> Any:
        """Return a key's schema, or its definition."""
        return (
            key if "description" in key else SCHEMA["$defs"].get(key.get("$ref", "").rpartition("/")[2], {})
        )

    def undescribed(part: Any, path: str) -> list[str]:
        if isinstance(part, list):
            return [found for each in part for found in undescribed(each, path)]
        if not isinstance(part, dict):
            return []
        named = part.get("properties", {})
        found = [f"{path}.{name}" for name, key in named.items() if "description" not in described(key)]
        return found + [each for name, inner in part.items() for each in undescribed(inner, f"{path}.{name}")]

    assert undescribed(SCHEMA, "") == []


def test_known_types_are_completed_and_others_allowed() -> None:
    """An editor suggests the types of Azure's services, and accepts other types."""
    types = SCHEMA["$defs"]["When"]["properties"]["types"]["anyOf"][0]["items"]["anyOf"]
    assert types[0] == {"enum": [*KNOWN_TYPES]}
    document = value(OWN)
    document["rules"][0]["when"]["types"] = ["Microsoft.Web.SlotSwapCompleted", "Contoso.Built", "Contoso.*"]
    assert mistakes(document) == []


def test_keys_that_begin_with_x_are_allowed() -> None:
    """Keys with `x-` are valid only at the top level, as in the app."""
    assert mistakes({**value(OWN), "x-common": {"any": [1]}}) == []
    document = value(OWN)
    document["rules"][0]["x-common"] = 1
    assert mistakes(document)


def _rule(change: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda document: change(document["rules"][0])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda document: document.pop("connections"), "'connections' is a required property"),
        (lambda document: document.update(rule=[]), "'rule' does not match any of the regexes: '^x-'"),
        (lambda document: document.update(connections={}), "{} should be non-empty"),
        (lambda document: document["connections"]["analytics"].pop("auth"), "'auth' is a required"),
        (lambda document: document["connections"]["analytics"].update(in_flight="8"), "'8' is not of type"),
        (lambda document: document["connections"]["analytics"].update(api="v3"), "'v3' is not one of"),
        (_rule(lambda rule: rule.pop("name")), "'name' is a required property"),
        (_rule(lambda rule: rule.update(name="With Spaces")), "does not match"),
        (_rule(lambda rule: rule.update(enabled="yes")), "'yes' is not of type 'boolean'"),
        (_rule(lambda rule: rule["start"].update(dagg="x")), "'dagg' was unexpected"),
        (_rule(lambda rule: rule["when"].update(types="Microsoft.*")), "is not valid under"),
        (
            _rule(lambda rule: rule["when"].update(subject={"begins": "/"})),
            "{'begins': '/'} is not valid under",
        ),
        (_rule(lambda rule: rule["when"]["filter"][0].update(operatorType="StringIs")), "is not valid under"),
        (_rule(lambda rule: rule["start"].update(conf=[])), "is not of type 'object'"),
        (_rule(lambda rule: rule.update(when_paused="wait")), "'wait' is not one of"),
    ],
)
def test_a_mistake_is_refused(change: Callable[[Any], object], told: str) -> None:
    """The schema refuses what the app refuses."""
    document = copy.deepcopy(value(OWN))
    change(document)
    assert any(told in message for message in mistakes(document)), mistakes(document)
    with pytest.raises(RulesError):
        load_rules(json.dumps(document), file="rules.yaml", settings=None)
