import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from local.stand_ins.airflow_stub import AirflowStub
from shared.delivery.closing import Closing
from shared.delivery.outcomes import Outcome, OutcomeKind
from shared.rules import load_rules
from tests.support.delivery import DAG, Delivering

CONNECTION = """
connections:
  analytics: {url: "https://airflow.example", auth: {kind: entra, scope: s}}
"""
RULES = load_rules(
    f"{CONNECTION}rules:\n- {{name: shop, when: {{types: [Shop.Opened]}}, start: {{dag: {DAG}}}}}",
    file="rules.yaml",
    settings={},
)


class Forgetful(Closing):
    """A closing that neither logs nor counts the end."""

    def end(self, outcome: Outcome) -> Outcome:
        """Return the outcome."""
        return outcome


class Twice(Closing):
    """A closing that ends each delivery twice."""

    def end(self, outcome: Outcome) -> Outcome:
        """Count and log the outcome twice."""
        super().end(outcome)
        return super().end(outcome)


class Elsewhere(Closing):
    """A closing that ends each delivery at another rule."""

    def end(self, outcome: Outcome) -> Outcome:
        """Count the outcome at the other rule."""
        return super().end(replace(outcome, rule="other"))


class Uncounted(Closing):
    """A closing that does not count the begin of a delivery."""

    @contextmanager
    def delivery(self, rule: str = "") -> Iterator[None]:
        """Count nothing."""
        yield


FAULTS = pytest.mark.parametrize("fault", [Forgetful, Twice, Elsewhere, Uncounted])


def body(**changes: object) -> str:
    """Return an event that matches the rule."""
    return json.dumps(
        {"specversion": "1.0", "id": "e-1", "source": "/shops/1", "type": "Shop.Opened"} | changes
    )


@pytest.mark.parametrize(
    "sent",
    [body(), body(type="Shop.Closed"), "not JSON", body(type=None)],
    ids=["started", "unmatched", "unreadable", "a bad member"],
)
@FAULTS
def test_a_delivery_with_a_wrong_end_is_seen(stub: AirflowStub, fault: type[Closing], sent: str) -> None:
    """The counts balance only if each delivery ends once, at its rule."""
    for closing, balances in ((Closing, True), (fault, False)):
        delivering = Delivering(stub.url, closing=closing)
        delivering.intake(RULES).receive(sent)
        assert delivering.outcome_counts.balances() is balances


@FAULTS
def test_a_parked_delivery_with_a_wrong_end_is_seen(stub: AirflowStub, fault: type[Closing]) -> None:
    """The counts of parked deliveries balance only if each delivery ends once, at its rule."""
    for closing, balances in ((Closing, True), (fault, False)):
        stub.inject(500, times=99)
        delivering = Delivering(stub.url, closing=closing)
        intake = delivering.intake(RULES)
        intake.receive(body())
        assert delivering.outcome_counts.balances() is balances
        stub.heal()
        delivering.clock.sleep(60)  # the circuit breaker's pause
        ((parked, _),) = delivering.parking.kept
        assert intake.receive_parked(parked.to_message()).kind in {OutcomeKind.STARTED, OutcomeKind.DUPLICATE}
        assert delivering.outcome_counts.balances() is balances
        intake.bury(parked.to_message(), queue="updraft-parked")
        assert delivering.outcome_counts.balances() is balances
