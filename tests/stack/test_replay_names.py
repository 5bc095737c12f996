"""`updraft replay` on a real Azurite: selection by event id and folder, wrong selections, JSON."""

import json
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError

from cli.main import main
from local.processes import programs
from local.servers.azurite import Azurite
from shared.azure.storage_account import DEAD_LETTERS_CONTAINER, Storage
from shared.event import Unreadable
from shared.stores.dead_letters import BlobDeadLetters, DeadLetter
from shared.stores.names import PARKED_QUEUE
from tests.support.delivery import event
from tests.support.paths import ROOT

NOW = datetime.now(UTC)


def letter(event_id: str, rule: str = "smoke", code: str = "Refused") -> DeadLetter:
    """Return a dead letter."""
    return DeadLetter(event(id=event_id), code, "no", NOW, NOW, rule)


@pytest.fixture
def letters(own_container: Storage) -> BlobDeadLetters:
    """The app's container, with one event of two rules, and another event."""
    written = BlobDeadLetters(own_container)
    for each in (letter("e-1"), letter("e-1", "load", "TemplateError"), letter("e-2")):
        written.write(each)
    return written


def printed(capsys: pytest.CaptureFixture[str], status: int, *arguments: str) -> str:
    """Return what a call of `replay` prints, of which the status is as expected."""
    found = main(["replay", *arguments])
    captured = capsys.readouterr()
    assert found == status, captured
    return captured.out + captured.err


def sent(storage: Storage) -> int:
    """Return the number of messages in the queue of parked deliveries."""
    queue = storage.queue(PARKED_QUEUE)
    with suppress(ResourceNotFoundError):  # no test of this session has sent a message yet
        return len(queue.peek_messages(max_messages=32))
    return 0


