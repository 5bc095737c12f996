"""Fault 13: the DAG is not there yet, is paused, or refuses what it is given."""

from threading import Event as Signal
from typing import Final

from local.loopback_server import Request
from tests.faults.ground import Ground
from tests.faults.stream import stream
from tests.faults.trial import stubbed
from tests.faults.verdict import Verdict

_ORDERS: Final = "/api/v2/dags/orders/"


def late_paused_refusing(ground: Ground, events: int) -> Verdict:
    """One DAG is deployed after its events and refuses every fifth conf; another is paused all the time."""
    given = stream(events, name="dags")
    refused = {(rule, event_id) for rule, event_id in given.expected if rule == "orders" and _fifth(event_id)}
    with stubbed(ground, type(given)(given.events, given.deliveries, given.expected - refused)) as (
        trial,
        stub,
    ):
        trial.letters_expected = len(refused)
        stub.paused.add("audit")
        deployed = Signal()
        # Both by the stub's word, given once a request: a DAG that appeared in between would refuse nothing.
        stub.inject(
            404,
            {"detail": "Dag with dag_id: 'orders' not found"},
            times=10**9,
            when=lambda request: not deployed.is_set() and request.path.startswith(_ORDERS),
        )
        stub.inject(
            400,
            {"detail": "Invalid input for param n: the made-up DAG wants none that ends in 0 or 5"},
            times=10**9,
            when=_refuses,
        )
        trial.feed((0.6, deployed.set))
        return trial.audit(dead_letters=len(refused))


def _refuses(request: Request) -> bool:
    if request.method != "POST" or request.path != f"{_ORDERS}dagRuns":
        return False
    body = request.json()
    conf = body.get("conf") if isinstance(body, dict) else None
    number = conf.get("n") if isinstance(conf, dict) else None
    return isinstance(number, int) and number % 5 == 0


def _fifth(event_id: str) -> bool:
    return int(event_id.rpartition("-")[2]) % 5 == 0
