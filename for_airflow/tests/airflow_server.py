"""A real Airflow with the Entra auth manager, in a folder of its own, ended with everything it started."""

import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
DAGS = Path(__file__).parent / "dags"
VERSION = tuple(int(number) for number in version("apache-airflow-core").split(".")[:2])
"""Of the Airflow that is installed beside the tests: `(3, 4)` for 3.4.0b2 as well."""

AIRFLOW = "api://airflow"
UPDRAFT = "api://updraft"
CLIENT_ID = "22222222-2222-4222-8222-222222222222"
PASSWORD = "made-up-password"
ADMIN = ("-r", "Admin", "-u", "admin", "-e", "admin@example.org", "-f", "A", "-l", "B", "-p", PASSWORD)
RUNS = "/api/v2/dags/{}/dagRuns"


def free_port() -> int:
    """Find a port that nobody listens on, and that the system gives to no outgoing connection meanwhile."""
    for port in range(15_000, 20_000):
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise OSError("no port from 15000 to 19999 is free")


class AirflowServer:
    """One Airflow: api-server, scheduler and DAG processor, on a loopback port."""

    def __init__(self, home: Path, port: int, database: str, settings: Mapping[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = home / "airflow.log"
        self.database = database
        self.dags = home / "dags"
        shutil.copytree(DAGS, self.dags)
        self._environment = os.environ | {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__CORE__AUTH_MANAGER": "updraft_airflow.auth_manager.EntraFabAuthManager",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",  # seconds until a changed file is read again
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            **settings,
        }
        # The repository's own: where it is not there, the tests that start an Airflow are skipped.
        from local.processes import guard, programs

        self.family = uuid.uuid4().hex
        self._environment |= {guard.FAMILY: self.family, "SPT_NOENV": "1"}  # known by its environment
        self._programs = programs
        self._processes: list[programs.Program[bytes]] = []

    def command(self, *arguments: str) -> str:
        """Run `airflow …` to its end and give its output."""
        done = self._programs.run([BIN / "airflow", *arguments], env=self._environment)
        assert done.returncode == 0, done.stderr[-3000:]
        output: str = done.stdout
        return output

    def start(self) -> None:
        """Start it and wait until every part lives.

        Not `airflow standalone`: that one always takes the Simple auth manager.
        """
        # The scheduler's server of the tasks' logs would listen on every address.
        for part in (("api-server",), ("scheduler", "--skip-serve-logs"), ("dag-processor",)):
            with self.log.open("ab") as output:
                process = self._programs.start(
                    [BIN / "airflow", *part],
                    env=self._environment,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            self._processes.append(process)
        deadline = time.monotonic() + 180
        while not self._healthy():
            assert all(process.poll() is None for process in self._processes), self.tail()
            assert time.monotonic() < deadline, self.tail()
            time.sleep(0.5)

    def stop(self) -> None:
        """End every process group that was started."""
        for sign, patience in ((signal.SIGTERM, 8.0), (signal.SIGKILL, 0.0)):
            for process in self._processes:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, sign)
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline and any(process.poll() is None for process in self._processes):
                time.sleep(0.1)
        for process in self._processes:
            process.wait(timeout=30)

    def wait_until(self, what: Callable[[], object], *, seconds: float = 90) -> None:
        """Ask again and again until the answer is true.

        Raises:
            AssertionError: It was not in time; with the end of the log.
        """
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, self.tail()
            time.sleep(0.3)

    def admin(self) -> str:
        """Return a token of the user `admin`, whom the fixture makes."""
        credentials = {"username": "admin", "password": PASSWORD}
        return str(self.call("POST", "/auth/token", None, credentials)[1]["access_token"])

    def permissions_of(self, role: str) -> set[tuple[str, str]]:
        """Return what a FAB role may do: (action, resource), in FAB's names."""
        found = self.call("GET", f"/auth/fab/v1/roles/{role}", self.admin())[1]
        return {(entry["action"]["name"], entry["resource"]["name"]) for entry in found["actions"]}

    def tail(self) -> str:
        """Give the end of the log, for an assertion's message."""
        return self.log.read_text(errors="replace")[-4000:]

    def call(
        self, method: str, path: str, token: str | None = None, body: object = None
    ) -> tuple[int, dict[str, Any]]:
        """Make one request; give the status and the JSON body (or what came under "text")."""
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - loopback
                status, raw = response.status, response.read()
        except urllib.error.HTTPError as refused:
            status, raw = refused.code, refused.read()
        try:
            return status, json.loads(raw)
        except ValueError:
            return status, {"text": raw.decode(errors="replace")}

    def _healthy(self) -> bool:
        try:
            status, health = self.call("GET", "/api/v2/monitor/health")
        except OSError:
            return False
        parts = ("metadatabase", "scheduler", "dag_processor")
        return status == 200 and all(health[part]["status"] == "healthy" for part in parts)


def trigger(server: AirflowServer, token: str, dag: str, conf: object = None) -> tuple[int, dict[str, Any]]:
    """Start a run as Updraft does."""
    body = {"dag_run_id": f"test__{uuid.uuid4()}", "logical_date": None, "conf": conf or {}}
    return server.call("POST", RUNS.format(dag), token, body)
