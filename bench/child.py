"""One fresh process with Microsoft's runtime and one app: times its first event and its warm ones.

`python -m bench.child APP FUNCTION --warm N` prints one JSON object. The runtime and its library are imported
before the clock starts, because Azure's worker has loaded them before it loads an app.
"""

import argparse
import asyncio
import json
import logging
import resource
import time
import uuid
from pathlib import Path
from typing import Any, Final

from local.functions_host.worker import Worker, event_grid_data
from local.processes import default_signals

AT_ONCE: Final = 8
KIBIBYTES_PER_MEGABYTE: Final = 1024.0


def swap_event() -> dict[str, Any]:
    """Return a slot swap in Event Grid's form, with a unique id."""
    return {
        "id": str(uuid.uuid4()),
        "topic": "/subscriptions/0/resourceGroups/shop/providers/Microsoft.Web/sites/shop",
        "subject": "/Microsoft.Web/sites/shop",
        "eventType": "Microsoft.Web.SlotSwapCompleted",
        "eventTime": "2026-01-28T18:26:51.7194887Z",
        "data": {
            "appEventTypeDetail": None,
            "name": "shop",
            "clientRequestId": "922f4841-20d9-4dd6-8c5b-23f0d85e5592",
            "correlationRequestId": "9ac46505-2b8a-4e06-834c-05ffbe2e8c3a",
            "requestId": "765117aa-eaf8-4bd2-a644-1dbf69c7b0fd",
            "address": "/websystems/WebSites/web/subscriptions/0/webspaces/shop/sites/shop/slots",
            "verb": "POST",
            "sourceSlot": "staging",
            "targetSlot": "production",
        },
        "dataVersion": "1",
        "metadataVersion": "1",
    }


async def measure(app: Path, function: str, warm: int) -> dict[str, float]:
    """Index `app`, send it one event, then `warm` events in sequence and as many `AT_ONCE` at a time.

    Raises:
        RuntimeError: An event failed, so its time is not valid.
    """
    started, cold_cpu = time.perf_counter(), time.process_time()
    worker = Worker(app)
    await worker.start()
    indexed = time.perf_counter()
    await _send(worker, function)
    first, cold_cpu = time.perf_counter(), time.process_time() - cold_cpu

    cpu = time.process_time()
    for _ in range(warm):
        await _send(worker, function)
    cpu = time.process_time() - cpu

    slots = asyncio.Semaphore(AT_ONCE)
    burst = time.perf_counter()
    await asyncio.gather(*(_send_within(slots, worker, function) for _ in range(warm)))
    burst = time.perf_counter() - burst
    await worker.stop()
    return {
        "index_seconds": indexed - started,
        "cold_seconds": first - started,
        "cold_cpu_milliseconds": cold_cpu * 1000,
        "cpu_milliseconds": cpu / warm * 1000,
        "events_per_second": warm / burst,
        "peak_megabytes": _peak_kibibytes() / KIBIBYTES_PER_MEGABYTE,
    }


def _peak_kibibytes() -> float:
    """Return the peak memory of this process.

    On Linux it comes from /proc, because getrusage includes the memory of the parent process.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return float(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIBIBYTES_PER_MEGABYTE  # bytes on macOS


async def _send(worker: Worker, function: str) -> None:
    result = await worker.invoke(function, event_grid_data(swap_event()))
    if not result.succeeded:
        raise RuntimeError(f"{function} failed: {result.error}\n{result.stack_trace}")


async def _send_within(slots: asyncio.Semaphore, worker: Worker, function: str) -> None:
    async with slots:
        await _send(worker, function)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("app", type=Path)
    parser.add_argument("function")
    parser.add_argument("--warm", type=int, default=200)
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    import azure_functions_runtime  # noqa: F401 - loaded before the clock starts, as on Azure

    print(json.dumps(asyncio.run(measure(arguments.app, arguments.function, arguments.warm))))


if __name__ == "__main__":
    default_signals.restore()
    main()
