"""What docs/local.md lets a newcomer paste works."""

import json
import re
import textwrap
from pathlib import Path
from typing import Final

import pytest

from cli.main import main
from shared.event.via import KINDS
from shared.rules import load_rules
from tests.support.paths import EXAMPLE_RULES, ROOT

PAGE: Final = (ROOT / "docs" / "local.md").read_text(encoding="utf-8")
EXAMPLES: Final = ROOT / "examples" / "hooks"


def blocks(language: str) -> list[str]:
    """Return the page's blocks in one language, also blocks in a list."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", PAGE, re.MULTILINE | re.DOTALL)
    return [textwrap.indent(textwrap.dedent(text), "  ") for _, text in found]


def test_the_rules_of_the_page_fit_behind_the_first_rules() -> None:
    """Both rules can be added to the rules file as they are."""
    added = blocks("yaml")
    text = EXAMPLE_RULES.read_text(encoding="utf-8") + "\n" + "\n".join(added)
    rules = load_rules(text, file="rules.yaml", settings=None)
    assert [rule.name for rule in rules.rules][2:] == ["check-release", "after-bake"]


def test_the_event_of_the_page_starts_the_run_of_the_page(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The first own event matches the first own rule."""
    rules, event = tmp_path / "rules.yaml", tmp_path / "released.json"
    rules.write_text(EXAMPLE_RULES.read_text(encoding="utf-8") + "\n" + blocks("yaml")[0])
    event.write_text(blocks("json")[0])
    assert main(["explain", "--json", "--rules", str(rules), str(event)]) == 0
    assert '"release_check"' in capsys.readouterr().out


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_there_is_a_body_for_each_hook(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each kind of hook has an example that its reader accepts, and the page names it."""
    file = EXAMPLES / f"{kind}.json"
    assert json.loads(file.read_text(encoding="utf-8"))
    assert f"hook {kind} examples/hooks/{kind}.json" in PAGE
    assert main(["explain", "--rules", str(EXAMPLE_RULES), "--as", kind, str(file)]) == 0
    assert f"via: hook/{kind}" in capsys.readouterr().out
