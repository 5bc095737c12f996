"""The app as on Flex Consumption: each function group in a process of its own."""

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from cli.publish.topic import send
from local.demo import fresh
from local.servers.functions_process import FunctionsApp
from local.stack import Stack
from local.timeline import Told, outcomes
from tests.support.paths import EXAMPLE_RULES, SAMPLES

RULE = """
  - name: deployed
    when: {types: [Microsoft.Web.Kudu.PostDeployment], via: hook/kudu}
    start: {dag: smoke_tests, conf: {site: "{{ app.site }}"}}
"""


@dataclass
class Flex:
    """The split app, which runs instead of the stack's app.

    Attributes:
        stack: The stack, whose app is stopped.
        app: The split app.
    """

    stack: Stack
    app: FunctionsApp

    def wait_for(self, event: str, outcome: str) -> Told:
        """Return the log line of an event with an outcome."""
        deadline = time.monotonic() + 180
        while True:
            seen = [line for line in outcomes(self.app.log) if line.event == event]
            if found := [line for line in seen if line.outcome == outcome]:
                return found[0]
            assert time.monotonic() < deadline, seen
            time.sleep(0.1)


@pytest.fixture
def flex(stack: Stack, stack_environment: Path, tmp_path: Path) -> Iterator[Flex]:
    """The split app, with an additional rule for a webhook."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(EXAMPLE_RULES.read_text(encoding="utf-8") + RULE, encoding="utf-8")
    split = FunctionsApp(stack.processes, stack.logs / "flex.jsonl", flex=True)
    stack.app.stop()
    try:
        split.start({**stack.environment, "UPDRAFT_RULES": str(rules)})
        yield Flex(stack, split)
    finally:
        split.stop()
        if not stack.airflow.is_running:
            stack.start_airflow()
        stack.start_app()


def test_each_group_does_its_work_and_a_parked_event_comes_back(flex: Flex) -> None:
    """An event by queue and one by HTTP start their runs; a parked event starts its run later."""
    assert flex.app.process_count == 7

    stored = fresh("blob_created.json")
    send([stored], flex.stack.topic.endpoint)
    assert flex.wait_for(stored.event.id, "started").function == "event_queue"

    hook = json.loads((SAMPLES / "kudu" / "success_in_slot.json").read_text()) | {"id": uuid.uuid4().hex}
    answer = requests.post(f"{flex.app.url}/api/hooks/kudu", json=hook, timeout=60)
    assert (answer.status_code, answer.json()) == (202, {"outcomes": {"started": 1}})

    webhook = flex.app.webhook("app_service")
    swap = json.loads(fresh("slot_swap_completed.json").text) | {
        "topic": "/subscriptions/0/resourceGroups/contoso/sites/shop"
    }
    assert (
        requests.post(webhook.replace("app_service", "event_queue"), json=[swap], timeout=60).status_code
        == 404
    )
    headers = {"aeg-event-type": "Notification"}
    assert requests.post(webhook, json=[swap], headers=headers, timeout=60).status_code == 202
    assert flex.wait_for(str(swap["id"]), "started").function == "app_service"

    flex.stack.airflow.stop()
    late = fresh("blob_created.json")
    send([late], flex.stack.topic.endpoint)
    assert flex.wait_for(late.event.id, "parked").function == "event_queue"
    flex.stack.start_airflow()
    assert flex.wait_for(late.event.id, "started").function == "parked_queue"
