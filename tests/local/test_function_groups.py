"""Which functions share a process on Flex Consumption, and how the others are switched off there."""

import pytest

from local.servers.function_groups import HTTP, disabling, function_groups, read_triggers

TRIGGERS = {
    "swap": "eventGridTrigger",
    "runs": "httpTrigger",
    "inbox": "queueTrigger",
    "health": "httpTrigger",
}


def test_http_functions_share_a_group_and_each_other_one_is_alone() -> None:
    """That is the rule of Flex Consumption for the triggers that this app has."""
    assert function_groups(TRIGGERS) == {HTTP: ("runs", "health"), "swap": ("swap",), "inbox": ("inbox",)}


def test_a_group_has_its_functions_and_no_others() -> None:
    """Every other function is disabled by the platform's own setting."""
    settings = disabling(TRIGGERS, ("inbox",))
    assert settings == {f"AzureWebJobs.{name}.Disabled": "true" for name in ("swap", "runs", "health")}


def test_an_app_that_is_not_split_has_one_process() -> None:
    """Without groups nothing is disabled."""
    assert function_groups({}) == {HTTP: ()}
    assert disabling({}, ()) == {}


@pytest.mark.parametrize("hooks", ["", "kudu"])
def test_the_triggers_are_those_of_this_app_with_these_settings(hooks: str) -> None:
    """A hook is a function only where the settings switch it on."""
    triggers = read_triggers({"UPDRAFT_HOOKS": hooks, "UPDRAFT_GITHUB_SECRET": ""})
    groups = function_groups(triggers)
    assert set(groups) == {
        HTTP,
        "app_service",
        "event_grid",
        "event_queue",
        "event_queue_poison",
        "parked_queue",
        "parked_queue_poison",
    }
    assert ("hook_kudu" in groups[HTTP]) is bool(hooks)
