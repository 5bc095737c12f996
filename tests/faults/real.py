"""A real Airflow for the faults of Airflow itself."""

import contextlib
import os
import signal
import time
from collections import Counter
from typing import Final, Literal, Self

from local.servers.airflow_auth import ADMIN, USER
from local.servers.airflow_process import Airflow
from tests.faults.ground import Ground
from tests.faults.stream import Run
from tests.faults.trial import DAGS, identity

Database = Literal["postgres", "sqlite"]
_FILE: Final = f"""
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

for name in {DAGS}:
    with DAG(name, schedule=None, catchup=False, max_active_runs=64):
        EmptyOperator(task_id="nothing")
"""
"""The scheduler completes the DAGs' tasks itself, because only the runs matter here."""
_SOON: Final = {"AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2"}
"""Seconds between two scans of the DAG folder; Airflow's default is five minutes."""
_PAGE: Final = 100
_PATIENCE: Final = 60.0
_PAUSE: Final = 0.1
"""Seconds between two polls."""
_RUNS_TAKE: Final = 180.0
"""Seconds that the scheduler may need for a thousand runs."""


class RealAirflow(Airflow):
    """Airflow with the two DAGs; the ground's vault has the password of the app's login."""

    def __init__(self, ground: Ground, database: Database) -> None:
        dags = ground.folder / "dags"
        dags.mkdir(exist_ok=True)
        (dags / "orders_and_audit.py").write_text(_FILE)
        super().__init__(
            ground.processes, ground.folder / database, dags=dags, database=database, settings=_SOON
        )
        self._files = dags

    @property
    def password(self) -> str:
        """The password of the app's login."""
        return self.passwords[USER]

    def up(self) -> None:
        """Start Airflow, and return when it has read the DAGs."""
        self.start()
        self.wait_for_dags(*DAGS, seconds=120)

    def kill_api(self) -> None:
        """Kill the API server with all its workers by SIGKILL; the scheduler keeps running."""
        api = next(process for process in self._running if process.name == "airflow api-server")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(api.pid, signal.SIGKILL)
        self._processes.stop(api)
        self._running = tuple(process for process in self._running if process is not api)

    def start_api(self) -> None:
        """Start the API server again, without waiting for it."""
        api = self._processes.start(
            "airflow api-server", [self._bin / "airflow", "api-server"], env=self._env()
        )
        self._running = (api, *self._running)

    def wait_for_api(self) -> None:
        """Wait until the API answers."""
        self._processes.wait_until(self._answers, self._running[:1], seconds=120)

    def deploy(self, name: str, file: str) -> None:
        """Add a DAG file, without waiting for Airflow to read it."""
        (self._files / name).write_text(file)

    def pause(self, dag: str) -> None:
        """Pause a DAG."""
        self.call("PATCH", f"/api/v2/dags/{dag}", {"is_paused": True}, token=self.token(ADMIN))

    def found(self) -> Counter[Run]:
        """Return the runs; see `TrialAirflow`."""
        token = self.token(ADMIN)
        runs: Counter[Run] = Counter()
        offset, total = 0, 1
        while offset < total:
            path = f"/api/v2/dags/~/dagRuns?limit={_PAGE}&offset={offset}&order_by=id"
            page = self.call("GET", path, token=token)
            runs.update(identity(run["conf"]) for run in page["dag_runs"])
            offset, total = offset + _PAGE, page["total_entries"]
        return runs

    def wait_until_idle(self) -> None:
        """Wait up to three minutes until no run is queued or running."""
        token = self.token(ADMIN)
        until = time.monotonic() + _RUNS_TAKE
        active = "limit=1&state=queued&state=running"
        while time.monotonic() < until and any(
            self.call("GET", f"/api/v2/dags/{dag}/dagRuns?{active}", token=token)["total_entries"]
            for dag in DAGS
        ):
            time.sleep(_PAUSE)

    def alive(self) -> bool:
        """Return whether the API answers and the scheduler is healthy."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                health = self.call("GET", "/api/v2/monitor/health")
                if health["metadatabase"]["status"] == health["scheduler"]["status"] == "healthy":
                    return True
            time.sleep(_PAUSE)
        return False

    def _answers(self) -> bool:
        try:
            return bool(self.call("GET", "/api/v2/version"))
        except OSError:
            return False


class RealAirflows:
    """The real Airflows for some faults, one at a time; a context manager.

    Args:
        ground: The stand-ins.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._current: tuple[Database, RealAirflow] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def on(self, database: Database) -> RealAirflow:
        """Return the Airflow on this database; start it if it does not run, and stop the other one."""
        if self._current is None or self._current[0] != database:
            self._stop()
            self._current = (database, RealAirflow(self._ground, database))
            self._current[1].up()
        return self._current[1]

    def _stop(self) -> None:
        if self._current is not None:
            self._current[1].stop()
            self._current = None


class OfThisTrial:
    """A real Airflow with only the runs of one trial's events."""

    def __init__(self, airflow: RealAirflow, name: str) -> None:
        self.url = airflow.url
        self._airflow = airflow
        self._name = name

    def found(self) -> Counter[Run]:
        """Return the runs of the trial's events."""
        runs = self._airflow.found()
        return Counter({run: count for run, count in runs.items() if run[1].startswith(f"{self._name}-")})

    def alive(self) -> bool:
        """Return whether Airflow is alive."""
        return self._airflow.alive()
