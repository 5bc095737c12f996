"""Between Azure Functions' HTTP types and ours."""

import json
from collections.abc import Callable

import azure.functions as func

from shared.web import Reply, Request, respond


def answer(request: func.HttpRequest, handle: Callable[[Request], Reply]) -> func.HttpResponse:
    """Answer a request with what `handle` makes of it, or with a problem document."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    reply = respond(Request(headers, request.get_body()), handle)
    return func.HttpResponse(
        json.dumps(reply.body),
        status_code=reply.status,
        mimetype=reply.media_type,
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **reply.headers},
    )
