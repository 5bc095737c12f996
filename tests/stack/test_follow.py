"""`publish --wait` and `replay send --wait` on the whole stack: they report what the app and Airflow do."""

import json
import os
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.main import main
from local.demo import fresh
from local.stack import Stack
from shared.azure.credential import azure_credential
from shared.azure.storage_account import Storage
from shared.stores.dead_letters import BlobDeadLetters, DeadLetter
from tests.support.paths import ROOT

pytestmark = pytest.mark.usefixtures("stack_environment")
RULE = "smoke-test-after-swap"
NOW = datetime.now(UTC)


def wait(*arguments: str) -> int:
    """Run a command with `--wait`, with the rules of the stack."""
    return main([*arguments, "--wait", "--timeout", "120", "--rules", os.environ["UPDRAFT_RULES"]])


def no_site(folder: Path) -> tuple[str, str]:
    """Write an event whose run cannot be rendered; return its id and the file."""
    event_id = uuid.uuid4().hex
    document = {
        "specversion": "1.0",
        "id": event_id,
        "source": "/x",
        "type": "Microsoft.Web.SlotSwapCompleted",
        "data": {"targetSlot": "production"},
    }
    file = folder / f"{event_id}.json"
    file.write_text(json.dumps(document))
    return event_id, str(file)


def test_an_event_is_followed_to_its_run(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """The event goes through the topic and the app; the command finds its run."""
    swap = str(ROOT / "examples/events/slot_swap_completed.json")
    assert wait("publish", "--new", "--json", swap) == 0
    (event,) = json.loads(capsys.readouterr().out)["events"]
    (run,) = event["runs"]
    assert (run["rule"], run["state"], [*run["milliseconds"]]) == (
        RULE,
        "success",
        ["started", "running", "success"],
    )
    token = stack.airflow.token()
    there = stack.airflow.call("GET", f"/api/v2/dags/smoke_tests/dagRuns/{run['run']}", token=token)
    assert there["conf"]["_updraft"]["event"]["id"] == event["id"]


def test_what_is_sent_again_has_a_result(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of two dead letters has a run, and the other one has a dead letter again."""
    bad, file = no_site(tmp_path)
    assert wait("publish", file) == 1
    printed = capsys.readouterr()
    assert "rejected    rule smoke-test-after-swap: TemplateError\n" in printed.out
    assert (printed.out + printed.err).count("so there is no `app`") == 1
    good = replace(fresh("slot_swap_completed.json").event, via="webhook")
    storage = Storage(os.environ, azure_credential)
    BlobDeadLetters(storage).write(DeadLetter(good, "DagNotFound", "it was away", NOW, NOW, RULE))
    assert wait("replay", "send", good.id, bad) == 1
    told, errors = capsys.readouterr()
    assert f"event {bad} at rule {RULE}: rejected again: TemplateError: site: " in errors
    assert "\n1 started, 1 rejected again (see docs/dead-letters.md, Sending dead letters again)\n" in told
    assert wait("replay", "send", "--again", "--json", good.id) == 0
    (again,) = json.loads(capsys.readouterr().out)["results"]
    assert (again["event"], again["result"]) == (good.id, "had its run before")
    assert main(["replay", "send", bad]) == 0  # leave nothing that another test would count as unsent
    assert stack.app.url
