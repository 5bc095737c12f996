"""Runs a real Airflow on this machine: its API server, scheduler and DAG processor, on Postgres.

A DAG run needs these three; tests of the API need only its server. `airflow standalone` also starts a
triggerer, and a parent process that imports all of Airflow only to wait: on two busy cores it was ready after
35 to 46 s, these after 14 to 24. It also accepts only the Simple auth manager.
"""

import json
import os
import secrets
import shutil
import urllib.error
import urllib.request
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from local.paths import ROOT
from local.processes.ports import LOOPBACK, free_port
from local.processes.private import kept_secrets, write_private
from local.processes.processes import Process, Processes, StackError
from local.servers.airflow_auth import ADMIN, SIMPLE, AuthManager
from local.servers.postgres_process import Postgres
from local.timeline import moment

Edition = Literal["", "next"]
"""An installed Airflow 3: the released version, or the pre-release of local/airflow-next/."""
_PATIENCE: Final = 30.0
"""Seconds to wait for an answer: two cores that start a whole stack keep a request waiting."""
_NEW_DAG_WITHIN: Final = 5
"""Seconds between two looks for new DAG files."""
_PREPARE: Final = ROOT / "local" / "airflow" / "prepare.py"

EXAMPLE_DAGS: Final = ROOT / "examples" / "dags"

Component = Literal["api-server", "scheduler", "dag-processor"]
ALL: Final[tuple[Component, ...]] = ("api-server", "scheduler", "dag-processor")
_OPTIONS: Final[Mapping[Component, Sequence[str]]] = {"scheduler": ("--skip-serve-logs",)}
"""The scheduler's server of task logs would listen on every address; here the UI reads the files."""


