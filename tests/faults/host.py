"""A Functions host with the app, as a process that a fault can kill."""

import json
import signal
import sys
import urllib.error
import urllib.request
from typing import Any

from local.processes.ports import LOOPBACK, free_port
from local.processes.processes import Process, Processes
from tests.support.paths import ROOT


class Host:
    """The process; it has the same address after each start.

    Args:
        processes: Starts the process.
        settings: The app's settings.
        name: The process's name in the logs.
    """

    def __init__(self, processes: Processes, settings: dict[str, str], name: str = "function app") -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._processes = processes
        self._settings = settings
        self._name = name
        self._process: Process | None = None

    def begin(self) -> None:
        """Start the process without waiting for it."""
        self._process = self._processes.start(
            self._name,
            [sys.executable, "-m", "tests.faults.host_child", "--port", str(self.port)],
            env={
                "FUNCTIONS_WORKER_RUNTIME": "python",
                "PYTHON_THREADPOOL_THREAD_COUNT": "32",
                **self._settings,
            },
            cwd=ROOT,
            stop_signal=signal.SIGKILL,
        )

    def wait(self, seconds: float = 60) -> None:
        """Wait until the app is healthy."""
        assert self._process is not None
        self._processes.wait_until(self._is_well, (self._process,), seconds=seconds)

    def start(self) -> None:
        """Start the process, and return when the app is healthy."""
        self.begin()
        self.wait()

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        if self._process is not None:
            self._processes.stop(self._process)
            self._process = None

    def deliver(self, body: str) -> bool:
        """Post a body as Event Grid does, and return whether it was acknowledged."""
        request = urllib.request.Request(  # noqa: S310 - our own loopback
            f"{self.url}/runtime/webhooks/EventGrid?functionName=event_grid",
            body.encode(),
            {"aeg-event-type": "Notification", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - as above
                return True
        except OSError:
            return False

    def outcome_counts(self, token: str) -> dict[str, Any]:
        """Return the counts in the app's status.

        Args:
            token: The token of a caller who may read the status.
        """
        request = urllib.request.Request(  # noqa: S310 - our own loopback
            f"{self.url}/api/status", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
            return dict(json.load(answer)["counts"])

    def _is_well(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api/health", timeout=5):  # noqa: S310 - as above
                return True
        except OSError:
            return False
