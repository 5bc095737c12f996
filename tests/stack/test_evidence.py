"""Dead letters cannot be changed: attacks over HTTP, and `replay`, on real Storage."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
import requests
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from cli.main import main
from cli.replay.container import DeadLetterContainer
from cli.replay.resend import Resender, resend
from local.servers.azurite import Azurite
from shared.azure.storage_account import DEAD_LETTERS_CONTAINER, Storage
from shared.errors import StorageUnavailable
from shared.event import Unreadable
from shared.stores.dead_letter_names import REPLAYED
from shared.stores.dead_letters import BlobDeadLetters
from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE
from tests.support.dead_letters import IN_EVENT_GRIDS_SCHEMA, letter
from tests.support.delivery import event
from tests.support.http_app import AGENT, GROUP, STRANGER, Caller


@pytest.fixture
def settings(settings: dict[str, str], azurite: Azurite, storage: Storage) -> dict[str, str]:
    """The settings of the HTTP API, with a Storage account."""
    return settings | azurite.environment()


def contents(
    storage: Storage, container: str = DEAD_LETTERS_CONTAINER, holding: str = ""
) -> dict[str, bytes]:
    """Return the dead letters of a container that have a text."""
    client = storage.container(container)
    if not client.exists():
        return {}
    found = {
        blob.name: client.download_blob(blob.name).readall()
        for blob in client.list_blobs()
        if not blob.name.startswith(REPLAYED)
    }
    return {name: content for name, content in found.items() if holding.encode() in content}


def deliver(caller: Caller, body: object) -> int:
    """Deliver an event as Event Grid does."""
    answer = requests.post(
        f"{caller.host.url}/runtime/webhooks/EventGrid",
        params={"functionName": "event_grid"},
        headers={"aeg-event-type": "Notification"},
        json=body,
        timeout=30,
    )
    return answer.status_code


def genuine(event_id: str) -> dict[str, object]:
    """Return an event that the rule `greet` cannot render."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/shops/1",
        "type": "Shop.Opened",
        "time": "2026-11-01T12:00:00Z",
        "data": {"door_of": "the owner"},
    }


FORGERIES: dict[str, dict[str, object]] = {
    "the same": {},
    "other data": {"data": {"door_of": "somebody else"}},
    "no data": {"data": None},
    "another spelling of data": {"data": {"door_of": "the owner "}},
    "another time of that day": {"time": "2026-11-01T12:00:01Z"},
    "another spelling of the time": {"time": "2026-11-01T12:00:00.000Z"},
    "another day": {"time": "2026-11-02T12:00:00Z"},
    "no time": {"time": None},
    "another subject": {"subject": "x"},
    "another type in spelling": {"type": "SHOP.OPENED"},
    "an extension": {"kept": "1"},
    "somebody's stamp": {"updraftcaller": '{"entry":"agent"}'},
    "the members of a dead letter": {"deadletterreason": "x", "updraft": {"rule": "greet"}},
    "base64": {"data": None, "data_base64": "eyJkb29yX29mIjoidGhlIG93bmVyIn0="},
}


def test_no_sender_changes_anothers_letter(caller: Caller, storage: Storage) -> None:
    """A caller sends every variant of a dead-lettered event: the dead letter does not change."""
    event_id = uuid.uuid4().hex
    assert deliver(caller, genuine(event_id)) == 202
    ((name, content),) = contents(storage, holding=event_id).items()
    assert json.loads(content)["data"] == {"door_of": "the owner"}
    seen = {name: content}
    for change in FORGERIES.values():
        changed = {key: value for key, value in (genuine(event_id) | change).items() if value is not None}
        answer = caller.post("events", caller.token(AGENT), changed)
        assert answer.status_code in {202, 400}
        now = contents(storage, holding=event_id)
        assert {name: now[name] for name in seen} == seen
        assert len(now) <= len(seen) + 1
        seen = now
    assert len(seen) > len(FORGERIES) // 2


