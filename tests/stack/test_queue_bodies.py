"""Each message in the app's queues ends with a run or a dead letter: the app in a host, on Azurite."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceNotFoundError

import shared.app
from cli.replay.container import DeadLetterContainer
from local.servers.azurite import Azurite
from local.stand_ins.airflow_stub import AirflowStub
from shared.app import App
from shared.azure.storage_account import DEAD_LETTERS_CONTAINER, Storage, create_if_missing
from shared.delivery.policy import Policy
from shared.event import Event, Unreadable
from shared.stores.dead_letter_reader import Letter
from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE, poison_queue
from tests.event.test_queue_bodies import EVENT, WRAPPINGS, wrapped
from tests.support.delivery import DAG
from tests.support.functions_host import running_host
from tests.support.parked import parked_event
from tests.support.paths import ROOT

RULES = f"""
connections:
  stub: {{url: "%UPDRAFT_AIRFLOW_URL%", auth: {{kind: entra, scope: "api://airflow/.default"}}}}
rules:
  - name: smoke
    when: {{types: [Shop.Opened]}}
    start: {{dag: {DAG}, conf: {{name: "{{{{ data.name }}}}"}}}}
"""
GARBAGE = (
    "",
    " ",
    "null",
    "hello",
    "Test",
    '"text"',
    "5",
    "{",
    "[[[",
    '{"id": 1}',
    "<a>&amp;</a>",
    "\u200b漢字😀",
    "=",
    "A===",
    base64.b64encode(b"\x00\x01").decode(),
    base64.b64encode(b"\xff\xfe").decode(),
    base64.b64encode("{".encode("utf-16")).decode(),
    wrapped(EVENT, *["standard of UTF-8"] * 5),
)
QUEUES = (EVENT_QUEUE, PARKED_QUEUE, poison_queue(EVENT_QUEUE), poison_queue(PARKED_QUEUE))


class Account:
    """The app's Storage account, empty at first."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._letters = DeadLetterContainer(storage.container(DEAD_LETTERS_CONTAINER), ours=True)

    def clear(self) -> None:
        """Empty it."""
        for queue in QUEUES:
            with suppress(ResourceNotFoundError):
                self._storage.queue(queue).clear_messages()
        for name in self._letters.names():
            self._storage.container(DEAD_LETTERS_CONTAINER).delete_blob(name)

    def put(self, queue: str, text: str) -> None:
        """Put a message into a queue, unchanged."""
        client = self._storage.queue(queue)
        create_if_missing(client.create_queue, lambda: client.send_message(text))

    def is_empty(self) -> bool:
        """Whether no queue has a message, hidden ones included."""
        count = 0
        for queue in QUEUES:
            with suppress(ResourceNotFoundError):
                count += self._storage.queue(queue).get_queue_properties().approximate_message_count or 0
        return count == 0

    def letters(self) -> list[Letter]:
        """Return the dead letters."""
        return [letter for kept in self._letters.read_all(self._letters.names()) for letter in kept.letters]


@pytest.fixture
def account(storage: Storage) -> Iterator[Account]:
    """The account of the app."""
    account = Account(storage)
    account.clear()
    yield account
    account.clear()


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    """The folder of these tests' rules."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path


@pytest.fixture
def environment(
    azurite: Azurite, stub: AirflowStub, rules_file: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The app's settings, which are also in this process's environment."""
    settings = azurite.environment() | {
        "UPDRAFT_AIRFLOW_URL": stub.url,
        "UPDRAFT_RULES": str(rules_file),
        "PYTHON_THREADPOOL_THREAD_COUNT": "32",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return settings


@contextmanager
def hosted(settings: dict[str, str], policy: Policy) -> Iterator[App]:
    """Run the app in a host, and yield its parts."""
    made = App(settings, policy=policy)
    shared.app.start_anew(lambda: made)
    try:
        with running_host(ROOT):
            yield made
    finally:
        shared.app.start_anew()


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until a condition is true; fail after a time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def test_every_message_ends_in_a_run_or_a_dead_letter(
    account: Account, environment: dict[str, str], stub: AirflowStub
) -> None:
    """Each encoding of an event starts its run, all else is dead-lettered, and the queues are empty."""
    expected = set()
    for number, names in enumerate(
        [(), *((name,) for name in WRAPPINGS), *((name, name) for name in WRAPPINGS)]
    ):
        text = EVENT.replace("e-1", f"e-{number}")
        message = wrapped(text, *names)
        expected.add(f"e-{number}")
        account.put(EVENT_QUEUE, message.replace("\r\n", "\n"))
    for text in GARBAGE:
        account.put(EVENT_QUEUE, text)
        account.put(PARKED_QUEUE, text)
    with hosted(environment, Policy()) as app:
        wait_for(account.is_empty)
        assert app.outcome_counts.balances()
    found = {run["conf"]["_updraft"]["event"]["id"] for run in stub.runs.values()}  # type: ignore[index, call-overload] # JSON
    assert found == expected
    assert {run["conf"]["name"] for run in stub.runs.values()} == {json.loads(EVENT)["data"]["name"]}  # type: ignore[index, call-overload] # JSON
    kept = {letter.subject.raw for letter in account.letters() if isinstance(letter.subject, Unreadable)}
    utf_16 = base64.b64encode("{".encode("utf-16")).decode()
    assert kept == {text for text in GARBAGE if text != utf_16}


def test_the_last_delivery_leaves_nothing_to_the_host(
    account: Account, environment: dict[str, str], rules_file: Path
) -> None:
    """A failure at the last delivery is a dead letter, and the message is not moved to the poison queue."""
    rules_file.unlink()
    account.put(EVENT_QUEUE, base64.b64encode(EVENT.encode()).decode())
    event = Event(id="p-1", source="/shops/1", type="Shop.Opened", data={"name": "x"})
    account.put(PARKED_QUEUE, parked_event(event, attempt=3).to_message())
    with hosted(environment, Policy(queue_deliveries=1)) as app:
        wait_for(account.is_empty)
        assert app.outcome_counts.balances()
    letters = account.letters()
    assert {letter.code for letter in letters} == {"MaxDeliveryAttemptsExceeded"}
    assert {(letter.rule, letter.subject.id) for letter in letters} == {("", "e-1"), ("smoke", "p-1")}
    assert all("rules.yaml" in letter.reason for letter in letters)


def test_what_lies_in_a_poison_queue_becomes_a_dead_letter(
    account: Account, environment: dict[str, str]
) -> None:
    """A message that the host moved becomes a dead letter, also if its body cannot be decoded."""
    for text in ("hello", base64.b64encode(EVENT.encode()).decode()):
        for queue in (EVENT_QUEUE, PARKED_QUEUE):
            account.put(poison_queue(queue), text)
    with hosted(environment, Policy()):
        wait_for(account.is_empty)
    assert {letter.subject.id for letter in account.letters() if isinstance(letter.subject, Event)} == {"e-1"}
    assert {letter.subject.raw for letter in account.letters() if isinstance(letter.subject, Unreadable)} == {
        "hello",
        EVENT,
    }
