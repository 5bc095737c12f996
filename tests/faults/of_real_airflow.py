"""Faults 1, 2 and 14 on a real Airflow: killed in a burst, down from the start, and flooded."""

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from local.airflow_auth import USER
from shared.airflow import AirflowClient
from shared.run_request import RunRequest
from tests.delivery_parts import Airflow as Connection
from tests.faults.broken_wire import BrokenWire
from tests.faults.ground import Ground
from tests.faults.real import OfThisTrial, RealAirflow
from tests.faults.stream import REFUND, stream
from tests.faults.trial import Trial
from tests.faults.verdict import Verdict

SWEEP: Final = (1, 2, 4, 8, 12)
"""The fixed concurrencies that the app is compared with."""
PLACES: Final = 8
"""The budget of requests in flight, as rules.yaml has it by default."""
_AWAY: Final = 20.0
_DOWN: Final = 8.0


def api_killed(ground: Ground, airflow: RealAirflow, events: int) -> Verdict:
    """The API server is killed mid-burst by SIGKILL, and started again 20 s later."""
    ground.clear()
    seen = OfThisTrial(airflow, "killed-api")
    with Trial(
        ground, seen, stream(events, name="killed-api"), identity_works=False, read_timeout=10
    ) as trial:

        def away() -> None:
            airflow.kill_api()
            threading.Timer(_AWAY, airflow.start_api).start()

        trial.feed((0.3, away))
        airflow.wait_for_api()
        return trial.audit(parked=trial.counted("parked"))


def down_from_the_start(ground: Ground, airflow: RealAirflow, events: int) -> Verdict:
    """Nobody listens when the events come, for longer than one delivery tries."""
    ground.clear()
    airflow.kill_api()
    seen = OfThisTrial(airflow, "down")
    with Trial(ground, seen, stream(events, name="down"), identity_works=False, read_timeout=10) as trial:
        trial.feed()
        time.sleep(_DOWN)
        airflow.start_api()
        airflow.wait_for_api()
        return trial.audit(parked=trial.counted("parked"))


def flood(
    ground: Ground,
    airflow: RealAirflow,
    events: int,
    sweep: tuple[int, ...],
    *,
    name: str,
    in_flight: int = PLACES,
) -> Verdict:
    """Everything at once, beside what fixed numbers of clients bring in the same minutes.

    Args:
        ground: The stand-ins.
        airflow: The Airflow.
        events: How many events, with one run each.
        sweep: The numbers of clients to compare with.
        name: What the events' ids begin with.
        in_flight: The connection's budget, as in rules.yaml.
    """
    ground.clear()
    rates = {clients: _rate(airflow, clients, max(40, events // 10), name) for clients in sweep}
    best = max(rates, key=rates.__getitem__)
    given = stream(events, name=name, types=(REFUND,))
    seen = OfThisTrial(airflow, name)
    with (
        BrokenWire(airflow.port) as wire,
        Trial(ground, seen, given, url=wire.url, threads=16, identity_works=False, read_timeout=10) as trial,
    ):
        began = time.monotonic()
        trial.feed()
        trial.drain()
        rate = len(given.expected) / (time.monotonic() - began)
        verdict = trial.audit()
        more: dict[str, float | bool | str] = {
            "runs/s": round(rate, 1),
            f"best fixed (c={best})": round(rates[best], 1),
            "ratio": round(rate / rates[best], 2),
            "parked": trial.counted("parked"),
            "peak": wire.peak,
            "budget_held": wire.peak <= in_flight,
            "errors": f"{100 * wire.errors / max(wire.requests, 1):.2g} %",
        }
        return replace(verdict, more=more)


def _rate(airflow: RealAirflow, clients: int, runs: int, name: str) -> float:
    """Return how many runs a second so many clients start, each with one request at a time."""
    token = f"Bearer {airflow.token(USER)}"
    client = AirflowClient(Connection(airflow.url, read_timeout=25.0), _Fixed(token))

    def one(number: int) -> bool:
        request = RunRequest(
            rule="audit",
            connection="analytics",
            dag_id="audit",
            dag_run_id=f"fixed__{name}__{clients}__{number}",
            conf={"n": number},
            note=None,
        )
        return client.start_run(request).status == 200

    began = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        started = sum(pool.map(one, range(runs)))
    return started / (time.monotonic() - began)


class _Fixed:
    """One token for all requests."""

    def __init__(self, token: str) -> None:
        self._headers = {"Authorization": token}

    def headers(self) -> Mapping[str, str]:
        """Return it."""
        return self._headers

    def renew(self, refused: Mapping[str, str]) -> Mapping[str, str]:
        """Return it again: it lives for a day."""
        return self._headers