def test_no_call_changes_anothers_letter(caller: Caller, storage: Storage) -> None:
    """Refused direct runs with one key, of one caller or two, have separate dead letters."""
    key = uuid.uuid4().hex
    caller.stub.inject(422, {"detail": "no"}, times=3, when=lambda request: request.method == "POST")
    other = caller.token(STRANGER, groups=[GROUP])
    answers = [
        caller.start(body={"conf": {"site": "a"}}, Idempotency_Key=key),
        caller.start(body={"conf": {"site": "b"}}, Idempotency_Key=key),
        caller.start(token=other, body={"conf": {"site": "a"}}, Idempotency_Key=key),
    ]
    assert [answer.status_code for answer in answers] == [422] * 3
    assert len(contents(storage, holding=key)) == 3


def test_deliveries_multiply_nothing(caller: Caller, storage: Storage) -> None:
    """The same event, delivered many times in both schemas, is one dead letter."""
    event_id = uuid.uuid4().hex
    for _ in range(4):
        assert deliver(caller, genuine(event_id)) == 202
    assert deliver(caller, [genuine(event_id)] * 3) == 202
    reordered = dict(reversed(genuine(event_id).items()))
    assert deliver(caller, reordered) == 202
    assert len(contents(storage, holding=event_id)) == 1


@pytest.mark.parametrize("kind", ["event", "body", "no rule"])
def test_many_at_once_write_one_letter(
    storage: Storage, prefix: str, kind: str, together: Callable[[int, Callable[[], object]], list[object]]
) -> None:
    """If several instances dead-letter one event at the same time, one writes, before and after a replay."""
    letters = BlobDeadLetters(storage, container=prefix)
    store = DeadLetterContainer(storage.container(prefix), ours=True)
    given_up = {
        "event": letter(),
        "body": letter(subject=Unreadable("no JSON", "{"), rule=""),
        "no rule": letter(rule=""),
    }[kind]
    for rounds in range(1, 4):
        assert together(6, lambda: letters.write(given_up)) == [None] * 6
        assert len(contents(storage, prefix)) == rounds
        (kept,) = store.read_all(store.names())
        store.begin(kept)
        store.finish(kept, kept.letters, whole=True)


def test_letters_are_as_many_as_replays(storage: Storage, prefix: str) -> None:
    """An event has at most one dead letter more than it was replayed."""
    letters = BlobDeadLetters(storage, container=prefix)
    store = DeadLetterContainer(storage.container(prefix), ours=True)
    sender = Resender(storage, parked=f"{prefix}-parked", events=f"{prefix}-events")
    before: dict[str, bytes] = {}
    for replays in range(12):
        for reason in ("one", "two", "three"):
            letters.write(letter(reason=f"{reason} after {replays} replays"))
        now = contents(storage, prefix)
        assert len(now) == replays + 1
        assert {name: now[name] for name in before} == before
        before = now
        (pending,) = store.read_all(store.names())
        assert pending.letters[0].reason == f"one after {replays} replays"
        assert resend(store, sender, [pending]).finished == 1
    assert store.names() == []


def test_a_late_letter_does_not_come_back(storage: Storage, prefix: str) -> None:
    """Storage refuses a write that arrives after the replay."""
    letters = BlobDeadLetters(storage, container=prefix)
    store = DeadLetterContainer(storage.container(prefix), ours=True)
    letters.write(letter())
    (kept,) = store.read_all(store.names())
    store.begin(kept)
    store.finish(kept, kept.letters, whole=True)
    with pytest.raises(ResourceExistsError):
        storage.container(prefix).upload_blob(kept.name, b"{}", overwrite=False)
    assert store.names() == []


