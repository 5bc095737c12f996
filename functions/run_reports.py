"""Reports of runs about their end, with the run's token."""

import azure.functions as func

from functions.http_types import answer
from shared.app import app
from shared.web import Reply, Request

blueprint = func.Blueprint()


@blueprint.route(
    route="outcomes", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request"
)
def run_reports(request: func.HttpRequest) -> func.HttpResponse:
    """Store how a run ended, once."""

    def handle(call: Request) -> Reply:
        return app().http_api.run_reports.report(call)

    return answer(request, handle, function="run_reports")
