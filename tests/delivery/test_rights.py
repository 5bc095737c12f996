"""Whether a caller may still have what it asked for, and the words of each reason why not."""

from dataclasses import replace
from typing import Any, Final

import pytest

from shared.delivery.rights import revoked_permission
from shared.event import Event
from shared.event.caller_stamp import stamped
from shared.rules import Rules, load_rules
from shared.runs.direct_run import DirectRun
from tests.support.direct_runs import CALLED, OBJECT_ID, RULES

EVENT: Final = stamped(Event(id="1", source="/shops/1", type="Shop.Opened"), dict(CALLED.caller))
WHO: Final = f"the application with object id {OBJECT_ID} (client id a)"
MAY: Final = "the operator of this app can allow it under `callers` in rules.yaml"


def rules(**changes: str) -> Rules:
    """Return rules whose entry for the caller allows everything here, but for the changes."""
    members = {
        "object_id": OBJECT_ID,
        "dags": "[smoke_*]",
        "conf": "[site]",
        "events": "[Shop.*]",
        "sources": "[/shops/*]",
        **changes,
    }
    lines = "".join(f"    {name}: {value}\n" for name, value in members.items() if value)
    head = RULES.partition("callers:\n")[0]
    return load_rules(f"{head}callers:\n  - name: pipeline\n{lines}", file="rules.yaml", settings={})


@pytest.mark.parametrize("asked", [CALLED, EVENT, replace(EVENT, extensions={})])
def test_who_may_still_may(asked: Event | DirectRun) -> None:
    """What its entry allows, and an event that nobody called in, are delivered."""
    assert revoked_permission(asked, rules()) is None


@pytest.mark.parametrize("asked", [CALLED, EVENT])
def test_who_has_no_entry_any_more_is_told_its_name(asked: Event | DirectRun) -> None:
    """The entry is looked up by its name, and has to be about the same identity."""
    gone = load_rules(RULES.replace("pipeline", "other"), file="rules.yaml", settings={})
    assert revoked_permission(asked, gone) == (
        "the entry `pipeline` of `callers`, which had allowed it, was removed"
    )
    others = rules(object_id="00000000-0000-4000-8000-00000000000c")
    assert revoked_permission(asked, others) == (
        f"the entry `pipeline` of `callers` no longer applies to {WHO}"
    )


@pytest.mark.parametrize(
    ("asked", "changes", "lacks"),
    [
        (CALLED, {"dags": "[other]"}, f"{WHO} may not start the DAG smoke_tests; {MAY}"),
        (CALLED, {"conf": ""}, "this caller may not set the conf keys 'site'"),
        (
            EVENT,
            {"events": "[Depot.*]"},
            f"{WHO} may not send events of type 'Shop.Opened' about '/shops/1'; {MAY}",
        ),
        (
            EVENT,
            {"sources": "[/depots/*]"},
            f"{WHO} may not send events of type 'Shop.Opened' about '/shops/1'; {MAY}",
        ),
    ],
)
def test_what_the_entry_no_longer_allows_is_named(
    asked: Event | DirectRun, changes: dict[str, str], lacks: str
) -> None:
    """The reason has the entry, the caller and what it asked for."""
    assert revoked_permission(asked, rules(**changes)) == (
        f"the entry `pipeline` of `callers` no longer allows it: {lacks}"
    )


@pytest.mark.parametrize("caller", [{}, {"entry": "pipeline"}, {"entry": "pipeline", "object_id": OBJECT_ID}])
def test_a_caller_that_cannot_be_read_may_nothing(caller: dict[str, Any]) -> None:
    """A stamp without an identity, or a stamp that is not JSON, allows nothing."""
    for asked in (replace(CALLED, caller=caller), stamped(EVENT, caller)):
        assert revoked_permission(asked, rules()) == "the caller's identity cannot be read"
    broken = replace(EVENT, extensions={**EVENT.extensions, "updraftcaller": "{"})
    assert revoked_permission(broken, rules()) == "the caller's identity cannot be read"
