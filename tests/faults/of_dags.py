"""Fault 13: the DAG is not there yet, is paused, or refuses what it is given."""

from local.loopback_server import Request
from tests.faults.ground import Ground
from tests.faults.stream import stream
from tests.faults.trial import stubbed
from tests.faults.verdict import Verdict


def late_paused_refusing(ground: Ground, events: int) -> Verdict:
    """One DAG is deployed after its events and refuses every fifth conf; another is paused all the time."""
    given = stream(events, name="dags")
    refused = {(rule, event_id) for rule, event_id in given.expected if rule == "orders" and _fifth(event_id)}
    with stubbed(ground, type(given)(given.events, given.deliveries, given.expected - refused)) as (
        trial,
        stub,
    ):
        trial.letters_expected = len(refused)
        stub.dags.discard("orders")
        stub.paused.add("audit")
        stub.inject(
            400,
            {"detail": "Invalid input for param n: the made-up DAG wants none that ends in 0 or 5"},
            times=10**9,
            when=lambda request: "orders" in stub.dags and _refuses(request),
        )
        trial.feed((0.6, lambda: stub.dags.add("orders")))
        return trial.audit(dead_letters=len(refused))


def _refuses(request: Request) -> bool:
    if request.method != "POST" or request.path != "/api/v2/dags/orders/dagRuns":
        return False
    body = request.json()
    conf = body.get("conf") if isinstance(body, dict) else None
    number = conf.get("n") if isinstance(conf, dict) else None
    return isinstance(number, int) and number % 5 == 0


def _fifth(event_id: str) -> bool:
    return int(event_id.rpartition("-")[2]) % 5 == 0
