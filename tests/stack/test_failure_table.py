"""The rows of the failure table that need no fault, on a real Airflow."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from local.servers.airflow_process import Airflow
from shared.airflow.failure_table import classify
from tests.support.delivery import DAG, Delivering, Tokens, client_of, decision, event
from tests.support.failure_cases import CASES, Case

REAL = [case for case in CASES if case.fault is None]


@pytest.fixture(scope="module")
def tokens(real_airflow: Airflow) -> Tokens:
    """A token of the real Airflow."""
    real_airflow.wait_for_dags(DAG)
    return Tokens(f"Bearer {real_airflow.token()}")


@pytest.mark.parametrize("case", REAL, ids=lambda case: case.name)
def test_a_real_airflow_answers_as_the_table_says(real_airflow: Airflow, tokens: Tokens, case: Case) -> None:
    """Outcome and reason of each case are the same at a real Airflow and at the stub."""
    mark = uuid.uuid4().hex[:8]
    date = datetime(2001, 1, 1, tzinfo=UTC) + timedelta(seconds=int(mark, 16) % 600_000_000)
    own = case.apart(mark, date.isoformat())
    delivering = Delivering(real_airflow.url, tokens=tokens, read_timeout=10)
    for changes in own.before:
        earlier = delivering.deliver(event(), decision(**changes))
        assert earlier.kind == "started", earlier.reason
    outcome = delivering.deliver(event(), decision(**own.changes))
    assert outcome.kind is own.outcome, outcome.reason
    assert own.says in outcome.reason


class Renewing(Tokens):
    """Tokens of which the first is broken, and the next one valid."""

    def __init__(self, good: str) -> None:
        super().__init__("Bearer made-up")
        self._good = good

    def renew(self, refused: Mapping[str, str]) -> Mapping[str, str]:
        """Return the valid token."""
        self.renewals.append(refused["Authorization"])
        self.current = self._good
        return self.headers()


def test_a_token_that_airflow_cannot_read_is_stale(real_airflow: Airflow, tokens: Tokens) -> None:
    """After a real Airflow's answer to a broken token, a new token is requested."""
    renewing = Renewing(tokens.current)
    delivering = Delivering(real_airflow.url, tokens=renewing, read_timeout=10)
    case = REAL[0].apart(uuid.uuid4().hex[:8], "")
    assert delivering.deliver(event(), decision(**case.changes)).kind == "started"
    assert renewing.renewals == ["Bearer made-up"]


def test_a_refused_token_is_classified(real_airflow: Airflow) -> None:
    """If no token is accepted, the code is in the outcome."""
    client = client_of(real_airflow.url, Tokens("Bearer made-up"), read_timeout=10)
    assert classify(client.get_dag(DAG)).name == "Unauthorized"
