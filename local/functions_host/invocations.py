"""Running a function as the host does: logged, timed, limited in time, and never the end of the host."""

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping

from local.functions_host.protos import TypedData
from local.functions_host.worker import Result, Worker

from . import logs


class Invocations:
    """The host's way to a worker's functions.

    Args:
        worker: A worker that has started.
        timeout: Seconds an invocation may take (`functionTimeout`); None: any time.
    """

    def __init__(self, worker: Worker, *, timeout: float | None) -> None:
        self._worker = worker
        self._timeout = timeout
        self._running: set[asyncio.Task[Result]] = set()
        self.abandoned = 0
        """How many functions ran into their time-out, and may still hold a thread."""

    @property
    def in_flight(self) -> int:
        """How many invocations are running."""
        return len(self._running)

    async def run(
        self,
        name: str,
        data: TypedData,
        *,
        reason: str,
        metadata: Mapping[str, TypedData] | None = None,
        details: str | None = None,
        trace_parent: str | None = None,
    ) -> Result:
        """Run the function `name`, and log its start and its end.

        Args:
            name: The function's name.
            data: Its trigger's value.
            reason: Why it runs, for the log.
            metadata: The trigger's metadata.
            details: What the log says about the trigger.
            trace_parent: The W3C trace context to run in.

        Returns:
            How it ended; a time-out is a failure too. The caller's cancellation does not reach the function.
        """
        task = asyncio.create_task(
            self._run(
                name, data, reason=reason, metadata=metadata, details=details, trace_parent=trace_parent
            )
        )
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _run(
        self,
        name: str,
        data: TypedData,
        *,
        reason: str,
        metadata: Mapping[str, TypedData] | None,
        details: str | None,
        trace_parent: str | None,
    ) -> Result:
        invocation_id = str(uuid.uuid4())
        log = logging.getLogger(f"Function.{name}")
        extra = logs.about(name, invocation_id)
        logs.begin(invocation_id, name)
        token = logs.invocation.set(invocation_id)
        log.info("Executing 'Functions.%s' (Reason='%s', Id=%s)", name, reason, invocation_id, extra=extra)
        if details:
            log.info("Trigger Details: %s", details, extra=extra)
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout):
                result = await self._worker.invoke(
                    name, data, metadata=metadata, invocation_id=invocation_id, trace_parent=trace_parent
                )
        except TimeoutError:
            self.abandoned += 1
            result = Result(
                invocation_id,
                time.perf_counter() - started,
                error=(
                    f"Timeout value of {_clock(self._timeout or 0)} was exceeded "
                    f"by function: Functions.{name}"
                ),
            )
        finally:
            logs.invocation.reset(token)
            logs.end(invocation_id)
        self._log_end(log, name, result, extra)
        return result

    def _log_end(self, log: logging.Logger, name: str, result: Result, extra: Mapping[str, str]) -> None:
        level = logging.INFO if result.succeeded else logging.ERROR
        text = "Executed 'Functions.%s' (%s, Id=%s, Duration=%dms)"
        outcome = "Succeeded" if result.succeeded else "Failed"
        log.log(level, text, name, outcome, result.invocation_id, round(result.seconds * 1000), extra=extra)
        if not result.succeeded:
            trace = f"\n{result.stack_trace}" if result.stack_trace else ""
            message = f"Exception while executing function: Functions.{name}. {result.error}"
            log.error("%s%s", message, trace.rstrip(), extra=extra)

    async def refuse(self, name: str, *, reason: str, error: str) -> Result:
        """Fail an invocation before it reaches the function, because its trigger's value cannot be bound."""
        result = Result(str(uuid.uuid4()), 0.0, error=f"Exception binding parameter. {error}")
        log = logging.getLogger(f"Function.{name}")
        extra = logs.about(name, result.invocation_id)
        log.info(
            "Executing 'Functions.%s' (Reason='%s', Id=%s)", name, reason, result.invocation_id, extra=extra
        )
        self._log_end(log, name, result, extra)
        return result

    async def drain(self, seconds: float) -> int:
        """Wait up to `seconds` for the running invocations.

        Returns:
            How many of them still run; those that ran into their time-out are not counted.
        """
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        for task in self._running:
            task.cancel()
        return len(self._running)


def message_of(name: str, result: Result) -> str:
    """The message of the exception that the real host makes of a failed invocation.

    Azure/azure-webjobs-sdk wraps what the function raised; only a time-out keeps its own text.
    """
    if result.error and result.error.startswith("Timeout value of"):
        return result.error
    return f"Exception while executing function: Functions.{name}"


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
