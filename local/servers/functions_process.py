"""Runs the function app: in the local Functions host, or in Azure Functions Core Tools."""

import json
import shutil
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from local.paths import ROOT
from local.processes.ports import LOOPBACK, free_port
from local.processes.processes import Process, Processes, StackError
from local.timeline import last_error

HostKind = Literal["local", "func"]
_INSTALL: Final = "https://learn.microsoft.com/azure/azure-functions/functions-run-local"


class FunctionsApp:
    """The function app in a host process of its own."""

    def __init__(
        self, processes: Processes, log: Path, *, host: HostKind = "local", preferred_port: int = 0
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            processes: What it is started with.
            log: Where the local host writes its log as JSON lines; what was there goes.
            host: `local` for `local/functions_host`, `func` for Core Tools.
            preferred_port: Taken if it is free.

        Raises:
            StackError: Core Tools are wanted and not installed.
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
        self._processes = processes
        self._process: Process | None = None

    def webhook(self, function: str) -> str:
        """Return where Event Grid delivers events for an Event Grid function."""
        return f"{self.url}/runtime/webhooks/EventGrid?functionName={function}"

    def start(self, environment: Mapping[str, str]) -> None:
        """Start the host, and return once the app says that it is well.

        Args:
            environment: The app's settings.

        Raises:
            StackError: The app cannot be indexed, or is not well; with the end of its log.
        """
        self.log.unlink(missing_ok=True)
        self._process = self._processes.start(
            "function app", self._command(), env=self._settings(environment), cwd=ROOT
        )
        self._processes.wait_until(self._is_well, (self._process,), seconds=60)

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._processes.stop(self._process)
            self._process = None

    def _command(self) -> list[str | Path]:
        if self._host == "func":
            return ["func", "start", "--address", LOOPBACK, "--port", str(self.port)]
        module = (sys.executable, "-m", "local.functions_host")
        return [*module, "--port", str(self.port), "--log-file", self.log.resolve()]

    def _settings(self, environment: Mapping[str, str]) -> dict[str, str]:
        settings = {
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "PYTHON_THREADPOOL_THREAD_COUNT": "32",
            "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "2097152",
            **environment,
        }
        if self._host == "func":
            settings["languageWorkers__python__defaultExecutablePath"] = sys.executable
        return settings

    def _is_well(self) -> bool:
        """Ask the app's health page; where it says another word than `ok`, the log has the reason."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/health", timeout=5) as answer:  # noqa: S310 - our own loopback
                said = json.load(answer)
        except (OSError, ValueError):  # routes are not up yet
            return False
        if said != {"status": "ok"} and self._process is not None:
            reason = last_error(self.log) or "its log says why"
            raise StackError("function app", f"is not well: {reason}", log=self._process.log)
        return True
