"""API v1 and `kind: basic` against a real Airflow 2.11, from Key Vault's password to the run."""

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.processes.processes import Processes
from local.processes.sockets import listening, open_to_others
from local.servers.airflow2_process import ENVIRONMENT, USER, Airflow2
from local.stand_ins.key_vault import LocalKeyVault
from shared.admission.breaker import Breaker
from shared.airflow.auth.source import token_source
from shared.airflow.client import AirflowClient
from shared.airflow.failure_table import AnswerClass, classify
from shared.azure.credential import azure_credential
from shared.azure.key_vault import KeyVault
from shared.delivery.attempts import Attempts
from shared.delivery.outcomes import OutcomeKind
from shared.delivery.policy import Budget
from shared.delivery.target import Target
from shared.rules import Connection
from tests.support.delivery import DAG, client_for, conf, run_request
from tests.support.in_memory import FixedLimiter
from tests.support.state import STATE_OF_TESTS

if TYPE_CHECKING:
    from tests.support.endpoints import Watch

pytestmark = [
    pytest.mark.airflow2,
    pytest.mark.skipif(not ENVIRONMENT.exists(), reason="no Airflow 2 here: `make airflow2` installs it"),
]

RUN = secrets.token_hex(4)
"""Airflow 2 keeps its runs from one session to the next."""

type Start = Callable[..., OutcomeKind]


@pytest.fixture(scope="session")
def airflow2(processes: Processes) -> Iterator[Airflow2]:
    """A real Airflow 2.11, shared by the session."""
    running = Airflow2(processes, STATE_OF_TESTS / "airflow2")
    running.start()
    yield running
    running.stop()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads the kernel's lists in /proc")
def test_it_is_not_open_to_others(airflow2: Airflow2) -> None:
    """Its web server and the workers listen only on 127.0.0.1."""
    family = airflow2._processes.family
    assert open_to_others(family) == {}
    assert listening(family) >= 1


@pytest.fixture
def client(airflow2: Airflow2, vault: LocalKeyVault, key_vault: KeyVault, watch: "Watch") -> AirflowClient:
    """A client with `api: auto` and `kind: basic`, with a password in the vault."""
    watch.secrets.add(airflow2.password)
    vault.set("airflow-password", airflow2.password)
    connection = Connection.model_validate(
        {
            "name": "legacy",
            "url": airflow2.url,
            "auth": {"kind": "basic", "username": USER, "password_secret": "airflow-password"},
            "connect_timeout": 10.0,
            "read_timeout": 20.0,
        }
    )
    return client_for(connection, token_source(connection, secrets=key_vault, credential=azure_credential))


@pytest.fixture
def start(client: AirflowClient) -> Start:
    """Request a run as the relay does, and return the result."""

    def ask(**changes: object) -> OutcomeKind:
        target = Target(client, Breaker(), FixedLimiter(4))
        attempts = Attempts(target, run_request(**changes), Budget(deadline=float("inf")))
        return attempts.run().kind

    return ask


def test_a_run_is_started_once(start: Start, client: AirflowClient) -> None:
    """The first request starts the run without a logical date, the second finds it, with conf and note."""
    assert start(dag_run_id=f"once__{RUN}") is OutcomeKind.STARTED
    assert start(dag_run_id=f"once__{RUN}") is OutcomeKind.DUPLICATE
    run = client.get_run(DAG, f"once__{RUN}").body
    assert run is not None
    assert (run["conf"], run["note"]) == (conf(), run_request().note)


def test_the_two_conflicts_are_told_apart(start: Start) -> None:
    """With a logical date, the own run is a duplicate and a foreign run has the date."""
    date = datetime.now(UTC).isoformat()
    assert start(dag_run_id=f"dated__{RUN}", logical_date=date) is OutcomeKind.STARTED
    assert start(dag_run_id=f"dated__{RUN}", logical_date=date) is OutcomeKind.DUPLICATE
    assert start(dag_run_id=f"dated_again__{RUN}", logical_date=date) is OutcomeKind.REJECTED


def test_what_can_never_work_is_not_sent(client: AirflowClient) -> None:
    """A run id that Airflow 2 would answer with 500, and a start time, are refused without a request."""
    assert "run id" in client.start_run(run_request(dag_run_id="a b")).invalid
    assert "run_after" in client.start_run(run_request(run_after="2026-11-01T00:00:00Z")).invalid


def test_an_unknown_dag_is_told(client: AirflowClient) -> None:
    """A missing DAG and a missing run have their rows in the failure table."""
    answer = client.start_run(run_request(dag_id="not_there"))
    assert classify(answer).answer_class is AnswerClass.DAG_NOT_FOUND
    assert client.get_run(DAG, "not_there").status == 404


def test_a_wrong_password_is_read_again(
    airflow2: Airflow2, client: AirflowClient, vault: LocalKeyVault
) -> None:
    """Airflow 2 answers 401 to a wrong password, and the new password of the vault works at once."""
    vault.set("airflow-password", "not-the-password")
    client._transport._current()
    vault.set("airflow-password", airflow2.password)
    assert client.get_dag(DAG).status == 200


def test_the_doctor_starts_nothing(client: AirflowClient) -> None:
    """Airflow 2 checks the permission to start runs before it refuses the doctor's empty request."""
    answer = client.try_start(DAG)
    assert answer.status == 400
    assert "updraft_doctor" in answer.message
