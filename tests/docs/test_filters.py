"""What docs/filters.md and docs/events.md say is so."""

import re
from typing import TYPE_CHECKING, Final

import yaml

from shared.event import KINDS, Event
from shared.rules.filters import APP_MEMBERS, OPERATORS, Fields, compile_filter
from tests.support.paths import DOCS

if TYPE_CHECKING:
    from shared.values.json_text import Json

SITE: Final = "/subscriptions/5f0e/resourceGroups/shop/providers/Microsoft.Web/sites/"


def test_every_example_of_a_filter_compiles() -> None:
    """Each YAML block of the page is a filter that can be copied."""
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / "filters.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        assert compile_filter(yaml.safe_load(block)["filter"])


def test_every_operator_and_fact_and_kind_is_described() -> None:
    """Nothing that the code knows is left out."""
    text = (DOCS / "filters.md").read_text()
    assert [name for name in OPERATORS if f"`{name}`" not in text] == []
    assert [name for name in APP_MEMBERS if f"`app.{name}`" not in text] == []
    text = (DOCS / "events.md").read_text()
    assert [kind for kind in KINDS if f"kind `{kind}`" not in text] == []
    assert [name for name in APP_MEMBERS if f"`app.{name}`" not in text] == []


def test_the_explanations_on_the_page_are_real() -> None:
    """The page shows what the program prints."""
    swap = Event(
        id="1",
        source=SITE + "sandbox-7/slots/blue",
        type="Contoso.DeploymentFailed",
        data={"targetSlot": "staging"},
    )
    slot: Json = {"operatorType": "StringIn", "key": "app.slot", "values": ["production"]}
    succeeded: Json = {"operatorType": "BoolEquals", "key": "app.succeeded", "value": True}
    specs: list[Json] = [
        {"operatorType": "StringIn", "key": "data.targetSlot", "values": ["production"]},
        {"operatorType": "StringIn", "key": "data.TargetSlot", "values": ["production"]},
        {"any": [slot, succeeded]},
        {"not": {"operatorType": "StringBeginsWith", "key": "app.site", "values": ["sandbox-"]}},
    ]
    explained = "\n".join(str(compile_filter(spec).failure(Fields(swap))) for spec in specs)
    assert f"```\n{explained}\n```" in (DOCS / "filters.md").read_text()
