"""One function of each trigger; each says what it was given."""

import json
import logging
import time

import azure.functions as func

app = func.FunctionApp()
log = logging.getLogger(__name__)


@app.event_grid_trigger(arg_name="event")
def on_event(event: str) -> None:
    """Log the event's id; fail or wait where its data says so."""
    document = json.loads(event)
    data = document.get("data") or {}
    time.sleep(data.get("wait", 0))
    if "fail" in data:
        raise ValueError(data["fail"])
    log.info("got %s", document["id"])


@app.route(route="things/{name}/{number:int?}", methods=["GET", "POST"])
def things(req: func.HttpRequest) -> func.HttpResponse:
    """Say back what came in."""
    if req.params.get("fail"):
        raise ValueError(req.params["fail"])
    seen = {
        "method": req.method,
        "url": req.url,
        "route": dict(req.route_params),
        "query": dict(req.params),
        "headers": dict(req.headers),
        "body": req.get_body().hex(),
    }
    return func.HttpResponse(json.dumps(seen), mimetype="application/json")
