"""HTTP and Event Grid functions that say what they were given, and fail or wait where they are asked to."""

import json
import logging
import sys
import threading
import time

import azure.functions as func

app = func.FunctionApp()
log = logging.getLogger(__name__)
together = threading.Barrier(2)


@app.event_grid_trigger(arg_name="event")
def on_event(event: str) -> None:
    """Log the event's id; fail or wait if its data requests it."""
    document = json.loads(event)
    data = document.get("data") or {}
    if data.get("meet"):
        together.wait(5)
    time.sleep(data.get("wait", 0))
    if "fail" in data:
        raise ValueError(data["fail"])
    if "exit" in data:
        sys.exit(data["exit"])
    log.info("got %s", document["id"])


@app.event_grid_trigger(arg_name="event")
async def on_event_async(event: func.EventGridEvent) -> None:
    """Log the event's id from the event loop."""
    log.info("async got %s", event.id)


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


@app.route(route="binary", methods=["POST"])
def binary(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Give the body back as it came, with two cookies and the trace it ran in."""
    headers = {"X-Trace": context.trace_context.trace_parent}
    response = func.HttpResponse(
        req.get_body(), status_code=201, headers=headers, mimetype="application/x-own"
    )
    response.headers.add("Set-Cookie", "a=1; Path=/x; HttpOnly; Secure; SameSite=Lax; Max-Age=60")
    response.headers.add("Set-Cookie", "b=2; Expires=Sun, 22 Nov 2026 15:00:00 GMT; Domain=example.org")
    return response


@app.route(route="text")
def text(req: func.HttpRequest) -> str:
    """Answer with plain text."""
    return f"hello {req.method}"
