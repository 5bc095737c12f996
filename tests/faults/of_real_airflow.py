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
"""The numbers of clients to compare the app with."""
PLACES: Final = 8
"""The default of `in_flight` in rules.yaml."""
LEAST_RATIO: Final = 0.9
"""The least part of the best fixed number of clients' throughput."""
MOST_ERRORS: Final = 0.01
"""Of the requests."""
_SWEEP_PART: Final = 4
_PATIENT: Final = replace(QUICK, budget=60.0)
"""Long, because a request after its time-out is still in flight, and this fault counts those in flight."""
_LONG: Final = 100
"""The number of events from which on it is the long form."""
_AWAY: Final = 20.0
_AWAY_IN_SHORT: Final = QUICK.budget + 2.0
"""Seconds without the API server; longer than the attempts of one delivery, also in the short form."""


def api_killed(ground: Ground, airflow: RealAirflow, events: int) -> Verdict:
    """The API server is killed in the burst by SIGKILL, and started again when all deliveries are parked."""
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
    """Airflow is down when the events arrive, for longer than the attempts of one delivery."""
    ground.clear(airflow.password)
    airflow.kill_api()
    seen = OfThisTrial(airflow, "down")
    with Trial(ground, seen, stream(events, name="down"), identity_works=False, read_timeout=10) as trial:
        trial.feed()
        first = trial.counted("parked")
        # Wait for as many failed attempts again as there are runs to start.
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
    """All events at once, compared with the best fixed number of clients before and after it.

    A short sweep finds that number. Then the clients get as many events as the app, because the scheduler
    works on all runs started so far: a short burst is faster than a long one.

    Args:
        ground: The stand-ins.
        airflow: The Airflow.
        events: How many events, with one run each.
        sweep: The numbers of clients to compare with.
        name: What the events' ids begin with.
        in_flight: The connection's `in_flight` in rules.yaml.
        instances: The number of instances of the app.
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
        if len(sweep) > 1:  # on SQLite the scheduler alone causes some
            more["few_errors"] = errors < MOST_ERRORS
        return replace(verdict, more=more)


def _refunds(events: int, name: str) -> Stream:
    return stream(events, name=name, types=(REFUND,))


def _swept(
    ground: Ground, airflow: RealAirflow, sweep: tuple[int, ...], events: int, *, name: str
) -> dict[int, float]:
    """Return the runs per second, by the number of clients."""
    with BrokenWire(airflow.port) as wire:
        return {
            clients: _rate(ground, airflow, wire, clients, _refunds(events, f"{name}-{clients}"))
            for clients in sweep
        }


def _rate(ground: Ground, airflow: RealAirflow, wire: BrokenWire, clients: int, given: Stream) -> float:
    """Return how many runs per second some clients start, each with one request at a time.

    They request the same runs as the app, redeliveries included, through the same proxy. Like the app, they
    begin when Airflow is idle.
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
        """Return the token; it is valid for a day."""
        return self._headers
