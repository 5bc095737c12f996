"""Reads from the application settings which deployment hooks are switched on, and their rate limit.

They are read when the functions are registered. A mistake must not stop the other functions, so only
`check_hooks` raises.
"""

import re
from collections.abc import Mapping
from typing import Final

from shared.errors import SettingsError
from shared.values.app_settings import setting
from shared.values.wording import did_you_mean

GITHUB_SECRET: Final = "UPDRAFT_GITHUB_SECRET"  # noqa: S105 - the name of a setting, which holds a name
HOOKS: Final = "UPDRAFT_HOOKS"
HOOK_RATE: Final = "UPDRAFT_HOOK_RATE"

GITHUB: Final = "github"
UNSIGNED_HOOKS: Final = ("acr", "azure-devops", "kudu")
"""The kinds that only a function key protects; each is switched on by its name in `UPDRAFT_HOOKS`."""

DEFAULT_RATE: Final = "600/m"
"""Deliveries of one kind to one instance: a burst of 600, then ten a second."""

_RATE: Final = re.compile(r"[1-9][0-9]{0,5}/[smh]")
_SHOWN: Final = 60


def hook_kinds(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the kinds of hooks that are switched on, in alphabetical order; an unknown name is left out.

    Args:
        environment: All application settings.
    """
    listed = {name for name in _listed(environment) if name in UNSIGNED_HOOKS}
    return tuple(sorted(listed | ({GITHUB} if setting(environment, GITHUB_SECRET) else set())))


def hook_rate(environment: Mapping[str, str]) -> str:
    """Return the most deliveries of each kind to an instance, as in `600/m`; the default for a mistake."""
    rate = setting(environment, HOOK_RATE)
    return rate if _RATE.fullmatch(rate) else DEFAULT_RATE


def check_hooks(environment: Mapping[str, str]) -> None:
    """Check the settings of hooks.

    Raises:
        SettingsError: `UPDRAFT_HOOKS` names a kind that it does not switch on, or `UPDRAFT_HOOK_RATE` is not
            a rate. The valid names are in force.
    """
    kinds = ", ".join(UNSIGNED_HOOKS)
    for name in _listed(environment):
        if name == GITHUB:
            raise SettingsError(
                f"the application setting {HOOKS} names {GITHUB}, which {GITHUB_SECRET} switches on (the "
                f"name of the secret in Key Vault that signs its deliveries); {HOOKS} takes {kinds}"
            )
        if name not in UNSIGNED_HOOKS:
            near = did_you_mean(name, UNSIGNED_HOOKS)
            raise SettingsError(
                f"the application setting {HOOKS} names {name[:_SHOWN]!r}, which is not a kind of hook"
                f"{near}; it takes {kinds}, with commas between them"
            )
    rate = setting(environment, HOOK_RATE)
    if rate and not _RATE.fullmatch(rate):
        raise SettingsError(
            f"the application setting {HOOK_RATE} is {rate[:_SHOWN]!r}, which is not a rate; write a number "
            f"of deliveries and s, m or h, as in {DEFAULT_RATE}; {DEFAULT_RATE} is in force until then"
        )


def _listed(environment: Mapping[str, str]) -> list[str]:
    return [name.lower() for name in setting(environment, HOOKS).replace(",", " ").split()]
