"""The host: starts and stops a worker, its triggers and the web server together."""

import asyncio
import errno
import json
import logging
import os
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aiohttp import web

from local.functions_host.event_grid_webhook import EventGridWebhook
from local.functions_host.http import Http, http_routes
from local.functions_host.invocations import Invocations
from local.functions_host.protos import TypedData
from local.functions_host.queues import QueueTrigger
from local.functions_host.settings import (
    HostSettingsError,
    is_disabled,
    largest_body,
    read_host_settings,
    resolve_names,
)
from local.functions_host.storage_connections import queue_service
from local.functions_host.worker import Function, Worker, queue_data

if TYPE_CHECKING:
    from local.functions_host.routes import Route

log = logging.getLogger("Host.Startup")

ADDRESS = "127.0.0.1"
_STORAGE_THREADS = 8
_THREADS_END = 1.0
_BINDINGS = frozenset({"httptrigger", "http", "eventgridtrigger", "queuetrigger"})


class Host:
    """A Functions host with one app, as an async context manager.

    Args:
        app: The folder with host.json and function_app.py.
        port: The port on 127.0.0.1; 0 for any free port.
        settings: The application settings; the process's environment by default.

    Raises:
        HostSettingsError: On entering, if the configuration cannot be used or the port is taken.
        AppNotIndexed: On entering, if the runtime refuses the app.
    """

    def __init__(
        self,
        app: Path | str,
        *,
        port: int = 7071,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._app = Path(app).resolve()
        self._port = port
        self._settings = os.environ if settings is None else settings
        self.worker = Worker(self._app)
        self.routes: list[Route] = []
        self._invocations: Invocations | None = None
        self._queues: list[QueueTrigger] = []
        self._polls: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[object]] = set()
        self._runner: web.AppRunner | None = None
        self._threads: ThreadPoolExecutor | None = None

    @property
    def url(self) -> str:
        """The host's address, without a slash at the end."""
        return f"http://{ADDRESS}:{self._port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Index the app, create its triggers, and then listen."""
        settings = read_host_settings(self._app)
        await self.worker.start()
        try:
            functions = self.worker.functions
            self._invocations = Invocations(self.worker, timeout=settings.function_timeout)
            _check_bindings(functions)
            functions = self._enabled(functions)
            self.routes = http_routes(functions, settings.route_prefix)
            for function in functions.values():
                if function.trigger_type == "queuetrigger":
                    queue, connection = (
                        self._resolved(function, "queueName"),
                        self._resolved(function, "connection"),
                    )
                    self._threads = self._threads or ThreadPoolExecutor(_STORAGE_THREADS, "host-storage")
                    self._queues.append(
                        QueueTrigger(
                            function.name,
                            queue_service(connection, self._settings, where=f"function {function.name}"),
                            queue,
                            options=settings.queues,
                            invocations=self._invocations,
                            threads=self._threads,
                        )
                    )
            await self._serve(functions)
        except BaseException:
            await self.stop()
            raise
        self._polls = [asyncio.create_task(trigger.poll()) for trigger in self._queues]

    async def stop(self, grace: float = 5.0) -> int:
        """Stop listening and polling, and wait up to `grace` seconds for running functions.

        Returns:
            The least number of functions that still run on the runtime's threads. They end only with the
            process.
        """
        for task in tuple(self._tasks):
            task.cancel()
        if self._runner:
            for site in tuple(self._runner.sites):
                await site.stop()
        for queue in self._queues:
            queue.stop()
        left = await self._invocations.drain(grace) if self._invocations else 0
        await asyncio.gather(*self._polls, return_exceptions=True)
        for queue in self._queues:
            await queue.drain(1.0)
        if self._runner:
            await self._runner.cleanup()
            self._runner = None
        if self._threads:
            self._threads.shutdown(wait=True)
        ending = asyncio.create_task(self.worker.stop())
        abandoned = self._invocations.abandoned if self._invocations else 0
        ended, _ = await asyncio.wait([ending], timeout=grace if abandoned and not left else _THREADS_END)
        return 0 if ended else max(left, 1)

    async def _serve(self, functions: Mapping[str, Function]) -> None:
        assert self._invocations is not None
        event_grid = {name: f for name, f in functions.items() if f.trigger_type == "eventgridtrigger"}
        webhook = EventGridWebhook(event_grid, self._invocations)
        application = Http(
            self.routes,
            webhook,
            self._invocations,
            self._start_function,
            largest_body=largest_body(self._settings),
        ).application()
        # as on Azure, where the host passes on a compressed body unchanged
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=1.0, auto_decompress=False
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, ADDRESS, self._port).start()
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
            raise HostSettingsError(
                f"Port {self._port} is unavailable. Close the process using that port, or specify another "
                "port using --port [-p]."
            ) from None
        self._port = self._runner.addresses[0][1]

    def _enabled(self, functions: Mapping[str, Function]) -> dict[str, Function]:
        """Return the functions that are not disabled; `POST /admin/functions/{name}` starts the others, too.

        https://learn.microsoft.com/azure/azure-functions/disable-functions
        """
        disabled = {name for name in functions if is_disabled(name, self._settings)}
        for name in sorted(disabled):
            log.info("The function '%s' is disabled", name)
        return {name: function for name, function in functions.items() if name not in disabled}

    def _resolved(self, function: Function, member: str) -> str:
        value = str(function.trigger.get(member) or "")
        return resolve_names(value, self._settings, where=f"function {function.name}")

    def _start_function(self, name: str, given: str) -> bool:
        """Run a function without an HTTP trigger in the background, for `POST /admin/functions/{name}`."""
        assert self._invocations is not None
        function = self.worker.functions.get(name)
        if function is None or function.trigger_type == "httptrigger":
            return False
        reason = "This function was programmatically called via the host APIs."
        if function.trigger_type == "queuetrigger":
            data, metadata = queue_data(given)
            self._spawn(self._invocations.run(name, data, metadata=metadata, reason=reason))
        else:
            self._spawn(self._invocations.run(name, TypedData(json=_valid_json(given)), reason=reason))
        return True

    def _spawn(self, work: Coroutine[object, object, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("A trigger ended: %s", error, exc_info=error)


def _valid_json(text: str) -> str:
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(text)
    return text


def _check_bindings(functions: Mapping[str, Function]) -> None:
    foreign = [
        f"{binding['type']} (function {function.name})"
        for function in functions.values()
        for binding in function.bindings
        if str(binding["type"]).lower() not in _BINDINGS
    ]
    if foreign:
        raise HostSettingsError(
            f"this host does not support these bindings: {', '.join(foreign)}. It supports HTTP, Event Grid "
            "and queue triggers. Run the app in Azure Functions Core Tools instead: func start"
        )
