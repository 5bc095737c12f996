"""`updraft replay send --wait` on a real Azurite, with an app that handles the messages: all results."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import pytest
from azure.core.exceptions import ResourceNotFoundError

from cli.main import main
from local.stand_ins.airflow_stub import AirflowStub
from shared.azure.storage_account import Storage
from shared.deciding.decide import decide_direct_run
from shared.event import Event, Unreadable
from shared.event.bursts import BurstKey
from shared.rules import Rules, load_rules
from shared.runs.direct_run import DirectRun
from shared.stores.dead_letters import BlobDeadLetters, DeadLetter
from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE
from shared.stores.parked import Parked
from shared.stores.parking import QueueParking
from shared.stores.window_blobs import WindowBlobs
from shared.stores.work_items import Resent, RuleEvent, Subject, WindowClose, subject_of
from tests.support.delivery import DAG, event
from tests.support.parked import of_message
from tests.support.recording_topic import start_run, start_runs

NOW: Final = datetime.now(UTC)
CALLER: Final = "0c0c0c0c-1111-4222-8333-444455556666"
RULES: Final = f"""
connections:
  main: {{url: "%UPDRAFT_AIRFLOW_URL%", auth: {{kind: entra, scope: "api://airflow/.default"}}}}
rules:
  - name: opened
    when: {{types: [Shop.Opened]}}
    start: {{dag: {DAG}, conf: {{item: "{{{{ data.item }}}}"}}}}
callers:
  - {{name: shop, object_id: "{CALLER}", connection: main, dags: [{DAG}]}}
"""


class App:
    """An app that starts runs, and rejects events whose ids begin with `bad`."""

    def __init__(self, storage: Storage, rules: Rules, stub: AirflowStub) -> None:
        self._queue = storage.queue(PARKED_QUEUE)
        self._letters = BlobDeadLetters(storage)
        self._rules = rules
        self._stub = stub
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(0.05):
            with suppress(ResourceNotFoundError):
                for message in self._queue.receive_messages():
                    self._queue.delete_message(message.id, message.pop_receipt)
                    self._take(of_message(message.content))

    def _take(self, parked: Parked) -> None:
        assert isinstance(parked.work, RuleEvent | DirectRun | WindowClose | Resent)
        taken = subject_of(parked.work)
        if (taken.id or "").startswith("bad"):
            self._letters.write(DeadLetter(taken, "TemplateError", "no item", NOW, NOW, parked.work.rule))
        elif isinstance(taken, DirectRun):
            start_run(decide_direct_run(taken, self._rules), self._stub)
        elif isinstance(taken, Event) and not taken.id.startswith("slow") and taken.type == "Shop.Opened":
            start_runs(taken, self._rules, self._stub)


@pytest.fixture
def world(
    own_container: Storage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[tuple[BlobDeadLetters, AirflowStub, str]]:
    """The app's container, its Airflow, and the rules file."""
    with AirflowStub((DAG,)) as stub:
        monkeypatch.setenv("UPDRAFT_AIRFLOW_URL", stub.url)
        file = tmp_path / "rules.yaml"
        file.write_text(RULES)
        rules = load_rules(RULES, file="r", settings={"UPDRAFT_AIRFLOW_URL": stub.url})
        with App(own_container, rules, stub):
            yield BlobDeadLetters(own_container), stub, str(file)
    with suppress(ResourceNotFoundError):
        own_container.queue(EVENT_QUEUE).clear_messages()


def opened(event_id: str, **changes: Any) -> Event:
    """Return an event that matches the rule."""
    known = {"id": event_id, "type": "Shop.Opened", "data": {"item": 1}, "via": "webhook"}
    return event(**known | changes)


def direct_run(key: str, entry: str = "shop") -> DirectRun:
    """Return a direct run of the caller `entry`."""
    caller = {"entry": entry, "kind": "application", "object_id": CALLER, "app_id": "a"}
    return DirectRun({**caller}, DAG, "main", key, "2026-11-01T12:00:00Z")


def letter(subject: Subject, rule: str = "opened", code: str = "DagNotFound") -> DeadLetter:
    """Return a dead letter."""
    return DeadLetter(subject, code, "no", NOW, NOW, rule)


