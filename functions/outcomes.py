"""How runs ended, as they report it themselves with the token that they were given."""

import azure.functions as func

from functions.http_types import answer
from shared.app import app

blueprint = func.Blueprint()


@blueprint.route(
    route="outcomes", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request"
)
def outcomes(request: func.HttpRequest) -> func.HttpResponse:
    """Keep a run's outcome, once."""
    return answer(request, app().http_api.outcomes.report)
