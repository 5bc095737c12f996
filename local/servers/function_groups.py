"""Which functions of the app share a process on Flex Consumption.

All HTTP functions share their instances; each other function of this app has instances of its own.
https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan, "Per-function scaling"
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Final

from local.paths import ROOT
from local.processes import programs

HTTP: Final = "http"
"""The group of all HTTP functions."""
_LIST: Final = """
import json
from function_app import app

functions = {each.get_function_name(): each.get_trigger().get_binding_name() for each in app.get_functions()}
print(json.dumps(functions))
"""


def read_triggers(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the type of each function's trigger, by the function's name.

    A process of its own loads the app, because the settings say which hooks are functions.

    Args:
        environment: The application settings.

    Raises:
        subprocess.CalledProcessError: The app cannot be imported.
    """
    listed = programs.run(
        [sys.executable, "-c", _LIST], cwd=ROOT, env={**os.environ, **environment}, check=True
    )
    triggers: dict[str, str] = json.loads(listed.stdout)
    return triggers


def function_groups(triggers: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the functions of each group; the group of HTTP is the first one, as it always exists.

    Args:
        triggers: The type of each function's trigger, by the function's name.
    """
    http = tuple(name for name, trigger in triggers.items() if trigger.lower() == "httptrigger")
    return {HTTP: http, **{name: (name,) for name in triggers if name not in http}}


def disabling(functions: Mapping[str, str], group: tuple[str, ...]) -> dict[str, str]:
    """Return the settings that leave a process the functions of one group.

    https://learn.microsoft.com/azure/azure-functions/disable-functions

    Args:
        functions: All functions of the app, by name.
        group: The functions that stay.
    """
    return {f"AzureWebJobs.{name}.Disabled": "true" for name in functions if name not in group}
