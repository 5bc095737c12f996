"""`updraft replay` on a real Azurite: each dead letter is replayed to its own queue, once."""

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import ResourceNotFoundError

from cli.main import main
from cli.replay.container import DeadLetterContainer
from cli.replay.resend import Resender, resend
from local.servers.azurite import Azurite
from shared.azure.storage_account import (
    CLAIMS_CONTAINER,
    DEAD_LETTERS_CONTAINER,
    Storage,
    create_if_missing,
)
from shared.event import Event, Unreadable
from shared.event.queue_bodies import read_queue_body
from shared.stores.dead_letters import BlobDeadLetters, DeadLetter
from shared.stores.names import EVENT_QUEUE, PARKED_QUEUE, poison_queue
from shared.stores.parking import QueueParking
from shared.stores.poison import StoragePoisonQueues
from shared.stores.resent import members_again
from shared.stores.work_items import Resent, WindowClose
from tests.support.dead_letters import IN_EVENT_GRIDS_SCHEMA
from tests.support.delivery import event
from tests.support.direct_runs import CALLED
from tests.support.parked import event_of, of_message, parked_event
from tests.support.paths import SAMPLES

NOW = datetime.now(UTC)


def letter(number: int = 1, **changes: object) -> DeadLetter:
    """Return a dead letter of an event with its own id."""
    known: dict[str, object] = {
        "subject": event(id=f"e-{number}"),
        "code": "BadRequest",
        "reason": "no",
        "at": NOW,
        "first_seen": NOW,
        "rule": "smoke",
    }
    return DeadLetter(**(known | changes))  # type: ignore[arg-type] # the letter's own fields


@pytest.fixture
def store(storage: Storage, prefix: str) -> DeadLetterContainer:
    """An empty container for dead letters."""
    return DeadLetterContainer(storage.container(prefix), ours=True)


@pytest.fixture
def letters(storage: Storage, prefix: str) -> BlobDeadLetters:
    """The app's writer for that container."""
    return BlobDeadLetters(storage, container=prefix)


@pytest.fixture
def sender(storage: Storage, prefix: str) -> Resender:
    """A sender for queues of this test."""
    return Resender(storage, parked=f"{prefix}-parked", events=f"{prefix}-events")


def blobs(store: DeadLetterContainer) -> list[str]:
    """Return the names of all blobs, also of replayed dead letters."""
    return sorted(blob.name for blob in store._container.list_blobs())


def bodies(storage: Storage, queue: str) -> list[str]:
    """Return the messages of a queue."""
    client = storage.queue(queue)
    try:
        return [message.content for message in client.peek_messages(max_messages=32)]
    except ResourceNotFoundError:
        return []


def resent(body: str) -> Event | Unreadable:
    """Return the replayed event of a message for all rules."""
    work = of_message(body).work
    assert isinstance(work, Resent)
    return work.subject


def test_a_rules_letter_goes_to_that_rule_as_if_it_were_new(
    storage: Storage, store: DeadLetterContainer, letters: BlobDeadLetters, sender: Resender, prefix: str
) -> None:
    """The event is parked only for its rule, with its whole `max_age`."""
    letters.write(letter(attempts=9, first_seen=NOW - timedelta(days=2)))
    (name,) = store.names()
    report = resend(store, sender, store.read_all([name]), now=lambda: NOW)
    assert list(report.lines()) == [
        f"1 event sent to the queue {prefix}-parked",
        "1 dead letter marked as sent again",
    ]
    (body,) = bodies(storage, f"{prefix}-parked")
    again = parked_event(event(), first_seen=NOW, reason="sent again after it was given up (BadRequest)")
    assert of_message(body) == again
    assert store.names() == []
    assert store.names(replayed=True) == [name]


def test_a_large_event_goes_by_claim(
    storage: Storage, store: DeadLetterContainer, letters: BlobDeadLetters, sender: Resender, prefix: str
) -> None:
    """A large event is replayed with a claim check."""
    large = event(data={"text": "x" * 100_000})
    letters.write(letter(subject=large))
    assert not resend(store, sender, store.read_all(store.names())).failed
    (body,) = bodies(storage, f"{prefix}-parked")
    parking = QueueParking(storage)
    parked = parking.unpark(body)
    assert event_of(parked) == large
    parking.forget(parked)