@pytest.mark.usefixtures("letters")
def test_letters_are_found_by_event_id_name_and_folder(
    own_container: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    """An event id selects all dead letters of the event; a folder selects a rule's dead letters."""
    shown = printed(capsys, 0, "show", "e-1")
    assert shown.count('"id": "e-1"') == 2
    assert letter("e-1").name in shown
    assert letter("e-1", "load").name in shown
    assert printed(capsys, 0, "list", "e-1").startswith("2 dead letters")
    assert printed(capsys, 0, "list", "smoke").startswith("2 dead letters")
    assert printed(capsys, 0, "list", "smoke/", "e-1").startswith("3 dead letters")
    assert printed(capsys, 0, "list", "e-1", "--rule", "load").startswith("1 dead letter ")
    name = letter("e-2").name
    assert printed(capsys, 0, "list", name[:-20]).startswith("1 dead letter ")
    assert "1 event sent" in printed(capsys, 0, "send", "e-2")
    assert f"{name}: not sent: sent again: 20" in printed(capsys, 1, "send", "e-2")
    assert "sent again: 20" in printed(capsys, 0, "show", "e-2")
    assert "1 event sent" in printed(capsys, 0, "send", "smoke/"), "what was sent is left out of a folder"
    assert "2 events sent" in printed(capsys, 0, "send", "e-1", "e-2", "--again", "--rule", "smoke")
    assert sent(own_container) == 4


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize("action", ["list", "send"])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--rule", "smokes"), "is of rule smokes (did you mean `smoke`?); there are dead letters of: load"),
        (("--reason", "TemplateErr"), "the reason TemplateErr (did you mean `TemplateError`?); there are: R"),
        (("--rule", "smoke", "--reason", "TemplateError"), "of rule smoke in updraft-dead-letters has the"),
        (("--container", "updraft-dead-leters", "--since", "1d"), "(did you mean `updraft-dead-letters`?)"),
        (("e-3",), "there is no e-3 in updraft-dead-letters, neither as a name nor as the id of an event (d"),
        (("e-3",), "there are the events e-1, e-2"),
        (("smok",), "there is no smok in updraft-dead-letters"),
    ],
)  # fmt: skip
def test_a_selection_that_fits_nothing_is_an_error(
    own_container: Storage,
    capsys: pytest.CaptureFixture[str],
    action: str,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    """A wrong rule, reason, container or id ends with 1, and lists what there is; nothing is sent."""
    assert says in printed(capsys, 1, action, *arguments)
    assert sent(own_container) == 0


def test_what_was_sent_before_is_no_mistake(
    own_container: Storage, letters: BlobDeadLetters, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second call with the same selection finds nothing to do, and is well; so is an empty container."""
    assert printed(capsys, 0, "send", "--reason", "templateerror").startswith("1 event sent")
    assert printed(capsys, 0, "send", "--reason", "TemplateError") == (
        "0 dead letters marked as sent again\n1 was sent before; `--again` sends it once more\n"
    )
    assert printed(capsys, 0, "list", "--rule", "load").startswith("0 dead letters")
    assert "there are: Refused" in printed(capsys, 1, "list", "--reason", "Reserved", "--rule", "smoke")
    container = own_container.container(DEAD_LETTERS_CONTAINER)
    for blob in [*container.list_blobs()]:
        container.delete_blob(blob.name)
    assert printed(capsys, 0, "list", "--rule", "nothing", "--reason", "No").startswith("0 dead letters")
    assert "there is no dead letter" in printed(capsys, 1, "show", "e-1")
    assert letters


def test_the_beginning_of_an_id_names_one_event(
    own_container: Storage, letters: BlobDeadLetters, capsys: pytest.CaptureFixture[str]
) -> None:
    """A beginning of several ids, or of fewer than four characters, sends nothing, and the ids are listed."""
    for each in ("11bf-one", "22bf-1", "22bf-2"):
        letters.write(letter(each))
    assert '"id": "11bf-one"' in printed(capsys, 0, "show", "11bf")
    assert "there are the events 22bf-" in printed(capsys, 1, "send", "22bf")
    assert "there is no 11b in" in printed(capsys, 1, "send", "11b")
    assert sent(own_container) == 0
    assert "1 event sent" in printed(capsys, 0, "send", "22bf-1")


def test_another_container_has_to_exist(
    own_container: Storage, azurite: Azurite, capsys: pytest.CaptureFixture[str], prefix: str
) -> None:
    """A container is selected by name or address; a missing one is an error."""
    own_container.container(prefix).create_container()
    assert printed(capsys, 0, "list", "--container", prefix).startswith("0 dead letters")
    for wrong in (f"{prefix}x", f"{azurite.blob_url}/{prefix}x"):
        says = printed(capsys, 1, "list", "--container", wrong)
        assert f"there is no container {prefix}x (did you mean `{prefix}`?); there are " in says


@pytest.mark.usefixtures("letters")
def test_without_a_terminal_no_library_for_one_is_loaded() -> None:
    """A list costs no import of the library for trees and colours."""
    script = (
        "import sys\nfrom cli.main import main\n"
        "assert main(['replay', 'list', '--json']) == 0\n"
        "assert 'rich' not in sys.modules"
    )
    programs.run([sys.executable, "-c", script], cwd=ROOT, check=True)


@pytest.mark.usefixtures("letters")
def test_slow_work_is_named_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading and sending have one line each on standard error."""
    monkeypatch.setattr("cli.waiting.PATIENCE", 0.0)
    assert main(["replay", "list"]) == 0
    assert capsys.readouterr().err.splitlines() == ["reading the container updraft-dead-letters …"]
    assert main(["replay", "send", "--all"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["reading the container updraft-dead-letters …", "sending dead letters again …"]
    assert len({*lines}) == len(lines)


@pytest.mark.usefixtures("letters")
def test_documents(own_container: Storage, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints one document: the list without the events, one dead letter with them, what was sent."""

    def document(status: int, *arguments: str) -> dict[str, Any]:
        assert main(["replay", *arguments, "--json"]) == status
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert [*found][:3] == ["ok", "errors", "warnings"]
        assert found["ok"] == (status == 0) == (found["errors"] == [])
        return found

    listed = document(0, "list", "--rule", "smoke")["dead_letters"]
    assert {each["events"][0]["id"] for each in listed} == {"e-1", "e-2"}
    assert listed[0]["events"][0]["code"] == "Refused"
    assert "event" not in listed[0]["events"][0]
    (shown,) = document(0, "show", letter("e-2").name)["dead_letters"]
    assert shown["events"][0]["event"] == event(id="e-2").to_cloud_event()
    (error,) = document(1, "show", "e-9")["errors"]
    assert (error["code"], error["message"][:15]) == ("NotFound", "there is no e-9")
    would = document(0, "send", "--dry-run", "e-2")["would_be_sent"]
    assert would == [{"name": letter("e-2").name, "rule": "smoke", "reason": "Refused"}]
    sent_now = document(0, "send", "e-2")
    assert (sent_now["sent"], sent_now["finished"]) == ({PARKED_QUEUE: 1}, 1)
    assert document(0, "list")["sent_again_before"] == 1
    (error,) = document(1, "send", "e-2")["errors"]
    assert (error["code"], error["fix"]) == ("SentBefore", "`--again` sends it once more")
    unread = Unreadable("no JSON", "{ what", via="queue")
    BlobDeadLetters(own_container).write(DeadLetter(unread, "Unreadable", "no", NOW, NOW))
    (shown,) = document(0, "show", "unreadable")["dead_letters"]
    assert (shown["events"][0]["event"], shown["events"][0]["body"]) == (None, "{ what")
    own_container.container(DEAD_LETTERS_CONTAINER).upload_blob("hello.txt", b"hello")
    found = document(1, "show", "hello.txt")
    assert "not JSON" in found["dead_letters"][0]["unreadable"][0]
    assert found["errors"][0]["code"] == "Unreadable"
    assert document(0, "list")["warnings"][0]["code"] == "Unreadable"
    (error,) = document(1, "send", "hello.txt")["errors"]
    assert error["code"] == "NotSent"
