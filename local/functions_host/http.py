"""The web server: HTTP triggers, the Event Grid webhook, and the host's own paths.

The server ignores a function's `authLevel`, as `func start` does.
"""

import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from local.functions_host.event_grid_webhook import EventGridWebhook
from local.functions_host.invocations import Invocations
from local.functions_host.protos import RpcHttp, TypedData
from local.functions_host.routes import Route, find
from local.functions_host.worker import Function, Result, new_trace_parent

log = logging.getLogger("Host.Http")

_TRACE_PARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_WEBHOOK = re.compile(r"/runtime/webhooks/([^/]+)(?:/.*)?", re.IGNORECASE)
_SERVERS_HEADERS = {"content-length", "transfer-encoding", "connection"}


def http_routes(functions: Mapping[str, Function], prefix: str) -> list[Route]:
    """Return the routes of the app's HTTP functions.

    Raises:
        HostSettingsError: If a template cannot be used.
    """
    return [
        Route.compile(
            function.name,
            str(function.trigger.get("route") or function.name),
            function.trigger.get("methods") or (),
            prefix=prefix,
        )
        for function in functions.values()
        if function.trigger_type == "httptrigger"
    ]


class Http:
    """The handler of every request.

    Args:
        routes: The HTTP functions' routes.
        webhook: Answers Event Grid.
        invocations: Runs the functions.
        start: Starts a function without an HTTP trigger in the background, by its name and with an input;
            returns False if the function does not exist.
        largest_body: The most bytes of a request's body; a larger body is answered with 413.
    """

    def __init__(
        self,
        routes: list[Route],
        webhook: EventGridWebhook,
        invocations: Invocations,
        start: Callable[[str, str], bool],
        *,
        largest_body: int,
    ) -> None:
        self._routes = routes
        self._webhook = webhook
        self._invocations = invocations
        self._start = start
        self._largest_body = largest_body

    def application(self) -> web.Application:
        """Return the web application."""
        application = web.Application(client_max_size=self._largest_body)
        application.router.add_route("*", "/{path:.*}", self._handle)
        return application

    async def _handle(self, request: web.Request) -> web.Response:
        path = request.rel_url.raw_path
        if (request.content_length or 0) > self._largest_body:
            return web.Response(status=413)  # aiohttp counts a body without a length
        if found := _WEBHOOK.fullmatch(path):
            return await self._handle_webhook(request, found[1])
        if path.lower().startswith("/admin/"):
            return await self._handle_admin(request, path)
        matched = find(self._routes, request.method, path)
        if matched:
            route, parameters = matched
            return await self._invoke(request, route.function, parameters)
        if path == "/" and request.method == "GET":
            return web.Response(text="Your Functions 4.0 app is up and running\n")
        return web.Response(status=404)

    async def _handle_webhook(self, request: web.Request, extension: str) -> web.Response:
        if extension.lower() != "eventgrid":
            return web.Response(status=404)
        answer = await self._webhook.answer(
            request.method, request.query, request.headers, await request.read()
        )
        return web.Response(status=answer.status, text=answer.text, headers=answer.headers)

    async def _handle_admin(self, request: web.Request, path: str) -> web.Response:
        if path.lower() == "/admin/host/status":
            return web.json_response({"state": "Running", "inFlight": self._invocations.in_flight})
        name = path.rpartition("/")[2]
        if request.method == "POST" and path.lower().startswith("/admin/functions/"):
            try:
                document = await request.json() if request.can_read_body else {}
                given = str(document.get("input") or "")
            except (ValueError, AttributeError):
                return web.Response(status=400)
            return web.Response(status=202 if self._start(name, given) else 404)
        return web.Response(status=404)

    async def _invoke(
        self, request: web.Request, function: str, parameters: Mapping[str, str]
    ) -> web.Response:
        data = TypedData(
            http=RpcHttp(
                method=request.method,
                url=str(request.url),
                headers=_joined(request.headers.items(), lower=True),
                query={name: value for name, value in _joined(request.query.items()).items() if value},
                params=dict(parameters),
                body=TypedData(bytes=await request.read() or None),
            )
        )
        result = await self._invocations.run(
            function,
            data,
            reason="This function was programmatically called via the host APIs.",
            trace_parent=_trace_parent(request.headers.get("traceparent", "")),
        )
        return _response(result)


def _joined(items: Any, *, lower: bool = False) -> dict[str, str]:
    joined: dict[str, str] = {}
    for raw, value in items:
        name = raw.lower() if lower else raw
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _trace_parent(given: str) -> str:
    found = _TRACE_PARENT.fullmatch(given)
    return new_trace_parent(found[1] if found else None)


def _response(result: Result) -> web.Response:
    if not result.succeeded:
        return web.Response(status=500)
    value: Any = result.value
    if value is None:
        return web.Response(status=204)
    if value.http is None:
        return web.Response(text=str(value.string))
    http = value.http
    headers = {name: text for name, text in http.headers.items() if name.lower() not in _SERVERS_HEADERS}
    response = web.Response(status=int(http.status_code), body=http.body.bytes or b"", headers=headers)
    for cookie in http.cookies or ():
        _set_cookie(response, cookie)
    return response


def _set_cookie(response: web.Response, cookie: Any) -> None:
    expires = cookie.expires.value.seconds if cookie.expires else None
    response.set_cookie(
        cookie.name,
        cookie.value,
        domain=cookie.domain.value or None if cookie.domain else None,
        path=(cookie.path.value if cookie.path else "") or "/",
        expires=(
            datetime.fromtimestamp(expires, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
            if expires is not None
            else None
        ),
        max_age=int(cookie.max_age.value) if cookie.max_age else None,
        secure=cookie.secure.value if cookie.secure else None,
        httponly=cookie.http_only.value if cookie.http_only else None,
        samesite=cookie.same_site.value if cookie.same_site else None,
    )
