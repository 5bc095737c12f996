"""Runs the function app: in the local Functions host, or in Azure Functions Core Tools."""

import json
import shutil
import sys
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, Literal

from local.paths import ROOT
from local.processes.ports import LOOPBACK, free_port
from local.processes.processes import Process, Processes, StackError, shown
from local.servers.function_groups import HTTP, disabling, function_groups, read_triggers
from local.timeline import last_error

HostKind = Literal["local", "func"]
_INSTALL: Final = "https://learn.microsoft.com/azure/azure-functions/functions-run-local"


class FunctionsApp:
    """The function app in a host process of its own, or in one for each function group."""

    def __init__(
        self,
        processes: Processes,
        log: Path,
        *,
        host: HostKind = "local",
        preferred_port: int = 0,
        flex: bool = False,
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            processes: What it is started with.
            log: The file to which the local host appends its log as JSON lines.
            host: `local` for `local/functions_host`, `func` for Core Tools.
            preferred_port: Taken if it is free.
            flex: Whether each function group has a process of its own, as on Flex Consumption.

        Raises:
            StackError: `host` is `func`, and Core Tools are not installed.
        """
        if host == "func" and shutil.which("func") is None:
            raise StackError(
                "function app",
                f"HOST=func needs Azure Functions Core Tools, and there is no `func` on PATH: see "
                f"{_INSTALL}, or leave HOST out for the host in local/",
            )
        self.log = log
        self.port = free_port(preferred_port)
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._host = host
        self._flex = flex
        self._processes = processes
        self._ports = {HTTP: self.port}
        self._running: dict[str, Process] = {}
        self._began = datetime.now(UTC)

    @property
    def is_running(self) -> bool:
        """Whether it was started and no process of it has ended."""
        return bool(self._running) and all(process.poll() is None for process in self._running.values())

    @property
    def process_count(self) -> int:
        """How many processes it has: one, or one for each function group."""
        return len(self._running)

    def webhook(self, function: str) -> str:
        """Return where Event Grid delivers events for an Event Grid function."""
        port = self._ports.get(function, self.port)
        return f"http://{LOOPBACK}:{port}/runtime/webhooks/EventGrid?functionName={function}"

    def start(self, environment: Mapping[str, str]) -> None:
        """Start the host, and return when the app's health is `ok`.

        Args:
            environment: The app's settings.

        Raises:
            StackError: The app cannot be indexed, or its health is not `ok`; with the end of its log.
        """
        settings = self.settings(environment)
        triggers = read_triggers(settings) if self._flex else {}
        groups = function_groups(triggers)
        self._began = datetime.now(UTC)
        for name, functions in groups.items():
            port = self._ports.setdefault(name, 0) or free_port()
            self._ports[name] = port
            self._running[name] = self._processes.start(
                "function app" if name == HTTP else f"function app {name}",
                self._command(port),
                env={**settings, **disabling(triggers, functions)},
                cwd=ROOT,
            )
        try:
            for name, process in self._running.items():
                self._processes.wait_until(partial(self._is_well, name), (process,), seconds=60)
        except StackError:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it."""
        self._processes.stop(*self._running.values())
        self._running = {}

    def _command(self, port: int) -> list[str | Path]:
        if self._host == "func":
            return ["func", "start", "--address", LOOPBACK, "--port", str(port)]
        module = (sys.executable, "-m", "local.functions_host")
        return [*module, "--port", str(port), "--log-file", self.log.resolve()]

    def settings(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return all settings of the app: the stack's, and those that the platform reads itself."""
        settings = {
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "PYTHON_THREADPOOL_THREAD_COUNT": "32",
            "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "2097152",
            **environment,
        }
        if self._host == "func":
            settings["languageWorkers__python__defaultExecutablePath"] = sys.executable
        return settings

    def _is_well(self, group: str) -> bool:
        """Return whether a process answers; the health page of the HTTP functions must say `ok`."""
        path = "/api/health" if group == HTTP else "/admin/host/status"
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self._ports[group]}{path}", timeout=5) as answer:
                said = json.load(answer)
        except (OSError, ValueError):  # routes are not up yet
            return False
        if group == HTTP and said != {"status": "ok"}:
            log = self._running[group].log
            reason = last_error(self.log, since=self._began) or f"{shown(log)} has the reason"
            raise StackError("function app", f"did not start: {reason}", log=log)
        return True
