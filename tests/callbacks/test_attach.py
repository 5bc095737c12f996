import json
from dataclasses import replace
from typing import Any

import pytest

from local.stand_ins.airflow_stub import AirflowStub
from shared.airflow.client import AirflowClient
from shared.airflow.response import AirflowResponse
from shared.callbacks.attach import HIDDEN, RunCallbacks, without
from shared.callbacks.tokens import ReverseTokens
from shared.delivery.closing import Closing
from shared.delivery.intake import Intake
from shared.delivery.outcomes import OutcomeKind
from shared.delivery.relay import Relay
from shared.delivery.target import Target
from shared.errors import TokenUnavailable
from shared.runs.provenance import is_ours
from shared.runs.ref import RunRef
from shared.runs.request import CallbackTerms
from tests.support.callback_keys import NEW, URL, Vault
from tests.support.delivery import DAG, Delivering, client_of, run_request
from tests.support.direct_runs import CALLED, rules

SETTINGS = {"UPDRAFT_URL": URL.removesuffix("/api/outcomes")}
TOKENS = ReverseTokens(Vault(NEW), secret="key", audience=URL)


def client(stub: AirflowStub, **settings: str) -> AirflowClient:
    """Return the stub's client, which adds callbacks to runs."""
    callbacks = RunCallbacks(settings or SETTINGS, Vault(NEW))
    return client_of(stub.url, starting=callbacks.start)


@pytest.fixture
def airflow(stub: AirflowStub) -> AirflowClient:
    """The stub's client."""
    return client(stub)


def conf_of(stub: AirflowStub) -> dict[str, Any]:
    """Return the conf of the one run."""
    ((run),) = stub.runs.values()
    conf: Any = run["conf"]
    return dict(conf)


def test_a_run_gets_its_callback_while_it_is_sent(stub: AirflowStub, airflow: AirflowClient) -> None:
    """Airflow has the address and a token for this run; the request and the response have none."""
    request = run_request(callback=CallbackTerms(60))
    answer = airflow.start_run(request)
    callback = conf_of(stub)["_updraft"]["callback"]
    assert callback["url"] == URL
    run = TOKENS.verify(callback["token"])
    assert (run.connection, run.dag_id, run.dag_run_id) == ("analytics", DAG, request.dag_run_id)
    assert callback["token"] not in f"{request}{answer}"
    assert callback["token"].rpartition(".")[2] not in f"{request}{answer}"


def test_the_run_stays_ours(stub: AirflowStub, airflow: AirflowClient) -> None:
    """A run with a callback is still recognised as the event's run."""
    request = run_request(callback=CallbackTerms(60))
    airflow.start_run(request)
    found = airflow.get_run(DAG, request.dag_run_id).body
    assert found is not None
    assert is_ours(found["conf"], request)


def test_an_answer_that_is_nested_too_deeply_is_no_crash(stub: AirflowStub, airflow: AirflowClient) -> None:
    """The token is removed from every response; one that is too deep for Python is left out."""
    stub.inject(400, '{"a": ' * 1_500 + "1" + "}" * 1_500, times=9)
    answer = airflow.start_run(run_request(callback=CallbackTerms(60)))
    assert (answer.status, answer.body) == (400, None)


def test_a_run_may_get_the_address_alone(stub: AirflowStub, airflow: AirflowClient) -> None:
    """An Airflow with its own identity gets no token."""
    airflow.start_run(run_request(callback=CallbackTerms(60, token=False)))
    assert conf_of(stub)["_updraft"]["callback"] == {"url": URL}


def test_other_runs_have_none(stub: AirflowStub, airflow: AirflowClient) -> None:
    """A rule without `track: callback` sends its conf as it is."""
    airflow.start_run(run_request())
    assert "callback" not in conf_of(stub)["_updraft"]


def test_without_an_address_the_run_waits(stub: AirflowStub) -> None:
    """A run that could not report is not started: the operator has to set the address first."""
    airflow = client(stub, UNRELATED="1")
    with pytest.raises(TokenUnavailable, match="UPDRAFT_URL") as caught:
        airflow.start_run(run_request(callback=CallbackTerms(60)))
    assert caught.value.permanent
    assert not stub.runs


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_what_airflow_quotes_is_taken_out(cut: int) -> None:
    """A mark replaces the token everywhere in a response, also a part of it."""
    token = TOKENS.issue(RunRef("analytics", DAG, "r"), lifetime=60)
    quoted = token[: len(token) - cut]
    answer = AirflowResponse(
        status=422,
        body={"detail": [{"msg": f"bad {quoted}", "input": {"token": quoted, "n": 1}}], "n": None},
        text=f"<p>{quoted}</p> and {quoted}",
        error=f"x {quoted}",
    )
    clean = without(answer, token)
    assert token.partition(".")[0] not in f"{clean}"
    assert clean.text == f"<p>{HIDDEN}</p> and {HIDDEN}"
    assert json.dumps(clean.body).count(HIDDEN) == 2
    assert without(replace(answer), "") == answer


def test_neither_the_queue_nor_a_dead_letter_holds_a_token(stub: AirflowStub) -> None:
    """A called run that has to wait is parked without its token, and starts with one later."""
    delivering = Delivering(stub.url)
    target = Target(client(stub), delivering.breaker, delivering.limiter)
    relay = Relay(
        {"main": target}.__getitem__,
        parking=delivering.parking,
        closing=Closing(delivering.letters, delivering.outcome_counts),
        clock=delivering.clock,
        sleep=delivering.clock.sleep,
        now=delivering.clock.now,
    )
    intake = Intake(
        rules=rules,
        relay=relay,
        windows=delivering.windows,
        parking=delivering.parking,
        closing=Closing(delivering.letters, delivering.outcome_counts),
    )
    stub.inject(403, {"detail": "Forbidden"}, when=lambda request: request.method == "POST")
    parked = intake.receive_direct_run(CALLED)
    assert parked.kind is OutcomeKind.PARKED
    ((message, _),) = delivering.parking.kept
    started = intake.receive_parked(message.to_message())
    assert (started.kind, started.dag_run_id) == (OutcomeKind.STARTED, parked.dag_run_id)
    token = conf_of(stub)["_updraft"]["callback"]["token"]
    assert TOKENS.verify(token).dag_run_id == started.dag_run_id
    stub.inject(422, {"detail": "no"}, when=lambda request: request.method == "POST")
    refused = intake.receive_direct_run(replace(CALLED, id="k-2"))
    assert refused.kind is OutcomeKind.REJECTED
    ((letter),) = delivering.letters.kept.values()
    for text in (message.to_message(), json.dumps(letter.to_document())):
        assert token.partition(".")[0] not in text
    assert delivering.outcome_counts.balances()
