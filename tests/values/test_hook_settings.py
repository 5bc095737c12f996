"""Which hooks are switched on; a mistake switches nothing on and is reported."""

import pytest

from shared.errors import SettingsError
from shared.event import KINDS
from shared.values.hook_settings import (
    DEFAULT_RATE,
    GITHUB,
    UNSIGNED_HOOKS,
    check_hooks,
    hook_kinds,
    hook_rate,
)


@pytest.mark.parametrize(
    ("environment", "kinds"),
    [
        ({}, ()),
        ({"UPDRAFT_HOOKS": ""}, ()),
        ({"UPDRAFT_HOOKS": "kudu"}, ("kudu",)),
        ({"UPDRAFT_HOOKS": " Kudu,\u200bazure-devops "}, ("kudu",)),
        ({"UPDRAFT_HOOKS": "kudu acr, azure-devops kudu"}, ("acr", "azure-devops", "kudu")),
        ({"UPDRAFT_HOOKS": "github"}, ()),
        ({"UPDRAFT_HOOKS": "*"}, ()),
        ({"UPDRAFT_GITHUB_SECRET": "github-secret"}, ("github",)),
        ({"UPDRAFT_GITHUB_SECRET": " \n"}, ()),
        ({"UPDRAFT_HOOKS": "kudo,acr", "UPDRAFT_GITHUB_SECRET": "s"}, ("acr", "github")),
    ],
)
def test_a_kind_is_switched_on_by_its_own_setting(
    environment: dict[str, str], kinds: tuple[str, ...]
) -> None:
    """A secret switches GitHub on, and names the others; an unknown name is left out."""
    assert hook_kinds(environment) == kinds


def test_every_kind_can_be_switched_on() -> None:
    """The settings have the same kinds as the readers."""
    assert {*UNSIGNED_HOOKS, GITHUB} == set(KINDS)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"UPDRAFT_HOOKS": "kudo"}, r"names 'kudo'.*did you mean `kudu`.*takes acr, azure-devops, kudu"),
        ({"UPDRAFT_HOOKS": "kudu,github"}, "names github, which UPDRAFT_GITHUB_SECRET switches on"),
        ({"UPDRAFT_HOOKS": "kudu;acr"}, "names 'kudu;acr'"),
        ({"UPDRAFT_HOOK_RATE": "fast"}, "UPDRAFT_HOOK_RATE is 'fast'.*600/m is in force"),
        ({"UPDRAFT_HOOK_RATE": "0/s"}, "UPDRAFT_HOOK_RATE is '0/s'"),
    ],
)
def test_a_mistake_is_named(environment: dict[str, str], says: str) -> None:
    """The error names the setting, its value and the possible values."""
    with pytest.raises(SettingsError, match=says):
        check_hooks(environment)


def test_what_is_right_is_no_mistake() -> None:
    """No setting is required, and valid ones raise nothing."""
    check_hooks({})
    check_hooks({"UPDRAFT_HOOKS": "kudu, acr", "UPDRAFT_HOOK_RATE": "5/s", "UPDRAFT_GITHUB_SECRET": "s"})


@pytest.mark.parametrize(
    ("rate", "known"), [("", DEFAULT_RATE), ("5/s", "5/s"), ("fast", DEFAULT_RATE), ("-1/s", DEFAULT_RATE)]
)
def test_a_rate_that_is_none_is_the_default(rate: str, known: str) -> None:
    """With a mistake in the rate the hooks stay on and limited."""
    assert hook_rate({"UPDRAFT_HOOK_RATE": rate}) == known
