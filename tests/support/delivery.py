"""The parts of the delivery tests: a connection, tokens, a clock, and in-memory stores."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from local.stand_ins.airflow_stub import AirflowStub
from shared.admission.breaker import Breaker
from shared.airflow.auth.source import TokenSource
from shared.airflow.client import AirflowClient
from shared.airflow.transport import HeaderTransport
from shared.deciding.decide import Decision
from shared.delivery.closing import Closing
from shared.delivery.intake import Intake
from shared.delivery.outcomes import Outcome, OutcomeCounts
from shared.delivery.relay import Relay
from shared.delivery.target import Target
from shared.event import Event
from shared.rules import Connection, Rules
from shared.runs.request import RunRequest
from shared.stores.work_items import RuleEvent, UnverifiedHook
from shared.values.json_text import JsonObject
from tests.support.clocks import MonotonicClock
from tests.support.in_memory import FixedLimiter, InMemoryDeadLetters, InMemoryParking, InMemoryWindows

if TYPE_CHECKING:
    from shared.airflow.client import Starting

DAG = "smoke_tests"
RUN_ID = "smoke__2026__0123456789abcdef"


class Tokens:
    """Hands out `first`, and after each refusal a new one."""

    def __init__(self, first: str = "Bearer first") -> None:
        self.current = first
        self.renewals: list[str] = []
        self._numbers = itertools.count(1)
        self.error: Exception | None = None

    def headers(self) -> Mapping[str, str]:
        """Return the current value in its header."""
        if self.error is not None:
            raise self.error
        return {"Authorization": self.current}

    def renew(self, refused: Mapping[str, str]) -> Mapping[str, str]:
        """Return a new value in its header."""
        self.renewals.append(refused["Authorization"])
        self.current = f"Bearer renewed-{next(self._numbers)}"
        return {"Authorization": self.current}


def event(**changes: object) -> Event:
    """Return an event."""
    known: dict[str, object] = {
        "id": "e-1",
        "source": "/sites/shop",
        "type": "Microsoft.Web.SlotSwapCompleted",
        "time": "2026-11-01T11:59:58Z",
        "data": {"slot": "production"},
    }
    return Event(**(known | changes))  # type: ignore[arg-type] # the tests name the event's own fields


def conf(key: str | None = None, event_id: str = "e-1") -> JsonObject:
    """Return a conf with the identity of `event()`."""
    kept: JsonObject = {"id": event_id, "source": "/sites/shop", "type": "Microsoft.Web.SlotSwapCompleted"}
    return {"site": "shop", "_updraft": {"rule": "smoke", "event": kept, "key": key}}


def run_request(**changes: object) -> RunRequest:
    """Return the request of the rule `smoke` for `event()`."""
    known: dict[str, object] = {
        "rule": "smoke",
        "connection": "analytics",
        "dag_id": DAG,
        "dag_run_id": RUN_ID,
        "conf": conf(),
        "note": "because a slot was swapped",
    }
    return RunRequest(**(known | changes))  # type: ignore[arg-type] # the tests name the request's own fields


def decision(**changes: object) -> Decision:
    """Return the decision to ask for `run_request(**changes)`."""
    return Decision(rule="smoke", matched=True, reason=None, request=run_request(**changes))


def connection_to(url: str, **settings: object) -> Connection:
    """Return a connection as rules.yaml would give it, with short time-outs."""
    short = {"connect_timeout": 2.0, "read_timeout": 2.0, "in_flight": 4, "api": "v2"}
    auth = {"kind": "entra", "scope": "api://airflow/.default"}
    return Connection.model_validate({"name": "analytics", "url": url, "auth": auth, **short, **settings})


def client_for(
    connection: Connection, tokens: TokenSource, starting: "Starting | None" = None
) -> AirflowClient:
    """Return the client of a connection, with these tokens in place of its own."""
    return AirflowClient(HeaderTransport(connection, tokens), connection.api, starting)


def client_of(
    url: str, tokens: TokenSource | None = None, starting: "Starting | None" = None, **settings: object
) -> AirflowClient:
    """Return the client of an Airflow; settings as for `connection_to`."""
    return client_for(connection_to(url, **settings), tokens or Tokens(), starting)


class Delivering:
    """A relay to one Airflow, with everything round it in reach of a test."""

    def __init__(
        self,
        url: str,
        *,
        tokens: Tokens | None = None,
        read_timeout: float = 1.0,
        places: int = 4,
        closing: type[Closing] = Closing,
    ) -> None:
        self.clock = MonotonicClock()
        self.tokens = tokens or Tokens()
        self.parking = InMemoryParking()
        self.letters = InMemoryDeadLetters()
        self.windows = InMemoryWindows(self.parking)
        self.outcome_counts = OutcomeCounts()
        self.closing = closing(self.letters, self.outcome_counts, now=self.clock.now)
        self.breaker = Breaker(clock=self.clock, now=self.clock.now)
        self.limiter = FixedLimiter(places)
        client = client_of(url, self.tokens, read_timeout=read_timeout)
        target = Target(client, self.breaker, self.limiter)
        self.relay = Relay(
            {"analytics": target}.__getitem__,
            parking=self.parking,
            closing=self.closing,
            clock=self.clock,
            sleep=self.clock.sleep,
            now=self.clock.now,
        )

    def deliver(self, event: Event, decision: Decision, **known: Any) -> Outcome:
        """Deliver an event as the intake does: counted when it begins."""
        with self.closing.delivery(decision.rule):
            return self.relay.deliver(RuleEvent(event, decision.rule), decision, **known)

    def intake(
        self,
        rules: Rules | Callable[[], Rules],
        *,
        verify_hook: Callable[[UnverifiedHook, datetime], bool] | None = None,
    ) -> Intake:
        """Return an intake for these rules that leads here."""
        return Intake(
            rules=(lambda: rules) if isinstance(rules, Rules) else rules,
            relay=self.relay,
            windows=self.windows,
            parking=self.parking,
            closing=self.closing,
            verify_hook=verify_hook,
        )


def started_by_somebody_else(stub: AirflowStub, *, key: str | None = None, event_id: str = "e-1") -> None:
    """Put a run into Airflow under our run id."""
    stub.runs[DAG, RUN_ID] = {
        "dag_run_id": RUN_ID,
        "dag_id": DAG,
        "state": "running",
        "logical_date": None,
        "conf": conf(key, event_id),
    }


@pytest.fixture
def stub() -> Iterator[AirflowStub]:
    """A running stub of Airflow."""
    with AirflowStub((DAG, "smoke_two", "greet")) as stub:
        yield stub


@pytest.fixture
def delivering(stub: AirflowStub) -> Delivering:
    """A relay to the stub."""
    return Delivering(stub.url)
