"""Deployment webhooks: what Kudu, GitHub, Azure DevOps and a container registry post."""

import azure.functions as func

from functions.http_types import answer
from shared.app import app

blueprint = func.Blueprint()


@blueprint.route(
    route="hooks/{kind}", methods=["POST"], auth_level=func.AuthLevel.FUNCTION, trigger_arg_name="request"
)
def deployment_hook(request: func.HttpRequest) -> func.HttpResponse:
    """Handle what Kudu, GitHub, Azure DevOps or a registry posts; they can send a key, and no token."""
    return answer(
        request, lambda call: app().http_api.webhooks.receive(call, request.route_params.get("kind", ""))
    )
