import base64
import json
import logging
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueServiceClient

from local.functions_host.storage_connections import queue_service
from local.processes.ports import free_port
from local.servers.azurite import Azurite
from local.stand_ins.certificates import Certificates
from local.stand_ins.identity_endpoint import IdentityEndpoint
from tests.support.functions_host import running_host
from tests.support.paths import APPS

ACCOUNT = "devstoreaccount1"


class Queues:
    """A queue with its poison queue, and the calls of the function of the app `queue`."""

    def __init__(self, service: QueueServiceClient, settings: dict[str, str], seen: Path) -> None:
        self.name = f"queue-{uuid.uuid4()}"
        self.settings = settings | {"QUEUE": self.name}
        self.queue: QueueClient = service.get_queue_client(self.name)
        self.poison: QueueClient = service.get_queue_client(f"{self.name}-poison")
        self._seen = seen

    def put(self, text: str, *, raw: bool = False) -> None:
        """Put a message, as base64 or raw."""
        self.queue.send_message(text if raw else base64.b64encode(text.encode()).decode())

    @property
    def seen(self) -> list[dict[str, Any]]:
        """The arguments of the function's calls, in order."""
        if not self._seen.exists():
            return []
        return [json.loads(line) for line in self._seen.read_text().splitlines()]

    def is_empty(self) -> bool:
        """Whether the queue has no messages, hidden ones included."""
        return self.queue.get_queue_properties().approximate_message_count == 0

    def poisoned(self) -> list[str]:
        """The bodies in the poison queue."""
        try:
            return [message.content for message in self.poison.peek_messages(max_messages=32)]
        except ResourceNotFoundError:  # the queue is created when it is first needed
            return []


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until a condition is true; fail after a time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def queues(
    azurite: Azurite,
    signing_identity: IdentityEndpoint,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Queues]:
    """A queue that the host reads with its managed identity."""
    seen = tmp_path / "seen"
    for name, value in (signing_identity.environment() | certificates.environment()).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SEEN", str(seen))
    settings = azurite.environment()
    with queue_service("AzureWebJobsStorage", settings, where="test") as service:
        yield Queues(service, settings, seen)


def test_a_message_is_handled_and_deleted(queues: Queues) -> None:
    """A function gets the decoded body and the message's metadata, and the message is deleted after it."""
    queues.queue.create_queue()
    with running_host(APPS / "queue", settings=queues.settings):
        queues.put("grüße")
        wait_for(lambda: queues.seen and queues.is_empty())
    (message,) = queues.seen
    assert message["body"] == "grüße"
    assert message["dequeue_count"] == 1
    assert message["receipt"]
    assert message["inserted"] <= message["visible"] <= message["expires"]


def test_a_queue_that_comes_later_is_noticed(queues: Queues) -> None:
    """A queue that does not exist yet is an empty queue."""
    with running_host(APPS / "queue", settings=queues.settings):
        time.sleep(0.5)
        queues.queue.create_queue()
        queues.put("hello")
        wait_for(lambda: queues.seen and queues.is_empty())


def test_a_failing_message_ends_in_the_poison_queue(queues: Queues, caplog: pytest.LogCaptureFixture) -> None:
    """A failing message is delivered until its last try, and then moved unchanged; the others are handled."""
    queues.queue.create_queue()
    queues.put("fail")
    queues.put("fine")
    with caplog.at_level(logging.INFO), running_host(APPS / "queue", settings=queues.settings):
        wait_for(queues.poisoned)
        wait_for(queues.is_empty)
    assert queues.poisoned() == [base64.b64encode(b"fail").decode()]
    assert sorted((seen["body"], seen["dequeue_count"]) for seen in queues.seen) == [
        ("fail", 1),
        ("fail", 2),
        ("fine", 1),
    ]
    assert (
        f"Message has reached MaxDequeueCount of 2. Moving message to queue '{queues.poison.queue_name}'."
        in (caplog.text)
    )


def test_a_message_that_is_not_base64_is_poison_at_once(
    queues: Queues, caplog: pytest.LogCaptureFixture
) -> None:
    """A body that cannot be decoded is logged and moved unchanged, without a call of the function."""
    queues.queue.create_queue()
    queues.put("no base64!", raw=True)
    queues.put("fine")
    with caplog.at_level(logging.INFO), running_host(APPS / "queue", settings=queues.settings):
        wait_for(lambda: queues.poisoned() and queues.seen and queues.is_empty())
    assert queues.poisoned() == ["no base64!"]
    assert [seen["body"] for seen in queues.seen] == ["fine"]
    assert "Message decoding has failed! Check MessageEncoding settings." in caplog.text


def test_a_message_that_is_no_text_is_poison_in_the_end(queues: Queues) -> None:
    """Bytes that are not UTF-8 cannot be bound: each try fails until the last."""
    queues.queue.create_queue()
    queues.put(base64.b64encode(b"\xff\xfe\xff").decode(), raw=True)
    with running_host(APPS / "queue", settings=queues.settings):
        wait_for(queues.poisoned)
    assert queues.seen == []


