"""docs/identity.md: every kind has its section, its diagram and an example that loads."""

import re

import pytest

from shared.rules import load_rules
from shared.rules.model.auth import KINDS
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "identity.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def yaml_of(section: str) -> str:
    """Return the example of a section."""
    found = re.search(r"```yaml\n(.*?)```", SECTIONS[section], re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_has_a_diagram_and_an_example_that_loads(kind: str) -> None:
    """The example is a connection's part as rules.yaml takes it, and of the section's kind."""
    assert "```\n app ── " in SECTIONS[kind]
    connection = "".join(f"    {line}\n" for line in yaml_of(kind).splitlines())
    connection = connection.replace("<environment>", "data-platform")
    text = f"connections:\n  main:\n    url: https://airflow.example\n{connection}rules: []\n"
    (auth,) = load_rules(text, file="rules.yaml", settings=None).connections["main"].auths
    assert auth.kind == kind


def test_the_example_of_two_loads() -> None:
    """Two credentials in two headers."""
    connection = "".join(f"    {line}\n" for line in yaml_of("Two credentials at once").splitlines())
    text = f"connections:\n  main:\n    url: https://airflow.example\n{connection}rules: []\n"
    auths = load_rules(text, file="rules.yaml", settings=None).connections["main"].auths
    assert [auth.header for auth in auths] == ["X-Proxy-Authorization", "Authorization"]


def test_the_example_of_another_vault_loads() -> None:
    """A connection names one of the vaults."""
    rules = load_rules(yaml_of("The app's identity") + "rules: []\n", file="rules.yaml", settings=None)
    assert rules.vaults[rules.connections["theirs"].vault or ""].startswith("https://partner.")
