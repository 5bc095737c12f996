"""Runs a real Airflow on this machine: its API server, scheduler and DAG processor, on Postgres.

These three are what a DAG run needs. `airflow standalone` starts a triggerer as well, below a parent that
imports all of Airflow only to wait: on two busy cores it was well after 35 to 46 s, these after 14 to 24.
"""

import json
import os
import secrets
import urllib.error
import urllib.request
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from local.ports import LOOPBACK, free_port
from local.postgres_process import Postgres
from local.processes import Process, Processes, StackError
from local.timeline import moment

ROOT: Final = Path(__file__).parent.parent
USER: Final = "updraft"
"""The login of the function app; its role may start runs and nothing above that."""
ADMIN: Final = "admin"
"""The login for a person."""

_ENVIRONMENT: Final = ROOT / ".venv-airflow"
_PATIENCE: Final = 30.0
"""Seconds to wait for an answer: two cores that start a whole stack keep a request waiting."""
_COMPONENTS: Final = ("api-server", "scheduler", "dag-processor")


class Airflow:
    """A real Airflow with its state in one folder, so that a second start finds its database ready."""

    def __init__(
        self,
        processes: Processes,
        folder: Path,
        *,
        dags: Path = ROOT / "examples" / "dags",
        database: Literal["postgres", "sqlite"] = "postgres",
        preferred_port: int = 0,
        environment: Path = _ENVIRONMENT,
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            processes: What its programs are started with.
            folder: Where its state is kept.
            dags: The folder with the DAG files.
            database: Postgres, or SQLite, which withstands one request at a time.
            preferred_port: Taken if it is free.
            environment: The virtual environment that Airflow is installed in.

        Raises:
            StackError: Airflow is not installed there.
        """
        if not (environment / "bin" / "airflow").exists():
            raise StackError("airflow", f"{environment} has no Airflow; run `make setup`")
        self.port = free_port(preferred_port)
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._processes = processes
        self._home = folder.resolve()
        self._dags = dags.resolve()
        self._bin = environment / "bin"
        self._postgres = (
            Postgres(processes, self._home / "postgres", environment) if database == "postgres" else None
        )
        self._running: tuple[Process, ...] = ()
        self._began = datetime.now(UTC)
        self.passwords = self._kept(
            "passwords.json", {USER: secrets.token_urlsafe(18), ADMIN: secrets.token_urlsafe(9)}
        )

    def start(self) -> None:
        """Start the database and the three components, and return once all of them are well.

        Raises:
            StackError: One of them did not start in time; with the end of its log.
        """
        if self._postgres is not None:
            self._postgres.start()
        self._migrate()
        self._began = datetime.now(UTC)
        self._running = tuple(
            self._processes.start(f"airflow {component}", [self._bin / "airflow", component], env=self._env())
            for component in _COMPONENTS
        )
        self._processes.wait_until(self._is_well, self._running, seconds=180)

    def stop(self) -> None:
        """Stop the components, then the database."""
        self._processes.stop(*self._running)
        self._running = ()
        if self._postgres is not None:
            self._postgres.stop()

    def wait_for_dags(self, *dag_ids: str, seconds: float = 60) -> None:
        """Wait until Airflow has read these DAGs from their files.

        Raises:
            StackError: One is still unknown after `seconds`; most likely its file has a mistake.
        """
        token = self.token()
        missing = list(dag_ids)

        def all_known() -> bool:
            while missing and self._knows(missing[0], token):
                missing.pop(0)
            return not missing

        try:
            self._processes.wait_until(all_known, self._running, seconds=seconds)
        except StackError as error:
            raise StackError(
                "airflow", f"does not know the DAGs {missing}. {error}", log=error.log
            ) from error

    def token(self, user: str = ADMIN) -> str:
        """Return a bearer token of Airflow's own for one of the two logins."""
        answer = self.call("POST", "/auth/token", {"username": user, "password": self.passwords[user]})
        return str(answer["access_token"])

    def call(self, method: str, path: str, body: object = None, *, token: str = "") -> dict[str, Any]:
        """Call its API and return the JSON object that it answers.

        Raises:
            urllib.error.HTTPError: It answered with an error.
            OSError: It does not answer, or not in time.
        """
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        request = urllib.request.Request(  # noqa: S310 - the address is our own loopback
            self.url + path, json.dumps(body).encode() if body is not None else None, headers, method=method
        )
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310 - as above
            return dict(json.load(answer))

    def run_link(self, dag_id: str, run_id: str) -> str:
        """Return the address of a DAG run's page in Airflow's own user interface."""
        return f"{self.url}/dags/{dag_id}/runs/{run_id}"

    def _is_well(self) -> bool:
        try:
            health = self.call("GET", "/api/v2/monitor/health")
        except OSError:
            return False
        # Heartbeats are kept in the database: those of the last start would count for half a minute.
        return health["metadatabase"]["status"] == "healthy" and all(
            health[part]["status"] == "healthy"
            and moment(health[part][f"latest_{part}_heartbeat"]) > self._began
            for part in ("scheduler", "dag_processor")
        )

    def _knows(self, dag_id: str, token: str) -> bool:
        try:
            dag = self.call("GET", f"/api/v2/dags/{dag_id}", token=token)
        except OSError:  # an error of its own, or it is too busy to answer
            return False
        return not dag["is_stale"] and not dag["is_paused"]

    def _migrate(self) -> None:
        """Bring the database to this Airflow's version, unless that was done before."""
        done = self._home / "migrated.json"
        database = self._postgres.identity if self._postgres else str((self._home / "airflow.db").exists())
        state = {"airflow": _version(self._bin), "database": database}
        if done.exists() and json.loads(done.read_text()) == state:
            return
        self._processes.run(
            "airflow db migrate", [self._bin / "airflow", "db", "migrate"], env=self._env(), seconds=180
        )
        done.write_text(json.dumps(state | ({} if self._postgres else {"database": "True"})))

    def _env(self) -> dict[str, str]:
        """Return Airflow's settings. Secrets travel in a child's environment, never on a command line."""
        keys = self._kept(
            "keys.json",
            {
                "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
                "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(24),
                "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            },
        )
        url = self._postgres.sqlalchemy_url if self._postgres else f"sqlite:///{self._home}/airflow.db"
        return keys | {
            "PATH": f"{self._bin}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW__API__BASE_URL": self.url,  # the tasks call it too: they would go to port 8080 without
            "AIRFLOW__API__HOST": LOOPBACK,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._dags),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._home / "passwords.json"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin,{USER}:user",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }

    def _kept(self, file: str, new: dict[str, str]) -> dict[str, str]:
        """Return the secrets in a file of the state folder, made the first time, for its owner alone."""
        path = self._home / file
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(json.dumps(new))
        return dict(json.loads(path.read_text()))


def _version(binaries: Path) -> str:
    """Return the version of the Airflow installed beside `binaries`, without starting it."""
    found = sorted(binaries.parent.glob("lib/python*/site-packages/apache_airflow_core-*.dist-info"))
    return found[-1].name.removesuffix(".dist-info").rpartition("-")[2] if found else "unknown"
