"""Work items: each kind is read from its message unchanged, and errors do not quote values."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import EventError
from shared.event import Event, Unreadable
from shared.event.via import VIAS
from shared.runs.direct_run import DirectRun
from shared.stores.parked import Parked
from shared.stores.work_items import (
    Resent,
    RuleEvent,
    UnverifiedHook,
    WindowClose,
    Work,
    source_of,
    subject_of,
    type_of,
)
from tests.support.clocks import SEEN
from tests.support.delivery import event
from tests.support.direct_runs import CALLED
from tests.support.parked import of_message

HOOK = UnverifiedHook("github", b'{"a": 1}', "sha256=" + "0" * 64, {"x-github-event": "push"})
CLOSING = WindowClose("burst", "0123456789abcdef" * 2, "north")
WORK: dict[str, Work] = {
    "event": RuleEvent(event(via="queue"), "smoke"),
    "direct-run": CALLED,
    "window-close": CLOSING,
    "resent": Resent(event(via="webhook")),
    "unreadable": Resent(Unreadable("no JSON", "{", via="hook/kudu")),
    "unverified-hook": HOOK,
}
TEXT = st.text(st.characters(codec=None), max_size=20)
NAME = st.from_regex(r"[!-~]{1,9}", fullmatch=True)
CONF = st.dictionaries(TEXT, TEXT | st.integers() | st.none() | st.booleans(), max_size=3)


def through_a_message(work: Work) -> Work:
    """Return a work item that was written to a message in ASCII and read again."""
    message = Parked(work, 1, SEEN).to_message()
    assert message.isascii()
    return of_message(message).work


@pytest.mark.parametrize("kind", WORK)
def test_each_kind_is_named_in_its_message(kind: str) -> None:
    """A message has the kind of its work item, and is read as that kind."""
    assert json.loads(Parked(WORK[kind], 1, SEEN).to_message())["kind"] == kind
    assert through_a_message(WORK[kind]) == WORK[kind]


@given(
    st.builds(
        DirectRun,
        caller=CONF,
        dag_id=TEXT,
        connection=TEXT,
        id=TEXT,
        time=TEXT,
        conf=CONF,
        note=st.none() | TEXT,
        logical_date=st.none() | TEXT,
        run_after=st.none() | TEXT,
    )
    | st.builds(WindowClose, rule=TEXT, id=st.from_regex(r"[0-9a-f]{32}", fullmatch=True), key=TEXT)
    | st.builds(
        UnverifiedHook,
        hook=st.just("github"),
        body=st.binary(max_size=3_000),
        signature=st.from_regex(r"sha256=[0-9a-f]{64}", fullmatch=True),
        headers=st.dictionaries(st.just("x-github-event"), TEXT),
    )
    | st.builds(
        Resent,
        st.builds(
            Unreadable,
            error=TEXT,
            raw=TEXT,
            id=st.none() | TEXT,
            type=st.none() | TEXT,
            source=st.none() | TEXT,
            via=st.sampled_from(VIAS),
        )
        | st.builds(Event, id=NAME, source=NAME, type=NAME, data=CONF, via=st.sampled_from(VIAS)),
    )
)
def test_any_content_survives(work: Work) -> None:
    """Bytes and texts are unchanged, also half of a surrogate pair."""
    assert through_a_message(work) == work


@pytest.mark.parametrize("kind", ["", "Event", "unverified_hook", "call", None, 1, [], {}])
def test_an_unknown_kind_is_not_an_event(kind: object) -> None:
    """An unknown kind is refused, and a message needs a kind."""
    message = json.loads(Parked(WORK["event"], 1, SEEN).to_message())
    with pytest.raises(EventError, match="kind"):
        of_message(json.dumps(message | {"kind": kind}))
    del message["kind"]
    with pytest.raises(EventError, match="kind"):
        of_message(json.dumps(message))


BROKEN: list[tuple[str, str, list[Any]]] = [
    ("event", "rule", [None, 7, ["secret"]]),
    ("event", "event", [None, [], "secret", {"id": "secret"}]),
    ("event", "via", [None, ["secret"], "secret", "hook/*"]),
    ("event", "schema", [None, 1]),
    ("event", "arrived", ["secret", None, "2026-11-01T12:00:00"]),
    ("direct-run", "run", [None, [], "secret"]),
    ("direct-run", "run.caller", [None, [], "secret"]),
    ("direct-run", "run.dag_id", [None, 7, ["secret"]]),
    ("direct-run", "run.connection", [None, {}]),
    ("direct-run", "run.id", [None, 7]),
    ("direct-run", "run.time", [None, 7]),
    ("direct-run", "run.conf", [None, [], "secret"]),
    ("direct-run", "run.note", [7, ["secret"]]),
    ("direct-run", "run.logical_date", [7]),
    ("direct-run", "run.run_after", [7]),
    ("window-close", "rule", [None, 7]),
    ("window-close", "window", [None, "secret"]),
    ("window-close", "window.id", [None, "", "../heads/secret", "0" * 33, "A" * 32, "0" * 32 + "\n"]),
    ("window-close", "window.key", [None, 7]),
    ("resent", "event", [None, {"id": "secret"}]),
    ("unreadable", "unreadable", [None, "secret"]),
    ("unreadable", "unreadable.text", [None, 7]),
    ("unreadable", "unreadable.base64", ["secret text!", 7]),
    ("unreadable", "unreadable.error", [None]),
    ("unreadable", "unreadable.id", [7]),
    ("unreadable", "unreadable.via", [None, "secret"]),
    ("unverified-hook", "hook", ["kudu", "azure-devops", None, ["github"]]),
    ("unverified-hook", "signature", ["", "sha256=" + "0" * 63, None]),
    ("unverified-hook", "body", ["secret text!", None, "\u00fc"]),
    ("unverified-hook", "headers", [[], None, {"x-github-event": ["secret"]}]),
]


@pytest.mark.parametrize(("kind", "path", "values"), BROKEN)
def test_what_is_broken_is_named_and_not_quoted(kind: str, path: str, values: list[Any]) -> None:
    """The error of a wrong member names the member, and does not quote a value."""
    for value in values:
        message: dict[str, Any] = json.loads(Parked(WORK[kind], 1, SEEN).to_message())
        *outer, last = path.split(".")
        inner = message
        for name in outer:
            inner = inner[name]
        inner[last] = value
        with pytest.raises(EventError, match="a parked message cannot be used") as caught:
            of_message(json.dumps(message))
        assert "secret" not in str(caught.value)


def test_only_what_a_body_is_read_with_is_kept_of_a_hooks_headers() -> None:
    """Only one header is stored, with at most 100 characters, because headers are not signed."""
    hook = replace(HOOK, headers={"x-github-event": "p" * 101, "authorization": "made-up-secret"})
    assert through_a_message(hook) == replace(HOOK, headers={"x-github-event": "p" * 100})


def test_a_hook_shows_neither_body_nor_signature() -> None:
    """The representation of a work item does not have the body, so logs do not have it."""
    hook = replace(HOOK, body=b"password=hunter2")
    assert "hunter2" not in repr(hook)
    assert hook.signature not in repr(hook)
    assert "hunter2" not in Parked(hook, 0, SEEN).to_claim()


def test_a_letters_subject_is_what_it_is_about() -> None:
    """The subject of a rule's event is the event; a direct run and a close are their own subject."""
    assert subject_of(RuleEvent(event(), "smoke")) == subject_of(Resent(event())) == event()
    assert subject_of(Resent(Unreadable("no", "{"))) == Unreadable("no", "{")
    assert (subject_of(CALLED), subject_of(CLOSING)) == (CALLED, CLOSING)


def test_the_log_has_type_and_source_of_what_has_them() -> None:
    """A close has neither, a direct run its source; what cannot be read may have any."""
    assert (type_of(event(type="T")), source_of(event(source="/s"))) == ("T", "/s")
    assert (type_of(CALLED), source_of(CALLED)) == ("", CALLED.source)
    assert (type_of(CLOSING), source_of(CLOSING)) == ("", "")
    unreadable = Unreadable("no", "{")
    assert (type_of(unreadable), source_of(unreadable)) == ("", "")


def test_a_hooks_digest_is_the_hash_of_its_body() -> None:
    """It is the SHA-256, as `sha256sum` prints it."""
    assert replace(HOOK, body=b"abc").digest == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
