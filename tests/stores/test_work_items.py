"""Work items: each kind survives its message, and nothing of a hook's body is told on the way."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import EventError
from shared.stores.parking import Parked, read_item
from shared.stores.work_items import UnverifiedHook
from tests.support.clocks import SEEN
from tests.support.delivery import event

HOOK = UnverifiedHook("github", b'{"a": 1}', "sha256=" + "0" * 64, {"x-github-event": "push"}, SEEN)


@given(body=st.binary(max_size=3_000), waits=st.integers(0, 10_000))
def test_a_hook_survives_its_message(body: bytes, waits: int) -> None:
    """The body that comes back is the one that was signed, byte for byte, in a message of ASCII."""
    hook = replace(HOOK, body=body, waits=waits)
    message = hook.to_message()
    assert message.isascii()
    assert read_item(message) == hook


def test_an_event_has_no_kind_or_its_own() -> None:
    """A message without a kind is an event's."""
    parked = Parked(event(), "smoke", 1, SEEN)
    message = json.loads(parked.to_message())
    assert "kind" not in message
    assert read_item(json.dumps(message)) == read_item(json.dumps(message | {"kind": "event"})) == parked


@pytest.mark.parametrize("kind", ["", "Event", "unverified_hook", "call", None, 1, [], {}])
def test_an_unknown_kind_is_not_an_event(kind: object) -> None:
    """A kind of a newer version is never taken for an event."""
    message = json.loads(Parked(event(), "smoke", 1, SEEN).to_message()) | {"kind": kind}
    with pytest.raises(EventError):
        read_item(json.dumps(message))


@pytest.mark.parametrize(
    "change",
    [
        {"hook": "kudu"},
        {"hook": "azure-devops"},
        {"hook": None},
        {"hook": ["github"]},
        {"signature": ""},
        {"signature": "sha256=" + "0" * 63},
        {"signature": None},
        {"body": "secret text!"},
        {"body": None, "hook": 7},
        {"headers": []},
        {"waits": -1},
        {"waits": True},
        {"waits": "1"},
        {"first_seen": "yesterday"},
    ],
)
def test_a_broken_hook_tells_nothing_of_its_body(change: dict[str, object]) -> None:
    """Only a hook whose kind signs is one, and the error names the member."""
    message = json.loads(HOOK.to_message()) | change
    with pytest.raises(EventError) as caught:
        read_item(json.dumps(message))
    assert "secret text" not in str(caught.value)
    assert str(message["body"]) not in str(caught.value)


def test_a_hook_shows_neither_body_nor_signature() -> None:
    """Whatever logs a work item by mistake logs no body."""
    hook = replace(HOOK, body=b"password=hunter2")
    assert "hunter2" not in repr(hook)
    assert hook.signature not in repr(hook)


def test_a_blob_has_a_name_for_each_parking() -> None:
    """The same parking has the same name, and another one has another."""
    names = {each.claim_name() for each in (HOOK, replace(HOOK, waits=1), replace(HOOK, body=b"x"))}
    assert len(names) == 3
    assert replace(HOOK).claim_name() in names
    assert json.loads(HOOK.to_claim()) == {
        "updraft": 1,
        "kind": "unverified-hook",
        "claim": HOOK.claim_name(),
    }
