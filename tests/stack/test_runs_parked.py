"""Direct runs that Airflow does not accept at once: parked on real Storage, with an answer to the caller."""

import pytest

from local.servers.azurite import Azurite
from local.stand_ins.loopback_server import Request
from shared.azure.storage_account import Storage
from tests.support.http_app import AGENT, Caller


@pytest.fixture
def settings(settings: dict[str, str], azurite: Azurite, storage: Storage) -> dict[str, str]:
    """The settings of the HTTP API, with a Storage account."""
    return settings | azurite.environment()


def starts(request: Request) -> bool:
    """Return whether a request is for a run."""
    return request.method == "POST"


def test_a_run_that_has_to_wait_is_accepted(caller: Caller) -> None:
    """If the DAG is missing or Airflow needs operator action, the answer is 202 with the run's id."""
    missing = caller.start("missing", Idempotency_Key="k-1")
    assert (missing.status_code, missing.headers["Updraft-Outcome"]) == (202, "parked")
    caller.stub.inject(403, {"detail": "Forbidden"}, when=starts)
    waiting = caller.start(Idempotency_Key="k-1")
    assert (waiting.status_code, waiting.headers["Updraft-Outcome"]) == (202, "parked")
    started = caller.start(Idempotency_Key="k-1")
    assert started.headers["Updraft-Outcome"] == "started"
    assert started.content == waiting.content


def test_a_run_that_airflow_refuses_is_told(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """The answer is 422 with the code, and the log has Airflow's message."""
    caller.stub.inject(422, {"detail": "not to my taste"}, when=starts)
    answer = caller.start()
    assert (answer.status_code, answer.json()["code"]) == (422, "run_rejected")
    assert "(BadRequest)" in answer.json()["detail"]
    assert "not to my taste" not in answer.text
    assert "not to my taste" in caplog.text


def test_a_rejected_event_is_told_beside_its_neighbours(caller: Caller) -> None:
    """If one of two events is rejected, the other one has its run."""
    caller.stub.inject(422, {"detail": "not to my taste"}, when=starts)
    events = [
        {
            "specversion": "1.0",
            "id": f"{caller.stub.url}/{number}",
            "source": "/shops/1",
            "type": "Shop.Opened",
        }
        | {"data": {"door": number}}
        for number in range(2)
    ]
    answer = caller.post("events", caller.token(AGENT), events)
    assert answer.status_code == 202
    (first,), (second,) = (each["runs"] for each in answer.json()["events"])
    assert first == {"rule": "greet", "rejected": "BadRequest"}
    assert second["dag_id"] == "greet"
