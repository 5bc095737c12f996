"""Helpers of the Functions host's tests: a host in a thread, and a fresh runtime for each app."""

import asyncio
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local.functions_host.host import Host


def forget_runtime() -> None:
    """Make the next import of the runtime a fresh one, because its modules hold the app."""
    for name in tuple(sys.modules):
        if name == "function_app" or name.partition(".")[0] == "azure_functions_runtime":
            del sys.modules[name]


@contextmanager
def running_host(app: Path, *, settings: Mapping[str, str] | None = None) -> Iterator[Host]:
    """A host with an app on a free port, in its own thread; an error of the start is raised here."""
    forget_runtime()
    ready, stop = threading.Event(), threading.Event()
    host = Host(app, port=0, settings=settings)
    failures: list[BaseException] = []

    async def live() -> None:
        try:
            async with host:
                ready.set()
                await asyncio.to_thread(stop.wait)
        except BaseException as error:  # noqa: BLE001 - it is raised in the test's own thread
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    ready.wait(30)
    try:
        if not failures:
            yield host
    finally:
        stop.set()
        thread.join(30)
        forget_runtime()
    if failures:
        raise failures[0]
