"""Runs Microsoft's Python runtime in this process: indexes an app and invokes its functions.

It needs no server, port or storage, and imports only the runtime and the app. The runtime has its state in
modules, so a process can run only one app.
"""

import asyncio
import json
import logging
import os
import secrets
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.functions_host.protos import Message, ParameterBinding, Protos, StatusResult, TypedData

log = logging.getLogger("Host.Worker")


class AppNotIndexed(Exception):
    """The runtime could not index the app, as after a failed import or with a wrong binding."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function that the runtime found.

    Attributes:
        name: The name in `@app.function_name`, or the Python function's name.
        id: The runtime's identifier of the function.
        bindings: The bindings that the runtime gives to the host, with `%NAME%` unresolved.
    """

    name: str
    id: str
    bindings: tuple[Mapping[str, Any], ...]

    @property
    def trigger(self) -> Mapping[str, Any]:
        """The binding that starts the function."""
        return next(binding for binding in self.bindings if str(binding["type"]).lower().endswith("trigger"))

    @property
    def trigger_type(self) -> str:
        """The trigger's type in lower case, as in `eventgridtrigger`."""
        return str(self.trigger["type"]).lower()


@dataclass(frozen=True, slots=True)
class Result:
    """The result of an invocation.

    Attributes:
        invocation_id: The invocation's identifier.
        seconds: The duration.
        value: The value of the `$return` binding; None without one.
        outputs: The values of the output bindings, by name.
        error: The exception's type and text; None after a success.
        stack_trace: The exception's traceback; may be empty.
    """

    invocation_id: str
    seconds: float
    value: TypedData | None = None
    outputs: Mapping[str, TypedData] | None = None
    error: str | None = None
    stack_trace: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the function returned without an exception."""
        return self.error is None


class Worker:
    """The runtime with one app, as an async context manager.

    Args:
        app: The folder with the app's function_app.py.
        capabilities: The host's capabilities, for the runtime; may be empty.

    Raises:
        AppNotIndexed: On entering, if the runtime cannot index the app; the text has its traceback.
    """

    def __init__(self, app: Path | str, *, capabilities: Mapping[str, str] | None = None) -> None:
        self._app = Path(app).resolve()
        self._capabilities = dict(capabilities or {})
        self._functions: dict[str, Function] = {}

    @property
    def functions(self) -> Mapping[str, Function]:
        """The app's functions by name."""
        return self._functions

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Index the app, as the platform does when it starts an instance."""
        import azure_functions_runtime as runtime

        if not self._app.is_dir():
            raise AppNotIndexed(f"there is no folder {self._app}")
        if str(self._app) in sys.path:
            sys.path.remove(str(self._app))
        sys.path.insert(0, str(self._app))
        runtime.start_threadpool_executor()
        try:
            answer = await runtime.worker_init_request(
                _request(
                    "worker_init_request",
                    capabilities=self._capabilities,
                    function_app_directory=str(self._app),
                )
            )
            _raise_unless_indexed(answer.result)
            found = await runtime.functions_metadata_request(_request("functions_metadata_request"))
            for metadata in found.function_metadata_results or ():
                await runtime.function_load_request(
                    _request("function_load_request", function_id=metadata.function_id, metadata=metadata)
                )
                self._functions[metadata.name] = Function(
                    metadata.name,
                    metadata.function_id,
                    tuple(json.loads(binding) for binding in metadata.raw_bindings),
                )
        except BaseException:
            await self.stop()
            raise
        if not self._functions:
            await self.stop()
            raise AppNotIndexed(f"no functions found in {self._app}: is there a function_app.py?")

    async def stop(self) -> None:
        """Wait for running functions, and end the runtime's threads."""
        import azure_functions_runtime as runtime

        await asyncio.to_thread(runtime.stop_threadpool_executor)
        if str(self._app) in sys.path:
            sys.path.remove(str(self._app))

    async def invoke(
        self,
        name: str,
        data: TypedData,
        *,
        metadata: Mapping[str, TypedData] | None = None,
        invocation_id: str | None = None,
        trace_parent: str | None = None,
        retry_count: int = 0,
    ) -> Result:
        """Run a function with `data` as its trigger's value.

        Args:
            name: The function's name.
            data: The trigger's value in the real host's form, as `event_grid_data` returns it.
            metadata: The trigger's metadata, as in a queue message's `DequeueCount`.
            invocation_id: A new one by default.
            trace_parent: The W3C trace context; a new one by default.
            retry_count: The number of this retry, 0 for the first attempt.

        Returns:
            The result. An exception of the function is part of the result, and is not raised.

        Raises:
            KeyError: If the app has no function with this name.
        """
        import azure_functions_runtime as runtime

        function = self._functions[name]
        invocation_id = invocation_id or str(uuid.uuid4())
        trace_parent = trace_parent or new_trace_parent()
        request = _request(
            "invocation_request",
            invocation_id=invocation_id,
            function_id=function.id,
            input_data=[ParameterBinding(name=function.trigger["name"], data=data)],
            trigger_metadata=dict(metadata or {}),
            trace_context=Message(trace_parent=trace_parent, trace_state="", attributes={}),
            retry_context=Message(retry_count=retry_count, max_retry_count=0),
        )
        started = time.perf_counter()
        try:
            answer = await runtime.invocation_request(request)
        except SystemExit as error:
            # The runtime does not catch it. On Azure it ends the worker, which the host then starts again.
            seconds = time.perf_counter() - started
            return Result(invocation_id, seconds, error=f"SystemExit: {error.code}")
        seconds = time.perf_counter() - started
        if answer.result.status != StatusResult.Success:
            raised = answer.result.exception
            return Result(
                invocation_id, seconds, error=str(raised.message), stack_trace=str(raised.stack_trace or "")
            )
        outputs = {output.name: output.data for output in answer.output_data or ()}
        return Result(invocation_id, seconds, value=answer.return_value, outputs=outputs)


def event_grid_data(event: object) -> TypedData:
    """Return the value of an Event Grid trigger: the event's JSON text."""
    return TypedData(json=json.dumps(event))


def queue_data(
    body: str, *, message_id: str = "1", dequeue_count: int = 1
) -> tuple[TypedData, dict[str, TypedData]]:
    """Return a queue message's value and metadata, for `invoke(name, value, metadata=metadata)`."""
    now = datetime.now(UTC)
    return TypedData(string=body), {
        "Id": TypedData(string=message_id),
        "DequeueCount": TypedData(json=str(dequeue_count)),
        "PopReceipt": TypedData(string="receipt"),
        "InsertionTime": TypedData(json=json.dumps(now.isoformat())),
        "ExpirationTime": TypedData(json=json.dumps((now + timedelta(days=7)).isoformat())),
        "NextVisibleTime": TypedData(json=json.dumps((now + timedelta(minutes=10)).isoformat())),
    }


def new_trace_parent(trace_id: str | None = None) -> str:
    """Return a W3C traceparent with a new span, in the trace `trace_id` or in a new trace."""
    return f"00-{trace_id or secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


def _request(kind: str, **members: object) -> Message:
    protos = Protos()
    return Message(
        request=Message(**{kind: Message(**members)}),
        properties={"host": "127.0.0.1", "protos": protos},
    )


def _raise_unless_indexed(result: Message) -> None:
    if getattr(result, "status", None) == StatusResult.Success:
        return
    raised = result.exception
    message = getattr(raised, "message", "the runtime gave no reason")
    trace = getattr(raised, "stack_trace", "") or ""
    raise AppNotIndexed(f"{message}{os.linesep}{trace}".rstrip())
