"""Fault 13: the DAG does not exist yet, is paused, or rejects a conf."""

from threading import Event as Signal
from typing import Final

from local.stand_ins.loopback_server import Request
from tests.faults.ground import Ground
from tests.faults.real import OfThisTrial, RealAirflow
from tests.faults.stream import Run, Stream, stream
from tests.faults.trial import Trial, stubbed
from tests.faults.verdict import Verdict

_ORDERS: Final = "/api/v2/dags/orders/"
_LATE: Final = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param

number = Param(1, type="integer", **{"not": {"multipleOf": 5}})
with DAG("late", schedule=None, catchup=False, params={"n": number}):
    EmptyOperator(task_id="nothing")
"""
_PAUSED: Final = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("paused", schedule=None, catchup=False):
    EmptyOperator(task_id="nothing")
"""


def late_paused_refusing(ground: Ground, events: int) -> Verdict:
    """One DAG is deployed after its events and rejects every fifth conf; another DAG stays paused."""
    given, refused = _of_which_some_are_refused(events, name="dags")
    with stubbed(ground, given) as (trial, stub):
        trial.letters_expected = len(refused)
        stub.paused.add("audit")
        deployed = Signal()
        # The stub gives both answers: a DAG that appears after the check of a conf would reject no conf.
        stub.inject(
            404,
            {"detail": "Dag with dag_id: 'orders' not found"},
            times=10**9,
            when=lambda request: not deployed.is_set() and request.path.startswith(_ORDERS),
        )
        stub.inject(
            400,
            {"detail": "Invalid input for param n: it must not end in 0 or 5"},
            times=10**9,
            when=_refuses,
        )
        trial.feed((0.6, deployed.set))
        return trial.audit(dead_letters=len(refused))


def late_paused_refusing_on_airflow(ground: Ground, airflow: RealAirflow, events: int) -> Verdict:
    """The same with a real Airflow: a DAG file that comes late, its params, and a paused DAG."""
    ground.clear(airflow.password)
    airflow.deploy("paused.py", _PAUSED)
    airflow.wait_for_dags("paused", seconds=60)
    airflow.pause("paused")
    given, refused = _of_which_some_are_refused(events, name="real-dags")
    seen = OfThisTrial(airflow, "real-dags")
    with Trial(ground, seen, given, identity_works=False, read_timeout=10, dags=("late", "paused")) as trial:
        trial.letters_expected = len(refused)
        trial.feed((0.6, lambda: airflow.deploy("late.py", _LATE)))
        return trial.audit(dead_letters=len(refused), parked=trial.counted("parked"))


def _of_which_some_are_refused(events: int, *, name: str) -> tuple[Stream, set[Run]]:
    """Return a stream, and its runs that `orders` rejects: they have to end as dead letters."""
    given = stream(events, name=name)
    refused = {(rule, event_id) for rule, event_id in given.expected if rule == "orders" and _fifth(event_id)}
    return Stream(given.events, given.deliveries, given.expected - refused), refused


def _refuses(request: Request) -> bool:
    if request.method != "POST" or request.path != f"{_ORDERS}dagRuns":
        return False
    body = request.json()
    conf = body.get("conf") if isinstance(body, dict) else None
    number = conf.get("n") if isinstance(conf, dict) else None
    return isinstance(number, int) and number % 5 == 0


def _fifth(event_id: str) -> bool:
    return int(event_id.rpartition("-")[2]) % 5 == 0
