"""Cold start, CPU and memory of the app beside a bare app (the floor) and a plain sample, in one run.

The three alternate, each in a fresh process, against the same loopback stubs of the identity endpoint and of
Airflow. The medians are compared as ratios, because milliseconds differ between machines. A ratio is valid
only for one plain sample, so `yardstick` identifies it: a hash of its files, and the versions of its imports.
"""

import hashlib
import json
import os
import re
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

COLD_START_BAR: Final = 0.5
"""The aim is 0.38; on a quiet machine 0.44 to 0.46 was measured. Most of the rest are imports of
azure-identity, azure-core, pydantic and urllib3, which the plain sample needs too."""
CPU_BAR: Final = 0.4
"""The aim is 0.27; on a quiet machine 0.36 to 0.38 was measured, on a busy one 0.27 to 0.33: there the plain
sample loses more. More than half of the rest is spent in the official client, urllib3 and the worker."""

PLAIN: Final = ROOT / "bench" / "apps" / "plain"
LOCKED: Final = ("apache-airflow-client", "azure-functions", "azure-identity", "msal", "pydantic", "urllib3")
"""The direct and indirect imports of the plain sample."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One of the compared apps.

    Attributes:
        name: The name in the figures.
        app: The folder with its function_app.py.
        function: The Event Grid function that gets the events.
        warm: How many warm events it gets; the slow app gets fewer.
    """

    name: str
    app: Path
    function: str
    warm: int


CONTENDERS: Final = (
    Contender("floor", ROOT / "bench" / "apps" / "floor", "event_grid", 400),
    Contender("plain", PLAIN, "event_grid", 60),
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


def yardstick() -> str:
    """Return the plain sample's hash, and the locked versions of its imports."""
    digest = hashlib.sha256()
    for path in sorted(PLAIN.rglob("*.py")):
        digest.update(path.relative_to(PLAIN).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    locked = dict(
        re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    )
    versions = ", ".join(f"{name} {locked[name]}" for name in LOCKED)
    return f"plain sample: sha256 {digest.hexdigest()}; {versions}"


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
            ("cold_start_cpu", "cold_cpu_milliseconds", "ms"),
            ("cpu_per_event", "cpu_milliseconds", "ms"),
            ("events_per_second", "events_per_second", "1/s"),
            ("peak_memory", "peak_megabytes", "MB"),
        )
        for name in ("floor", "plain", "updraft")
    ]
    return [
        *shown,
        Figure(
            "cold_start_of_plain",
            of("updraft", "cold_seconds") / of("plain", "cold_seconds"),
            "ratio",
            COLD_START_BAR,
        ),
        Figure(
            "cpu_per_event_of_plain",
            of("updraft", "cpu_milliseconds") / of("plain", "cpu_milliseconds"),
            "ratio",
            CPU_BAR,
        ),
    ]
