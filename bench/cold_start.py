"""Cold start, CPU and memory of the app beside a bare app (the floor) and a plain sample, in one run.

The three take turns, each in a fresh process, against the same loopback stubs of the identity endpoint and of
Airflow; the medians are compared as ratios, because one machine's milliseconds are nobody else's.
"""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from bench.results import Figure
from local.paths import ROOT
from local.processes import programs
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.certificates import make_certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.lease_stub import LeaseStub

HALF: Final = 0.5
A_THIRD: Final = 1 / 3


@dataclass(frozen=True, slots=True)
class Contender:
    """One app that takes part.

    Attributes:
        name: As in the figures' names.
        app: The folder with its function_app.py.
        function: The Event Grid function that gets the events.
        warm: How many warm events it is sent; the slow one gets fewer.
    """

    name: str
    app: Path
    function: str
    warm: int


CONTENDERS: Final = (
    Contender("floor", ROOT / "bench" / "apps" / "floor", "event_grid", 400),
    Contender("plain", ROOT / "bench" / "apps" / "plain", "event_grid", 60),
    Contender("updraft", ROOT, "app_service", 400),
)


def measure(rounds: int) -> list[Figure]:
    """Run every contender `rounds` times and compare them."""
    runs: dict[str, list[dict[str, float]]] = {contender.name: [] for contender in CONTENDERS}
    with TemporaryDirectory() as folder:
        certificates = make_certificates(Path(folder))
        leases = LeaseStub(tls=certificates.server_context())
        with IdentityEndpoint() as identity, AirflowStub() as airflow, leases:
            environment = {
                **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
                **identity.environment(),
                **certificates.environment(),
                "UPDRAFT_AIRFLOW_URL": airflow.url,
                "UPDRAFT_RULES": str(ROOT / "bench" / "rules.yaml"),
                "AzureWebJobsStorage__queueServiceUri": "https://127.0.0.1:1/none",
                "AzureWebJobsStorage__blobServiceUri": leases.url,
            }
            for _ in range(rounds):
                for contender in CONTENDERS:
                    runs[contender.name].append(_run(contender, environment))
    return _figures(runs)


def _run(contender: Contender, environment: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.child", str(contender.app), contender.function]
    command += ["--warm", str(contender.warm)]
    ended = programs.run(command, cwd=ROOT, env=environment, timeout=180)
    if ended.returncode:
        raise RuntimeError(f"the measurement of {contender.name} failed:\n{ended.stderr}")
    figures: dict[str, float] = json.loads(ended.stdout)
    return figures


def _figures(runs: dict[str, list[dict[str, float]]]) -> list[Figure]:
    def of(name: str, what: str) -> float:
        return median(run[what] for run in runs[name])

    shown = [
        Figure(f"{what}_{name}", of(name, key), unit)
        for what, key, unit in (
            ("cold_start", "cold_seconds", "s"),
            ("cpu_per_event", "cpu_milliseconds", "ms"),
            ("events_per_second", "events_per_second", "1/s"),
            ("peak_memory", "peak_megabytes", "MB"),
        )
        for name in ("floor", "plain", "updraft")
    ]
    return [
        *shown,
        Figure(
            "cold_start_of_plain", of("updraft", "cold_seconds") / of("plain", "cold_seconds"), "ratio", HALF
        ),
        Figure(
            "cpu_per_event_of_plain",
            of("updraft", "cpu_milliseconds") / of("plain", "cpu_milliseconds"),
            "ratio",
            A_THIRD,
        ),
    ]
