"""Runs functions as the host does: with log lines and a time-out; an error does not end the host."""

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping

from local.functions_host.protos import TypedData
from local.functions_host.worker import Result, Worker

from . import logs


class Invocations:
    """Runs a worker's functions.

    Args:
        worker: A worker that has started.
        timeout: The most seconds of an invocation (`functionTimeout`); None for no limit.
    """

    def __init__(self, worker: Worker, *, timeout: float | None) -> None:
        self._worker = worker
        self._timeout = timeout
        self._running: set[asyncio.Task[Result]] = set()
        self.abandoned = 0
        """The number of functions that reached their time-out; they may still use a thread."""

    @property
    def in_flight(self) -> int:
        """The number of invocations that run."""
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
        """Run a function, and log its start and its end.

        Args:
            name: The function's name.
            data: Its trigger's value.
            reason: The reason for the invocation, for the log.
            metadata: The trigger's metadata.
            details: The trigger's details, for the log.
            trace_parent: The W3C trace context of the invocation.

        Returns:
            The result; a time-out is a failure. If the caller is cancelled, the function still runs.
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
        """Log and return the failure of an invocation whose trigger's value cannot be bound."""
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
            The number of invocations that still run, without those that reached their time-out.
        """
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        for task in self._running:
            task.cancel()
        return len(self._running)


def message_of(name: str, result: Result) -> str:
    """Return the message of the exception that the real host raises for a failed invocation.

    Azure/azure-webjobs-sdk wraps the function's exception, but not a time-out.
    """
    if result.error and result.error.startswith("Timeout value of"):
        return result.error
    return f"Exception while executing function: Functions.{name}"


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
