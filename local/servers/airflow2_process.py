"""Runs a real Airflow 2 on this machine: only its web server, on SQLite, for API v1.

No scheduler runs, so its runs stay queued.
"""

import os
import secrets
import urllib.error
import urllib.request
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Final

from local.paths import ROOT
from local.processes.ports import LOOPBACK, free_port
from local.processes.private import private_folder
from local.processes.processes import Process, Processes, StackError

ENVIRONMENT: Final = ROOT / ".venv-airflow2"
USER: Final = "updraft"
_HERE: Final = ROOT / "local" / "airflow2"


class Airflow2:
    """A real Airflow 2 with its state in one folder.

    Args:
        processes: Starts its programs.
        folder: The folder of its state.

    Attributes:
        url: The address of its web server.
        password: The password of the user `updraft`, who may start runs; new at each start.

    Raises:
        StackError: Airflow 2 is not installed.
    """

    def __init__(self, processes: Processes, folder: Path) -> None:
        if not (ENVIRONMENT / "bin" / "airflow").exists():
            raise StackError("airflow 2", f"{ENVIRONMENT} has no Airflow; run `make airflow2`")
        self.port = free_port(0)
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.password = secrets.token_urlsafe(18)
        self._processes = processes
        self._home = folder.resolve()
        self._running: tuple[Process, ...] = ()

    def start(self) -> None:
        """Prepare the database, start the web server, and return once it answers.

        Raises:
            StackError: It did not start in time; with the end of its log.
        """
        private_folder(self._home)
        program = ENVIRONMENT / "bin"
        environment = self._env()
        self._processes.run(
            "airflow 2 prepare", [program / "python", _HERE / "prepare.py"], env=environment, seconds=180
        )
        command: list[str | Path] = [program / "airflow", "webserver", "--workers", "2"]
        self._running = (self._processes.start("airflow 2 webserver", command, env=environment),)
        self._processes.wait_until(self._is_well, self._running, seconds=180)

    def stop(self) -> None:
        """Stop the web server."""
        self._processes.stop(*self._running)
        self._running = ()

    def _is_well(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/health", timeout=5) as answer:  # noqa: S310 - our own loopback
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def _env(self) -> dict[str, str]:
        return {
            "PATH": f"{ENVIRONMENT / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW__API__AUTH_BACKENDS": ",".join(
                f"airflow.api.auth.backend.{backend}" for backend in ("basic_auth", "session")
            ),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(_HERE / "dags"),
            "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self._home}/airflow.db",
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__WEBSERVER__SECRET_KEY": secrets.token_urlsafe(24),
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": LOOPBACK,
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(self.port),
            "UPDRAFT_AIRFLOW2_PASSWORD": self.password,
            "UPDRAFT_AIRFLOW2_USER": USER,
        }
