"""Is this app well, and which version is it? For probes and people; asks nobody else."""

import json

import azure.functions as func

from shared.app import app

blueprint = func.Blueprint()


@blueprint.route(
    route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS, trigger_arg_name="request"
)
def health(request: func.HttpRequest) -> func.HttpResponse:
    """Answer 200 when events can be handled and 503 when the operator has something to mend first."""
    report = app().health(ledger=request.params.get("ledger") == "1")
    return func.HttpResponse(
        json.dumps(report),
        status_code=200 if report["status"] == "ok" else 503,
        mimetype="application/json",
        headers={"Cache-Control": "no-store"},
    )
