"""An Event Grid topic that keeps what it gets, and an app behind it that starts runs on an Airflow stub."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import requests

from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.event_grid_topic import EventGridTopic
from local.stand_ins.loopback_server import Reply, Request
from shared.deciding.decide import Decision, decide
from shared.event import Event, read_events
from shared.rules import Rules


class RecordingTopic(EventGridTopic):
    """A topic that keeps the last body that it got.

    Attributes:
        last: The body.
        deliver: Called with each event as Event Grid delivers it.
    """

    last = b""
    deliver: Callable[[Event], None] | None = None

    def handle(self, request: Request) -> Reply:
        """Keep the body, and answer as a topic."""
        self.last = request.body
        reply = super().handle(request)
        if self.deliver is not None and reply.status == 200:
            for document in json.loads(request.body):
                stamped = document if "specversion" in document else document | {"topic": self.resource_id}
                (event,) = read_events(json.dumps(stamped))
                assert isinstance(event, Event)
                self.deliver(event)
        return reply

    def events(self) -> list[Any]:
        """Return the last events, as they were sent."""
        return list(json.loads(self.last))


def start_runs(event: Event, rules: Rules, stub: AirflowStub, **state: str) -> None:
    """Start the runs of an event as the app does, and give them a state.

    Args:
        event: The event, as it is delivered.
        rules: The rules.
        stub: The Airflow.
        state: Members of each run, as in `state="success"`.
    """
    for decision in decide(replace(event, via="queue"), rules):
        start_run(decision, stub, **state)


def start_run(decision: Decision, stub: AirflowStub, **state: str) -> None:
    """Start a run that was decided, and give it a state; the arguments are as in `start_runs`."""
    request = decision.request
    assert request is not None
    body = {"dag_run_id": request.dag_run_id, "conf": request.conf, "logical_date": None}
    url = f"{stub.url}/api/v2/dags/{request.dag_id}/dagRuns"
    headers = {"Authorization": "Bearer made-up"}
    assert requests.post(url, json=body, headers=headers, timeout=10).status_code in {200, 409}
    stub.runs[request.dag_id, request.dag_run_id].update(state)
