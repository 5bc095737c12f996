"""Calls of people, pipelines and agents: a run of a DAG by name, or events.

The platform allows anonymous requests, because a function key would be a password. Every call has an Entra
token, which `shared/callers` verifies, and rules.yaml has its permissions.
"""

import azure.functions as func

from functions.http_types import answer
from shared.app import app
from shared.web import Reply, Request

blueprint = func.Blueprint()


@blueprint.route(
    route="dags/{dag_id}/runs",
    methods=["POST"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
def runs(request: func.HttpRequest) -> func.HttpResponse:
    """Start a run of the DAG in the path."""
    return answer(
        request,
        lambda call: app().http_api.runs.start(call, request.route_params.get("dag_id", "")),
        function="runs",
    )


@blueprint.route(
    route="events",
    methods=["POST", "OPTIONS"],
    auth_level=func.AuthLevel.ANONYMOUS,
    trigger_arg_name="request",
)
def events(request: func.HttpRequest) -> func.HttpResponse:
    """Receive CloudEvents; Event Grid sends OPTIONS before it delivers here with an Entra token."""

    def handle(call: Request) -> Reply:
        endpoint = app().http_api.events
        return endpoint.handshake(call) if request.method == "OPTIONS" else endpoint.publish(call)

    return answer(request, handle, function="events")
