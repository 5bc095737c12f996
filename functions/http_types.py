"""Converts Azure Functions' HTTP types."""

import json
from collections.abc import Callable

import azure.functions as func

from shared.web import Reply, Request, respond


def answer(
    request: func.HttpRequest, handle: Callable[[Request], Reply], *, function: str = ""
) -> func.HttpResponse:
    """Answer a request with the result of `handle`, or with a problem document.

    Args:
        request: The request.
        handle: Answers the request.
        function: The function's name, for the log.
    """
    headers = {name.lower(): value for name, value in request.headers.items()}
    reply = respond(Request(headers, request.get_body()), handle, function=function)
    return func.HttpResponse(
        json.dumps(reply.body),
        status_code=reply.status,
        mimetype=reply.media_type,
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **reply.headers},
    )