def test_what_no_rule_had_is_an_event_for_all_of_them(
    storage: Storage, store: DeadLetterContainer, letters: BlobDeadLetters, sender: Resender, prefix: str
) -> None:
    """An unreadable body of the event queue, and an event from there, are replayed to that queue."""
    letters.write(letter(subject=Unreadable("no JSON", "{ what", via="queue"), rule="", code="Unreadable"))
    letters.write(letter(subject=event(via="queue"), rule="", code="MaxDeliveryAttemptsExceeded"))
    report = resend(store, sender, store.read_all(store.names()))
    assert report.sent == {f"{prefix}-events": 2}
    assert {body if body.startswith("{ ") else "event" for body in bodies(storage, f"{prefix}-events")} == {
        "{ what",
        "event",
    }


def test_what_did_not_come_by_the_queue_is_not_sent_through_it(
    storage: Storage, store: DeadLetterContainer, letters: BlobDeadLetters, sender: Resender, prefix: str
) -> None:
    """The event is parked for all rules with its `via`: from the event queue it would have `queue`."""
    body = '{"specversion": "1.0", "id": "1", "source": "/s", "type": "Microsoft.Storage.BlobCreated"}'
    letters.write(letter(subject=Unreadable("no", body, via="hook/kudu"), rule="", code="Unreadable"))
    letters.write(letter(subject=event(via="webhook"), rule="", code="TemplateError"))
    report = resend(store, sender, store.read_all(store.names()))
    assert report.sent == {f"{prefix}-parked": 2}
    sent = [resent(text) for text in bodies(storage, f"{prefix}-parked")]
    assert {each.via for each in sent} == {"hook/kudu", "webhook"}
    assert all(
        isinstance(each, Unreadable) or each.type != "Microsoft.Storage.BlobCreated"
        for one in sent
        for each in members_again(one)
    )


def test_an_event_that_is_given_up_again_meanwhile_is_seen(
    storage: Storage, store: DeadLetterContainer, letters: BlobDeadLetters, sender: Resender
) -> None:
    """If the app writes a new dead letter before the last mark, it has a name of its own."""
    letters.write(letter())
    (kept,) = store.read_all(store.names())
    store.begin(kept)
    sender.send(kept.letters[0], NOW)
    letters.write(letter(reason="again"))
    store.finish(kept, kept.letters, whole=True)
    (again,) = store.read_all(store.names())
    assert (again.name, again.letters[0].reason) == (kept.name.replace(".json", ".2.json"), "again")


def test_two_replays_at_once_lose_nothing(
    store: DeadLetterContainer, letters: BlobDeadLetters, sender: Resender
) -> None:
    """Two commands that read the same dead letter both replay it, and it is marked."""
    letters.write(letter())
    (kept,) = store.read_all(store.names())
    assert resend(store, sender, [kept]).finished == 1
    assert resend(store, sender, [kept]).finished == 1
    assert store.names() == []
    again = store.read(kept.name)
    assert again is not None
    assert (again.letters, again.done, len(again.replays)) == (kept.letters, True, 2)


def test_what_cannot_be_sent_stays_and_is_named(
    store: DeadLetterContainer, letters: BlobDeadLetters, sender: Resender
) -> None:
    """A blob that is not a dead letter, and an event too large for its queue, are named and not changed."""
    letters.write(letter(rule="", subject=event(via="queue", data="x" * 100_000)))
    store._container.upload_blob("hello.txt", b"hello")
    names = store.names()
    report = resend(store, sender, store.read_all(names))
    assert [name for name, _ in report.failed] == names
    assert store.names() == names
    reasons = dict(report.failed)
    assert "publish it to the topic again" in "".join(reasons.values())
    assert reasons["hello.txt"].startswith("the body is not JSON")


