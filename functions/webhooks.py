"""Deployment webhooks of Kudu, GitHub, Azure DevOps and container registries.

Each kind is a separate function, because each function has its own key: the key of one kind does not work for
another. A kind is a function only if the settings switch it on.
"""

from collections.abc import Callable, Mapping

import azure.functions as func

from functions.http_types import answer
from shared.app import app
from shared.values.hook_settings import hook_kinds


def blueprint(environment: Mapping[str, str]) -> func.Blueprint:
    """Return the functions of the hooks that are switched on.

    Args:
        environment: The application settings; the platform restarts the app when they change.
    """
    hooks = func.Blueprint()
    for kind in hook_kinds(environment):
        route = hooks.route(
            route=f"hooks/{kind}",
            methods=["POST"],
            auth_level=func.AuthLevel.FUNCTION,
            trigger_arg_name="request",
        )
        hooks.function_name(_name(kind))(route(_hook(kind)))
    return hooks


def _hook(kind: str) -> Callable[[func.HttpRequest], func.HttpResponse]:
    def hook(request: func.HttpRequest) -> func.HttpResponse:
        """Handle a webhook of this kind; its sender can send a key, but no token."""
        return answer(request, lambda call: app().http_api.webhooks.receive(call, kind), function=_name(kind))

    return hook


def _name(kind: str) -> str:
    return f"hook_{kind.replace('-', '_')}"
