"""Faults 1, 2 and 14 on a real Airflow: killed in a burst, down from the start, and flooded."""

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from local.servers.airflow_auth import USER
from shared.deciding.decide import decide
from shared.event import Event, read_events
from shared.rules import load_rules
from shared.runs.request import RunRequest
from tests.faults.broken_wire import BrokenWire
from tests.faults.ground import Ground
from tests.faults.of_host import wait
from tests.faults.real import OfThisTrial, RealAirflow
from tests.faults.stream import REFUND, Stream, stream
from tests.faults.trial import QUICK, Trial, write_rules
from tests.faults.verdict import FAST_ENOUGH, Verdict
from tests.support.delivery import client_for

SWEEP: Final = (1, 2, 4, 8, 12)
"""The fixed concurrencies that the app is compared with."""
PLACES: Final = 8
"""The budget of requests in flight, as rules.yaml has it by default."""
LEAST_RATIO: Final = 0.9
"""Of the best fixed concurrency's throughput."""
MOST_ERRORS: Final = 0.01
"""Of the requests."""
_SWEEP_PART: Final = 4
_PATIENT: Final = replace(QUICK, budget=60.0)
"""A request that was given up is still in flight: where those are counted, as few as can be are given up."""
_LONG: Final = 100
"""So many events make the long form."""
_AWAY: Final = 20.0
_AWAY_IN_SHORT: Final = QUICK.budget + 2.0
"""Seconds that the API server is away; longer than one delivery tries, in the short form as well."""


def api_killed(ground: Ground, airflow: RealAirflow, events: int) -> Verdict:
    """The API server is killed mid-burst by SIGKILL, and started again when every delivery has given up."""
    ground.clear(airflow.password)
    seconds = _AWAY if events >= _LONG else _AWAY_IN_SHORT
    seen = OfThisTrial(airflow, "killed-api")
    with Trial(
        ground, seen, stream(events, name="killed-api"), identity_works=False, read_timeout=10
    ) as trial:

        def away() -> None:
            airflow.kill_api()
            threading.Timer(seconds, airflow.start_api).start()

        trial.feed((0.3, away))
        airflow.wait_for_api()
        return trial.audit(parked=trial.counted("parked"))


def down_from_the_start(ground: Ground, airflow: RealAirflow, events: int) -> Verdict:
    """Nobody listens when the events come, for longer than one delivery tries."""
    ground.clear(airflow.password)
    airflow.kill_api()
    seen = OfThisTrial(airflow, "down")
    with Trial(ground, seen, stream(events, name="down"), identity_works=False, read_timeout=10) as trial:
        trial.feed()
        first = trial.counted("parked")
        # As many tries again have failed as there are runs to start.
        wait(lambda: trial.counted("parked") >= first + len(trial.stream.expected))
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
    instances: int = 2,
) -> Verdict:
    """Everything at once, beside what the best fixed number of clients brings before and after it.

    That number comes from a short sweep. Then it is given as many events as the app: the scheduler works on
    what was started so far, so that a short burst is a fast one.

    Args:
        ground: The stand-ins.
        airflow: The Airflow.
        events: How many events, with one run each.
        sweep: The numbers of clients to compare with.
        name: What the events' ids begin with.
        in_flight: The connection's budget, as in rules.yaml.
        instances: How many instances of the app there are.
    """
    ground.clear(airflow.password)
    swept = _swept(ground, airflow, sweep, events // _SWEEP_PART, name=f"sweep-{name}")
    best = max(swept, key=swept.__getitem__)
    before = _swept(ground, airflow, (best,), events, name=f"before-{name}")[best]
    given = _refunds(events, name)
    seen = OfThisTrial(airflow, name)
    airflow.wait_until_idle()
    with (
        BrokenWire(airflow.port) as wire,
        Trial(
            ground,
            seen,
            given,
            instances=instances,
            url=wire.url,
            threads=16,
            identity_works=False,
            read_timeout=25,
            in_flight=in_flight,
            policy=_PATIENT,
        ) as trial,
    ):
        began = time.monotonic()
        trial.feed()
        trial.wait_for_runs()
        rate = len(given.expected) / (time.monotonic() - began)
        verdict = trial.audit()
        after = _swept(ground, airflow, (best,), events, name=f"after-{name}")[best]
        fixed = (before + after) / 2
        errors = wire.errors / max(wire.requests, 1)
        more: dict[str, float | bool | str] = {
            "runs/s": round(rate, 1),
            f"best fixed (c={best})": round(fixed, 1),
            "ratio": round(rate / fixed, 2),
            FAST_ENOUGH: rate >= LEAST_RATIO * fixed,
            "parked": trial.counted("parked"),
            "peak": wire.peak,
            "budget_held": wire.peak <= in_flight,
            "errors": f"{100 * errors:.2g} %",
        }
        if len(sweep) > 1:  # on SQLite the scheduler alone makes some
            more["few_errors"] = errors < MOST_ERRORS
        return replace(verdict, more=more)


def _refunds(events: int, name: str) -> Stream:
    return stream(events, name=name, types=(REFUND,))


def _swept(
    ground: Ground, airflow: RealAirflow, sweep: tuple[int, ...], events: int, *, name: str
) -> dict[int, float]:
    """Return the runs a second, by the fixed number of clients."""
    with BrokenWire(airflow.port) as wire:
        return {
            clients: _rate(ground, airflow, wire, clients, _refunds(events, f"{name}-{clients}"))
            for clients in sweep
        }


def _rate(ground: Ground, airflow: RealAirflow, wire: BrokenWire, clients: int, given: Stream) -> float:
    """Return how many runs a second so many clients start, each with one request at a time.

    They ask for the runs that the app would ask for, redeliveries included, on the same wire; and begin when
    Airflow has nothing else to do, as the app does.
    """
    airflow.wait_until_idle()
    file = write_rules(ground.folder, wire.url, read_timeout=25.0, identity_works=False)
    rules = load_rules(file.read_text(), file=file.name, settings={})
    token = f"Bearer {airflow.token(USER)}"
    client = client_for(rules.connections["with-password"], _Fixed(token))
    requests = [
        decision.request
        for delivery in given.deliveries
        for event in read_events(delivery.body)
        if isinstance(event, Event)
        for decision in decide(event, rules)
        if decision.request is not None
    ]

    def one(request: RunRequest) -> bool:
        return client.start_run(request).status == HTTPStatus.OK

    began = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        started = sum(pool.map(one, requests))
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
