"""Is this app well? One of two words for anybody, and the whole status for callers with a right to it."""

import azure.functions as func

from functions.http_types import answer
from shared.app import app
from shared.web import Reply

blueprint = func.Blueprint()


@blueprint.route(
    route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request"
)
def health(request: func.HttpRequest) -> func.HttpResponse:
    """Answer 200 with `ok`, or with `degraded` while rules or settings are unusable or an Airflow is silent.

    The status is 200 either way: a platform that restarts an app after a failed probe would not help, and
    nothing of the request changes the answer. A monitor compares the body.
    """
    return answer(request, lambda _: Reply(200, {"status": "ok" if app().is_well() else "degraded"}))


@blueprint.route(
    route="status", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request"
)
def status(request: func.HttpRequest) -> func.HttpResponse:
    """Answer with version, rules, connections and counts, if `callers` allows it for the token."""
    return answer(request, app().http_api.status.read)