class Airflow:
    """A real Airflow with its state in one folder, so that a second start finds its database ready."""

    def __init__(
        self,
        processes: Processes,
        folder: Path,
        *,
        dags: Path = EXAMPLE_DAGS,
        own_dags: Path | None = None,
        database: Literal["postgres", "sqlite"] = "postgres",
        auth: AuthManager = SIMPLE,
        components: Sequence[Component] = ALL,
        settings: Mapping[str, str] | None = None,
        preferred_port: int = 0,
        edition: Edition = "",
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            processes: Starts its programs.
            folder: The folder of its state.
            dags: The folder with the DAG files.
            own_dags: Another folder with DAG files, which need not be there yet.
            database: Postgres, or SQLite, which withstands one request at a time.
            auth: The auth manager.
            components: The started programs. With the API server alone, which takes 0.4 GB less, runs stay
                queued and the DAGs are read once, when the database is made.
            settings: More of Airflow's settings, as environment variables.
            preferred_port: The port to use if it is free.
            edition: The Airflow to run. Each needs its own folder, because each has its own database.

        Raises:
            StackError: This Airflow is not installed.
        """
        environment = ROOT / f".venv-{airflow_name(edition)}"
        if not (environment / "bin" / "airflow").exists():
            remedy = f"make {environment.name}/ready" if edition else "make setup"
            raise StackError("airflow", f"{environment} has no Airflow; run `{remedy}`")
        self.port = free_port(preferred_port)
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._processes = processes
        self._home = folder.resolve()
        self._dags = dags.resolve()
        self._own_dags = own_dags.resolve() if own_dags else None
        self._auth = auth
        self._components = components
        self._settings = dict(settings or {})
        self._bin = environment / "bin"
        self._postgres = (
            Postgres(processes, self._home / "database", environment) if database == "postgres" else None
        )
        self._running: tuple[Process, ...] = ()
        self._began = datetime.now(UTC)
        self.passwords = self._kept(
            "passwords.json", {name: secrets.token_urlsafe(12) for name in auth.users}
        )

    def start(self) -> None:
        """Start the database and the components, and return when all of them are healthy.

        Raises:
            StackError: One of them did not start in time; with the end of its log.
        """
        if self._postgres is not None:
            self._postgres.start()
        self._prepare()
        self._began = datetime.now(UTC)
        self._running = tuple(
            self._processes.start(
                f"airflow {component}",
                [self._bin / "airflow", component, *_OPTIONS.get(component, ())],
                env=self._env(),
            )
            for component in self._components
        )
        self._processes.wait_until(self._is_well, self._running, seconds=180)
        if "scheduler" in self._components:
            self._processes.wait_until(self._tasks_can_report, self._running, seconds=180)

    @property
    def is_running(self) -> bool:
        """Whether it was started and no program of it has ended."""
        alive = [process.poll() is None for process in self._running]
        database = self._postgres is None or self._postgres.is_running
        return bool(alive) and all(alive) and database

    @property
    def dag_folders(self) -> dict[str, Path]:
        """The folders with DAG files, by the names of their bundles."""
        own = {"own-dags": self._own_dags} if self._own_dags is not None else {}
        return {"dags-folder": self._dags, **own}

    def forget(self) -> None:
        """Remove the database and the logs of tasks; the next start begins with an empty Airflow."""
        if self._postgres is not None:
            self._postgres.forget()
        shutil.rmtree(self._home / "logs", ignore_errors=True)

    def stop(self) -> None:
        """Stop the components, then the database."""
        self._processes.stop(*self._running)
        self._running = ()
        if self._postgres is not None:
            self._postgres.stop()

    def wait_for_dags(self, *dag_ids: str, seconds: float = 60) -> None:
        """Wait until Airflow has read these DAGs from their files.

        Raises:
            StackError: One is unknown after `seconds`; its file probably has a mistake.
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
            raise StackError("airflow", f"has not read the DAGs {missing}. {error}", log=error.log) from error

    def token(self, user: str = ADMIN) -> str:
        """Return an Airflow token for one of the logins."""
        answer = self.call("POST", "/auth/token", {"username": user, "password": self.passwords[user]})
        return str(answer["access_token"])

    def call(self, method: str, path: str, body: object = None, *, token: str = "") -> dict[str, Any]:
        """Call its API and return the JSON object of the response.

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
        # The database still has the last start's heartbeats, which would count for half a minute.
        return health["metadatabase"]["status"] == "healthy" and all(
            health[part]["status"] == "healthy"
            and moment(health[part][f"latest_{part}_heartbeat"]) > self._began
            for part in (component.replace("-", "_") for component in self._components)
            if part != "api_server"
        )

    def _tasks_can_report(self) -> bool:
        """Make the API server build its execution API, which it does at the first request for it.

        During that it answers no request for some seconds, and on a busy machine longer than clients wait.
        Source: `Cadwyn._cadwyn_initialize` on the event loop, seen with Airflow 3.4.0b2.
        """
        try:
            return self.call("GET", "/execution/health") == {"status": "healthy"}
        except OSError:
            return False

    def _knows(self, dag_id: str, token: str) -> bool:
        try:
            dag = self.call("GET", f"/api/v2/dags/{dag_id}", token=token)
        except OSError:  # an HTTP error, or it is too busy to answer
            return False
        return not dag["is_stale"] and not dag["is_paused"]

    def _prepare(self) -> None:
        """Migrate the database to this Airflow's version, and make FAB's users, once."""
        done = self._home / "prepared.json"
        users = (
            {
                name: {"role": role, "password": self.passwords[name]}
                for name, role in self._auth.users.items()
            }
            if self._auth.fab
            else {}
        )
        state = {
            "airflow": _versions(self._bin),
            "auth": self._auth.class_path,
            "database": self._database(),
            "role_dags": list(self._auth.role_dags),
            "every_dag": self._auth.every_dag,
            "passwords": (self._home / "passwords.json").stat().st_mtime_ns,
        }
        if done.exists() and json.loads(done.read_text()) == state:
            return
        wanted = {
            "users": users,
            "role_dags": list(self._auth.role_dags),
            "every_dag": self._auth.every_dag,
            "read_dags": "dag-processor" not in self._components,
        }
        self._processes.run(
            "airflow prepare",
            [self._bin / "python", _PREPARE],
            env=self._env() | {"UPDRAFT_AIRFLOW_WANTED": json.dumps(wanted)},
            seconds=240,
        )
        write_private(done, json.dumps(state | {"database": self._database()}))

    def _database(self) -> str:
        """Return an id of this database, which differs from the id of an earlier one."""
        if self._postgres is not None:
            return self._postgres.identity
        file = self._home / "airflow.db"
        return str(file.stat().st_ino) if file.exists() else ""

    def _env(self) -> dict[str, str]:
        """Return Airflow's settings. Secrets are passed in a child's environment, never on a command line."""
        keys = self._kept(
            "keys.json",
            {
                "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
                "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(24),
                "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            },
        )
        url = self._postgres.sqlalchemy_url if self._postgres else f"sqlite:///{self._home}/airflow.db"
        simple = {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._home / "passwords.json"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
                f"{name}:{role}" for name, role in self._auth.users.items()
            ),
        }
        return {
            **keys,
            **({} if self._auth.fab else simple),
            **self._auth.settings,
            "PATH": f"{self._bin}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW__API__BASE_URL": self.url,  # the tasks call it too: without it they would use port 8080
            "AIRFLOW__API__HOST": LOOPBACK,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__CORE__AUTH_MANAGER": self._auth.class_path,
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._dags),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            # By default a task fails if its API server does not answer within five seconds.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": f"{_PATIENCE:.0f}",
            **self._bundles(),
            **self._settings,
        }

    def _kept(self, file: str, new: dict[str, str]) -> dict[str, str]:
        """Return the secrets in a file of this Airflow's folder, made when missing."""
        return kept_secrets(self._home / file, new)

    def _bundles(self) -> dict[str, str]:
        """Return the settings by which Airflow reads the folder of own DAGs too, and finds new files soon.

        Airflow looks for new files every five minutes by default.
        """
        if self._own_dags is None:
            return {}
        self._own_dags.mkdir(parents=True, exist_ok=True)
        bundles = [
            {
                "name": name,
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": str(path)},
            }
            for name, path in self.dag_folders.items()
        ]
        return {
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": str(_NEW_DAG_WITHIN),
        }


def airflow_name(edition: Edition) -> str:
    """Return the suffix of an edition's environment and state folder."""
    return f"airflow-{edition}" if edition else "airflow"


def _versions(binaries: Path) -> list[str]:
    """Return the installed parts that have their own tables."""
    packages = binaries.parent.glob("lib/python*/site-packages/apache_airflow_*.dist-info")
    parts = ("apache_airflow_core", "apache_airflow_providers_fab")
    return sorted(found.stem for found in packages if found.name.partition("-")[0] in parts)
