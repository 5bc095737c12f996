"""Deployment webhooks: what Kudu, GitHub, Azure DevOps and a container registry post.

Each kind is a function of its own, because a function key belongs to a function: who has the key of one kind
can reach no other. A kind is a function only where the settings switch it on.
"""

from collections.abc import Callable, Mapping

import azure.functions as func

from functions.http_types import answer
from shared.app import app
from shared.values.hook_settings import hook_kinds


def blueprint(environment: Mapping[str, str]) -> func.Blueprint:
    """Return the functions of the hooks that are switched on.

    Args:
        environment: The application settings; the platform starts the app again when they change.
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
        """Handle what this kind of sender posts; it can send a key, and no token."""
        return answer(request, lambda call: app().http_api.webhooks.receive(call, kind), function=_name(kind))

    return hook


def _name(kind: str) -> str:
    return f"hook_{kind.replace('-', '_')}"