def test_a_letter_that_was_deleted_in_between_is_seen(storage: Storage, prefix: str) -> None:
    """If a dead letter was deleted and its mark exists, the next one with that name is visible."""
    letters = BlobDeadLetters(storage, container=prefix)
    store = DeadLetterContainer(storage.container(prefix), ours=True)
    letters.write(letter())
    (kept,) = store.read_all(store.names())
    store.begin(kept)
    store.finish(kept, kept.letters, whole=True)
    storage.container(prefix).delete_blob(kept.name)
    time.sleep(1.1)  # Storage stores times in whole seconds
    letters.write(letter())
    assert store.names() == [kept.name]
    read = store.read(kept.name)
    assert read is not None
    assert (read.done, read.replays) == (False, [])


def test_a_letter_that_cannot_be_written_is_not_acknowledged(storage: Storage, prefix: str) -> None:
    """Another refusal of Storage is an error."""
    letters = BlobDeadLetters(storage, container=f"{prefix}_no_name")
    with pytest.raises(StorageUnavailable):
        letters.write(letter())


def state(storage: Storage, container: str) -> dict[str, tuple[bytes, str, datetime]]:
    """Return content, version and time of each dead letter."""
    client = storage.container(container)
    blobs = {blob.name: (str(blob.etag), blob.last_modified) for blob in client.list_blobs()}
    return {name: (content, *blobs[name]) for name, content in contents(storage, container).items()}


@pytest.fixture
def command(storage: Storage, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """The account as the command finds it; its queues and its container are empty afterwards."""
    for name, value in azurite.environment().items():
        monkeypatch.setenv(name, value)
    yield storage
    for queue in (EVENT_QUEUE, PARKED_QUEUE):
        with suppress(ResourceNotFoundError):
            storage.queue(queue).clear_messages()
    container = storage.container(DEAD_LETTERS_CONTAINER)
    for blob in container.list_blobs():
        container.delete_blob(blob.name)


@pytest.mark.parametrize("ours", [True, False])
def test_no_command_touches_a_letter(
    command: Storage,
    prefix: str,
    ours: bool,  # noqa: FBT001 - a parameter of the test
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No command of `replay` changes content, version or time of a dead letter."""
    name = DEAD_LETTERS_CONTAINER if ours else prefix
    container = command.container(name)
    letters = BlobDeadLetters(command)
    for number in range(3):
        letters.write(letter(subject=event(id=f"e-{number}"), rule="smoke" if number else ""))
    if not ours:
        container.create_container()
        many = [IN_EVENT_GRIDS_SCHEMA, {"not": "a letter"}, IN_EVENT_GRIDS_SCHEMA | {"id": "2"}]
        container.upload_blob("TOPIC/SUB/2026/11/1/1/many.json", json.dumps(many))
        container.upload_blob("TOPIC/SUB/2026/11/1/1/one.json", json.dumps([IN_EVENT_GRIDS_SCHEMA]))
    before = state(command, name)
    first = min(before)
    for call in (
        ["list"],
        ["show", first],
        ["send", "--all", "--dry-run"],
        ["send", first],
        ["send", "--all"],
        ["send", "--all", "--again"],
        ["send", first, "--again"],
        ["list", "--replayed"],
        ["show", first],
    ):
        main(["replay", *call, "--container", name])
    assert state(command, name) == before
    assert "sent again" in capsys.readouterr().out
    assert main(["replay", "show", f"{REPLAYED}{first}/begun.json", "--container", name]) == 1
    others = {blob.name for blob in container.list_blobs()} - before.keys()
    assert all(other.startswith(REPLAYED) for other in others)


def test_marks_say_when(storage: Storage, prefix: str) -> None:
    """A mark has the time of its replay, and two replays have two marks."""
    letters = BlobDeadLetters(storage, container=prefix)
    store = DeadLetterContainer(storage.container(prefix), ours=True)
    letters.write(letter())
    (kept,) = store.read_all(store.names())
    began = datetime.now(UTC)
    for _ in range(2):
        store.begin(kept)
        store.finish(kept, kept.letters, whole=True)
    read = store.read(kept.name)
    assert read is not None
    assert len(read.replays) == 2
    assert all(began <= each <= datetime.now(UTC) for each in read.replays)
