"""What App Service says of its sites: slot swaps, restarts, changed settings, deployments."""

import azure.functions as func

from functions.http_types import answer
from shared.app import app

blueprint = func.Blueprint()


@blueprint.event_grid_trigger(arg_name="event")
def app_service(event: str) -> None:
    """Handle one event of a site's system topic; raising makes Event Grid deliver it again.

    A function of its own scales on its own: a storm of blob events does not keep a deployment waiting.
    """
    app().intake.receive(event)


@blueprint.route(
    route="hooks/{kind}", methods=["POST"], auth_level=func.AuthLevel.FUNCTION, trigger_arg_name="request"
)
def deployment_hook(request: func.HttpRequest) -> func.HttpResponse:
    """Handle what Kudu, GitHub, Azure DevOps or a registry posts; they can send a key, and no token."""
    return answer(
        request, lambda call: app().http_api.webhooks.receive(call, request.route_params.get("kind", ""))
    )