def test_a_poison_queue_has_no_poison_queue(queues: Queues) -> None:
    """A message that fails in a poison queue stays there, hidden, and is not moved."""
    queues.poison.create_queue()
    queues.poison.send_message(base64.b64encode(b"fail").decode())
    settings = queues.settings | {"QUEUE": str(queues.poison.queue_name)}
    with running_host(APPS / "queue", settings=settings):
        wait_for(lambda: queues.seen)
        time.sleep(0.5)
    assert len(queues.seen) == 1
    assert queues.poison.get_queue_properties().approximate_message_count == 1


def test_a_poison_message_is_skipped_in_the_end(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `maxDequeueCount` a message of a poison queue is not delivered again, and stays there."""
    monkeypatch.setattr("local.functions_host.queues.LEASE", 1)
    queues.poison.create_queue()
    queues.poison.send_message(base64.b64encode(b"fail").decode())
    settings = queues.settings | {"QUEUE": str(queues.poison.queue_name)}
    with running_host(APPS / "queue", settings=settings):
        wait_for(lambda: len(queues.seen) == 2)
        time.sleep(3)
    assert [seen["dequeue_count"] for seen in queues.seen] == [1, 2]
    assert queues.poison.get_queue_properties().approximate_message_count == 1


@pytest.mark.parametrize(
    "text", ["no base64!", '{"n": "grüße 漢字 😀 <&>"}', base64.b64encode(b"\xff\xfe").decode(), "", "fail"]
)
def test_without_an_encoding_bodies_are_handed_over_as_they_are(
    queues: Queues, tmp_path: Path, text: str
) -> None:
    """With `messageEncoding: none` the function gets each body unchanged, and it is moved unchanged."""
    app = tmp_path / "app"
    shutil.copytree(APPS / "queue", app)
    host = json.loads((app / "host.json").read_text())
    host["extensions"]["queues"]["messageEncoding"] = "none"
    (app / "host.json").write_text(json.dumps(host))
    queues.queue.create_queue()
    queues.put(text, raw=True)
    with running_host(app, settings=queues.settings):
        wait_for(lambda: queues.seen and queues.is_empty())
    assert {seen["body"] for seen in queues.seen} == {text}
    assert queues.poisoned() == ([text] if text == "fail" else [])


def test_more_messages_than_a_batch_are_all_handled(queues: Queues) -> None:
    """Several batches follow each other, and each message is handled once."""
    queues.queue.create_queue()
    for number in range(13):
        queues.put(f"m{number:02}")
    with running_host(APPS / "queue", settings=queues.settings):
        wait_for(lambda: len(queues.seen) >= 13 and queues.is_empty())
    assert sorted(seen["body"] for seen in queues.seen) == [f"m{number:02}" for number in range(13)]


def test_a_long_run_keeps_its_message(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a function runs longer than the lease, the lease is renewed: no other worker gets the message."""
    monkeypatch.setattr("local.functions_host.queues.LEASE", 2)
    queues.queue.create_queue()
    queues.put("wait 5")
    with running_host(APPS / "queue", settings=queues.settings):
        wait_for(lambda: queues.seen and queues.is_empty())
    assert len(queues.seen) == 1


def test_stopping_lets_a_message_be_finished(queues: Queues) -> None:
    """If the host stops, a message that is being handled is finished and deleted."""
    queues.queue.create_queue()
    queues.put("wait 1")
    with running_host(APPS / "queue", settings=queues.settings):
        wait_for(lambda: queues.seen)
    assert queues.is_empty()


def test_a_service_that_is_away_is_waited_for(queues: Queues, caplog: pytest.LogCaptureFixture) -> None:
    """An unreachable service is logged once, and the host keeps running and stops cleanly."""
    address = f"https://127.0.0.1:{free_port()}/{ACCOUNT}"
    settings = queues.settings | {"AzureWebJobsStorage__queueServiceUri": address}
    with caplog.at_level(logging.WARNING), running_host(APPS / "queue", settings=settings):
        wait_for(lambda: "Cannot read queue" in caplog.text)
    assert caplog.text.count("Cannot read queue") == 1


def test_connections_are_found_as_the_real_host_finds_them(azurite: Azurite) -> None:
    """Development storage, a connection string and an account name are resolved to a queue service."""
    where = "function f"
    development = queue_service("", {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}, where=where)
    assert development.url.startswith("http://127.0.0.1:10001/devstoreaccount1")
    key = base64.b64encode(b"made up").decode()
    text = f"AccountName={ACCOUNT};AccountKey={key};QueueEndpoint={azurite.queue_url};"
    assert queue_service("Own", {"AzureWebJobsOwn": text}, where=where).url.startswith(azurite.queue_url)
    named = queue_service("Own", {"Own__accountName": "shop"}, where=where)
    assert named.url.startswith("https://shop.queue.core.windows.net")
