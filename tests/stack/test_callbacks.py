"""Callbacks on real parts: an event starts a run, and the run reports its end."""

import json
import os
import time
import uuid
from collections.abc import Iterator

import pytest

from cli.publish.outgoing import Outgoing, read_outgoing
from cli.publish.topic import send
from local.demo import fresh
from local.servers.airflow_auth import AIRFLOW_RESOURCE
from local.stack import Stack
from local.timeline import outcomes
from shared.azure.credential import azure_credential
from shared.azure.storage_account import Storage
from shared.callbacks.report_store import REPORTS_CONTAINER
from shared.values.json_text import JsonObject

pytestmark = pytest.mark.usefixtures("stack_environment")


def shop_event(kind: str) -> Outgoing:
    """Return an event for a rule that only the tests' stack has."""
    document = {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "source": "/shop",
        "type": kind,
        "data": {"site": "contoso-shop"},
    }
    (event,) = read_outgoing(json.dumps(document).encode())
    return event


def run_of(stack: Stack, event: Outgoing) -> str:
    """Publish an event and return the id of its run."""
    send([event], stack.topic.endpoint)
    deadline = time.monotonic() + 180
    while not (ended := [line for line in outcomes(stack.app.log) if line.event == event.event.id]):
        assert time.monotonic() < deadline, "the event has no outcome"
        time.sleep(0.1)
    assert ended[0].outcome == "started", ended[0].reason
    return ended[0].run


def kept(run: str) -> Iterator[JsonObject]:
    """Yield the reports of a run, from the app's own Storage account."""
    from azure.core.exceptions import ResourceNotFoundError

    container = Storage(os.environ, azure_credential).container(REPORTS_CONTAINER)
    try:
        for blob in container.list_blobs():
            document = json.loads(container.download_blob(blob.name).readall())
            if document["dag_run_id"] == run:
                yield document
    except ResourceNotFoundError:
        return


def outcome_of(run: str) -> JsonObject:
    """Wait for the one report of a run."""
    deadline = time.monotonic() + 300
    while not (found := list(kept(run))):
        assert time.monotonic() < deadline, f"run {run} did not report"
        time.sleep(0.3)
    (outcome,) = found
    return outcome


def test_a_task_reports_the_outcome(stack: Stack) -> None:
    """The last task of the DAG reports, with the token of the run."""
    run = run_of(stack, fresh("blob_created.json"))
    outcome = outcome_of(run)
    assert (outcome["state"], outcome["reported_by"], outcome["dag_id"]) == ("success", "run", "load_orders")
    assert str(outcome["started_at"]) <= str(outcome["ended_at"])
    path = f"/api/v2/dags/load_orders/dagRuns/{run}"
    conf = stack.airflow.call("GET", path, token=stack.airflow.token())["conf"]
    token = conf["_updraft"]["callback"]["token"]
    assert [log.name for log in stack.logs.iterdir() if token in log.read_text(errors="replace")] == []


@pytest.mark.parametrize(("kind", "state"), [("Shop.Ready", "success"), ("Shop.Nameless", "failed")])
def test_the_notifier_reports_the_outcome(stack: Stack, kind: str, state: str) -> None:
    """A DAG's own callback reports success, and the failure of a run whose conf lacks a value."""
    outcome = outcome_of(run_of(stack, shop_event(kind)))
    assert (outcome["state"], outcome["reported_by"], outcome["dag_id"]) == (state, "run", "smoke_tests")


def test_an_airflow_with_an_identity_needs_no_token(stack: Stack) -> None:
    """With `token: none` the run gets only an address, and Airflow's managed identity reports."""
    run = run_of(stack, shop_event("Shop.NoToken"))
    outcome = outcome_of(run)
    assert (outcome["state"], outcome["reported_by"]) == ("success", stack.airflow_identity.object_id)
    path = f"/api/v2/dags/smoke_tests/dagRuns/{run}"
    token = stack.identity.issue(AIRFLOW_RESOURCE)
    callback = stack.airflow.call("GET", path, token=token)["conf"]["_updraft"]["callback"]
    assert callback == {"url": f"{stack.app.url}/api/outcomes"}