def test_the_command(own_container: Storage, capsys: pytest.CaptureFixture[str]) -> None:
    """Dead letters are counted, listed, shown and replayed; a second replay sends nothing."""
    letters = BlobDeadLetters(own_container)
    for number in range(3):
        letters.write(letter(number, code="AirflowUnavailable" if number else "BadRequest"))
    letters.write(letter(9, rule="other", at=NOW - timedelta(days=3)))

    assert main(["replay", "list"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("4 dead letters in updraft-dead-letters\n")
    assert "  by rule: other 1, smoke 3\n" in output
    assert "  by reason: AirflowUnavailable 2, BadRequest 2\n" in output
    name = letter(1).name
    assert name in output
    assert main(["replay", "list", "--rule", "smoke", "--reason", "airflowunavailable", "--since", "1h"]) == 0
    assert capsys.readouterr().out.startswith("2 dead letters")
    assert main(["replay", "list", "--since", "2d"]) == 0
    assert capsys.readouterr().out.startswith("3 dead letters")

    assert main(["replay", "show", name]) == 0
    output = capsys.readouterr().out
    assert "reason    AirflowUnavailable: no" in output
    assert '"id": "e-1"' in output
    assert main(["replay", "show", "nothing"]) == 1
    assert "there is no nothing" in capsys.readouterr().err

    assert main(["replay", "send", "--reason", "AirflowUnavailable", "--dry-run"]) == 0
    assert capsys.readouterr().out.endswith("2 dead letters would be sent again\n")
    assert bodies(own_container, PARKED_QUEUE) == []
    assert main(["replay", "send", "--reason", "AirflowUnavailable"]) == 0
    assert "2 dead letters marked as sent again" in capsys.readouterr().out
    assert main(["replay", "send", "--reason", "AirflowUnavailable"]) == 0
    assert "\n2 were sent before; `--again` sends them once more\n" in capsys.readouterr().out
    assert len(bodies(own_container, PARKED_QUEUE)) == 2
    assert main(["replay", "send", name]) == 1
    assert f"{name}: not sent: sent again: 20" in capsys.readouterr().err
    assert main(["replay", "send", "nothing"]) == 1
    assert "there is no nothing" in capsys.readouterr().err
    assert main(["replay", "list"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("2 dead letters")
    assert output.endswith("2 dead letters sent again before: --replayed lists them\n")
    assert main(["replay", "list", "--replayed", "--rule", "smoke"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("2 dead letters")
    assert name in output
    assert output.count("    sent again: 20") == 2
    assert main(["replay", "show", name]) == 0
    assert "sent again: 20" in capsys.readouterr().out
    assert main(["replay", "send", "--all"]) == 0
    assert len(bodies(own_container, PARKED_QUEUE)) == 4
    assert main(["replay", "send", name, "--again"]) == 0
    assert len(bodies(own_container, PARKED_QUEUE)) == 5
    assert main(["replay", "send", "--all", "--again"]) == 0
    assert len(bodies(own_container, PARKED_QUEUE)) == 9


def test_event_grids_own_container(
    own_container: Storage, azurite: Azurite, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The address selects a container of Event Grid; its events go to all rules, with `via` `replay`."""
    theirs = own_container.container(prefix)
    theirs.create_container()
    other = IN_EVENT_GRIDS_SCHEMA | {"id": "another"}
    theirs.upload_blob("sub/2020/8/13/17/1.json", json.dumps([IN_EVENT_GRIDS_SCHEMA, other]))
    address = f"{azurite.blob_url}/{prefix}"
    assert main(["replay", "list", "--container", address]) == 0
    assert "by rule: (any rule) 2" in capsys.readouterr().out
    assert main(["replay", "show", "sub/2020/8/13/17/1.json", "--container", prefix]) == 0
    assert main(["replay", "send", "--all", "--container", address]) == 0
    assert "2 events sent to the queue updraft-parked" in capsys.readouterr().out
    sent = [resent(body) for body in bodies(own_container, PARKED_QUEUE)]
    assert {each.via for each in sent} == {"replay"}
    assert {each.id for each in sent} == {"another", str(IN_EVENT_GRIDS_SCHEMA["id"])}


def test_the_apps_own_container_is_known_by_its_address(
    own_container: Storage, azurite: Azurite, capsys: pytest.CaptureFixture[str]
) -> None:
    """With each name of the container, an app's dead letter goes to its rule or its caller."""
    BlobDeadLetters(own_container).write(letter(subject=CALLED, rule="call"))
    address = f"{azurite.blob_url}/{DEAD_LETTERS_CONTAINER}/"
    assert main(["replay", "send", "--all", "--container", address]) == 0
    assert "1 event sent to the queue updraft-parked" in capsys.readouterr().out
    (body,) = bodies(own_container, PARKED_QUEUE)
    assert of_message(body).work == CALLED


def test_what_is_not_an_event_is_shown_to_a_person(
    own_container: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    """`show` names the kind of a direct run and of a window's close, before the dead letter."""
    closing = WindowClose("burst", "0123456789abcdef" * 2, "north")
    letters = BlobDeadLetters(own_container)
    for subject, rule, says in (
        (CALLED, "call", "the run of DAG smoke_tests that the caller pipeline asked for, key k-1"),
        (closing, "burst", f"the close of window {closing.id} for north"),
        (event(), "smoke", "event e-1 of type Microsoft.Web.SlotSwapCompleted"),
        (Unreadable("no JSON", "{"), "", "a body that is not an event"),
    ):
        one = letter(subject=subject, rule=rule)
        letters.write(one)
        assert main(["replay", "show", one.name]) == 0
        output = capsys.readouterr().out
        assert f"subject   {says}\n" in output
    assert main(["replay", "list"]) == 0
    output = capsys.readouterr().out
    assert "by rule: (any rule) 1, burst 1, call 1, smoke 1" in output
    assert f"  {closing.id}  burst/undated/" in output


def test_another_container_is_listed_without_the_apps_own_account(
    own_container: Storage,
    azurite: Azurite,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reading a container by its address needs no settings, and the rules in it are not trusted."""
    BlobDeadLetters(own_container).write(letter())
    for name in azurite.environment():
        monkeypatch.delenv(name)
    assert main(["replay", "list", "--container", f"{azurite.blob_url}/{DEAD_LETTERS_CONTAINER}"]) == 0
    assert "by rule: (any rule) 1" in capsys.readouterr().out


def poison(storage: Storage, queue: str, text: str) -> None:
    """Put a message into the poison queue of a queue, as the host does."""
    client = storage.queue(poison_queue(queue))
    create_if_missing(client.create_queue, lambda: client.send_message(text))


def test_poison_messages(own_container: Storage, capsys: pytest.CaptureFixture[str]) -> None:
    """Both poison queues are listed, one message is shown, and all are replayed to their queues."""
    first = event(id="e-1").to_cloud_event()
    poison(
        own_container, EVENT_QUEUE, base64.b64encode(json.dumps([first, {"no": "event"}]).encode()).decode()
    )
    large = parked_event(
        event(id="e-2", data="ü" * 50_000), "smoke", 7, NOW - timedelta(days=3), "Airflow was down"
    )
    assert large.first_seen is not None
    claims = own_container.container(CLAIMS_CONTAINER)
    others = {blob.name for blob in claims.list_blobs()} if claims.exists() else set()
    QueueParking(own_container).park(large, 0)
    (claim,) = bodies(own_container, PARKED_QUEUE)
    own_container.queue(PARKED_QUEUE).clear_messages()
    poison(own_container, PARKED_QUEUE, claim)
    poison(own_container, PARKED_QUEUE, "what is this")

    assert main(["replay", "list", "--poison"]) == 0
    told, warned = capsys.readouterr()
    assert told.startswith("3 poison messages in the poison queues\n")
    assert "by rule: (any rule) 2, smoke 1" in told
    assert "parked because: Airflow was down" in told
    assert "cannot be read: a parked message is not JSON" in warned
    (name,) = re.findall(r"e-1  (updraft-events-poison/\S+)", told)
    assert main(["replay", "show", name, "--poison"]) == 0
    assert '"id": "e-1"' in capsys.readouterr().out

    assert main(["replay", "send", "--poison", "--all", "--dry-run"]) == 0
    assert capsys.readouterr().out.endswith("3 poison messages would be sent again\n")
    assert main(["replay", "send", "--poison", "--rule", "smoke"]) == 0
    output = capsys.readouterr().out
    assert (
        "1 event sent to the queue updraft-parked\n1 poison message deleted from its poison queue\n" in output
    )
    (message,) = bodies(own_container, PARKED_QUEUE)
    again = QueueParking(own_container).unpark(message)
    assert (again.work, again.attempt) == (large.work, 1)
    assert again.first_seen is not None
    assert again.first_seen > large.first_seen
    kept = {blob.name for blob in claims.list_blobs()}
    assert kept - others == {again.claim}
    QueueParking(own_container).forget(again)

    assert main(["replay", "send", "--poison", "--all"]) == 1
    told, wrong = capsys.readouterr()
    assert "2 events sent to the queue updraft-events" in told
    assert "not sent: a parked message is not JSON" in wrong
    assert {read_queue_body(body)[0].id for body in bodies(own_container, EVENT_QUEUE)} == {"e-1", None}
    assert bodies(own_container, poison_queue(EVENT_QUEUE)) == []
    assert bodies(own_container, poison_queue(PARKED_QUEUE)) == ["what is this"]


def test_poison_messages_that_are_hidden_are_counted(
    own_container: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hidden messages cannot be read, and the command reports their number."""
    StoragePoisonQueues(own_container).put_back(EVENT_QUEUE, b"{}")
    assert main(["replay", "list", "--poison"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("0 poison messages")
    assert "warning: updraft-events-poison holds about 1 more that cannot be read now" in told.err


def test_what_is_put_back_never_expires(own_container: Storage) -> None:
    """A poison message that was put back is visible after a time, with any content, and never expires."""
    poisons = StoragePoisonQueues(own_container)
    given = ["{}", "hello", "a\x00b", "line\r\nline", '{"n": "grüße <&> 😀"}']
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.stores.poison.AGAIN_AFTER", 0)
        for text in given:
            poisons.put_back(EVENT_QUEUE, text.encode())
    client = own_container.queue(poison_queue(EVENT_QUEUE))
    messages = client.peek_messages(max_messages=32)
    assert {message.expires_on.year for message in messages if message.expires_on} == {9999}
    encoded = {base64.b64encode(text.encode()).decode() for text in ("a\x00b", "line\r\nline")}
    assert {message.content for message in messages} == {"{}", "hello", '{"n": "grüße <&> 😀"}', *encoded}


@pytest.mark.parametrize("text", ["\x00", "a\rb", "ü" * 20_000, "&" * 13_000])
def test_any_text_of_a_letter_can_be_sent(
    storage: Storage, store: DeadLetterContainer, letters: BlobDeadLetters, sender: Resender, text: str
) -> None:
    """Text that XML does not allow is sent as base64, and text that is long in ASCII as UTF-8."""
    letters.write(letter(rule="", subject=event(via="queue", data={"text": text})))
    letters.write(letter(rule="", subject=Unreadable("no JSON", text, via="queue")))
    report = resend(store, sender, store.read_all(store.names()))
    assert (report.failed, report.finished) == ([], 2)
    read = [read_queue_body(body)[0] for body in bodies(storage, sender._events)]
    (sent,) = (each for each in read if isinstance(each, Event))
    assert sent.data == {"text": text}


def test_a_wrong_call_is_named(own_container: Storage, capsys: pytest.CaptureFixture[str]) -> None:
    """A selection is required, a wrong time is refused, and an unreadable blob is shown."""
    assert main(["replay", "send"]) == 2
    assert "say what to send" in capsys.readouterr().err
    assert main(["replay", "list", "--since", "yesterday"]) == 2
    assert "neither a time" in capsys.readouterr().err
    BlobDeadLetters(own_container).write(replace(letter(), rule="smoke"))
    own_container.container(DEAD_LETTERS_CONTAINER).upload_blob("hello.txt", b"hello")
    assert main(["replay", "list", "--since", "2020-01-01"]) == 0
    assert "hello.txt: cannot be read" in capsys.readouterr().err
    assert main(["replay", "show", "hello.txt"]) == 1
    assert main(["replay", "send", "--all"]) == 1
    assert "hello.txt: not sent" in capsys.readouterr().err


@pytest.mark.parametrize("sample", ["array_with_a_bad_member", "lines_with_a_bad_member"])
def test_a_bad_letter_stays_alone_in_its_blob(
    storage: Storage, prefix: str, sender: Resender, sample: str
) -> None:
    """The other events are sent, the blob does not change, and a second replay sends nothing."""
    content = (SAMPLES / "deadletter" / f"{sample}.invalid.json").read_bytes()
    container = storage.container(prefix)
    container.create_container()
    container.upload_blob("topic/1.json", content)
    store = DeadLetterContainer(container, ours=False)
    report = resend(store, sender, store.read_all(store.names()))
    assert report.sent == {f"{prefix}-parked": 2}
    ((name, problem),) = report.failed
    assert (name, report.finished) == ("topic/1.json", 0)
    assert problem.startswith("member 2 of 3: eventType is a number")
    sent = [resent(body) for body in bodies(storage, f"{prefix}-parked")]
    assert {event.id for event in sent} == {
        "5a000820-0000-4000-8000-000000000820",
        "5a000822-0000-4000-8000-000000000822",
    }
    before = blobs(store)
    assert container.download_blob("topic/1.json").readall() == content
    again = resend(store, sender, store.read_all(store.names()))
    assert again.sent == {}
    assert len(again.failed) == 1
    assert blobs(store) == before
    (kept,) = store.read_all(store.names())
    assert (len(kept.sent), kept.letters, kept.done) == (2, [], False)


def test_a_letter_that_is_too_large_keeps_no_neighbour_back(
    storage: Storage, prefix: str, sender: Resender
) -> None:
    """An event too large for a queue message stays, with the reason, and the rest of the blob is sent."""
    large = event(id="large", via="queue", data={"text": "x" * 100_000})
    container = storage.container(prefix)
    container.create_container()
    both = [letter(subject=each, rule="").to_document() for each in (large, event(via="queue"))]
    container.upload_blob("topic/1.json", json.dumps(both))
    store = DeadLetterContainer(container, ours=True)
    report = resend(store, sender, store.read_all(store.names()))
    assert report.sent == {f"{prefix}-events": 1}
    assert "updraft publish" in report.failed[0][1]
    (kept,) = store.read_all(store.names())
    (left,) = kept.letters
    assert isinstance(left.subject, Event)
    assert left.subject.data == large.data