def test_every_result_is_reported(
    world: tuple[BlobDeadLetters, AirflowStub, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each event without a run is named with its result, and the last line has the counts."""
    letters, stub, rules_file = world
    rules = load_rules(RULES, file="r", settings={"UPDRAFT_AIRFLOW_URL": stub.url})
    ran = opened("ran-1")
    start_runs(ran, rules, stub)
    for each in (
        letter(opened("good-1")),
        letter(opened("good-2"), rule=""),
        letter(ran),
        letter(opened("bad-1")),
        letter(opened("bad-2", data={}), code="TemplateError"),
        letter(opened("slow-1")),
        letter(opened("other-1", type="Shop.Closed")),
        letter(opened("other-2", type="Shop.Closed"), rule=""),
        letter(Unreadable("no JSON", "{ what", via="webhook"), rule="", code="Unreadable"),
        letter(opened("gone-1"), rule="removed"),
        letter(WindowClose("opened", "0" * 32, "north")),
        letter(opened("large-1", via="queue", data={"item": "x" * 100_000}), rule=""),
    ):
        letters.write(each)
    call = ["replay", "send", "--all", "--wait", "--timeout", "4", "--rules", rules_file]
    assert main(call) == 1
    counts, told = capsys.readouterr()
    assert "event bad-1 at rule opened: rejected again: TemplateError: no item\n" in told
    assert "event bad-2 at rule opened: rejected again: TemplateError: no item\n" in told
    assert "event slow-1 at rule opened: not started yet: connection `main`: DAG smoke_tests has" in told
    assert "event other-1 at rule opened: not followed: rule opened does not match the event any" in told
    assert "event other-2: not followed: no rule matches the event: it ends as unmatched\n" in told
    assert "event gone-1 at rule removed: not followed: rule removed does not match the event any" in told
    assert "\ndead letter unreadable/" in told
    assert ".json: not followed: it was not an event" in told
    assert "event large-1 at rule opened: not followed: not all of its blob was sent" in told
    assert counts.splitlines()[-1] == (
        "2 started, 1 had its run before, 2 rejected again, 1 not started yet, 6 not followed "
        "(see docs/dead-letters.md, Sending dead letters again)"
    )


def test_all_that_start_end_with_0(
    world: tuple[BlobDeadLetters, AirflowStub, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """If each event has its run, the status is 0; the JSON document has the run ids."""
    letters, stub, rules_file = world
    for number in range(3):
        letters.write(letter(opened(f"good-{number}")))
    assert main(["replay", "send", "opened", "--wait", "--json", "--rules", rules_file]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert {each["result"] for each in results} == {"started"}
    assert {(DAG, each["run"]) for each in results} == stub.runs.keys()
    assert main(["replay", "send", "--rule", "opened", "--wait", "--rules", rules_file]) == 0
    told = capsys.readouterr().out
    assert told.endswith("nothing to wait for\n3 were sent before; `--again` sends them once more\n")


def test_a_window_is_not_followed(
    own_container: Storage,
    world: tuple[BlobDeadLetters, AirflowStub, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command does not wait for the run of a window, whose id it cannot compute."""
    letters, _, rules_file = world
    windows = WindowBlobs(own_container, QueueParking(own_container))
    joined = windows.collect("opened", BurstKey("north", 300), opened("e-1"))
    closing = WindowClose("opened", joined.window, "north")
    letters.write(letter(closing))
    assert main(["replay", "send", closing.id, "--wait", "--rules", rules_file]) == 1
    assert "not followed: it closes a window, whose run is not followed" in capsys.readouterr().err


def test_a_direct_run_is_followed(
    world: tuple[BlobDeadLetters, AirflowStub, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A direct run has a result; if its caller is not in rules.yaml, only a dead letter is waited for."""
    letters, stub, rules_file = world
    letters.write(letter(direct_run("good-1"), rule="call"))
    assert main(["replay", "send", "--all", "--wait", "--json", "--rules", rules_file]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert (result["event"], result["rule"], result["result"]) == ("good-1", "call", "started")
    assert {(DAG, result["run"])} == stub.runs.keys()
    letters.write(letter(direct_run("bad-1", entry="removed"), rule="call"))
    assert main(["replay", "send", "--all", "--wait", "--rules", rules_file]) == 1
    assert "event bad-1 at rule call: rejected again: TemplateError: no item" in capsys.readouterr().err


def test_rules_with_mistakes_send_nothing(
    world: tuple[BlobDeadLetters, AirflowStub, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """If the run ids cannot be computed nothing is sent, and the dead letter does not change."""
    letters, _, rules_file = world
    letters.write(letter(opened("good-1")))
    assert main(["replay", "send", "--all", "--wait", "--rules", f"{rules_file}x"]) == 1
    capsys.readouterr()
    assert main(["replay", "list"]) == 0
    assert capsys.readouterr().out.startswith("1 dead letter ")
