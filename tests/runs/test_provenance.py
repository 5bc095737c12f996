"""`_updraft` in a run's conf, member by member (docs/rules.md)."""

from dataclasses import replace

from shared.event import Event
from shared.event.caller_stamp import stamped
from shared.runs.claim_check import claim_check
from shared.runs.provenance import provenance, provenance_of_direct_run
from shared.values.json_text import JsonObject
from shared.values.storable import MAX_CONF_BYTES, size_of
from tests.support.direct_runs import CALLED

BARE = Event(id="e-1", source="/s", type="t")
EVENT: JsonObject = {"id": "e-1", "source": "/s", "type": "t"}


def test_what_an_event_does_not_have_is_left_out() -> None:
    """A member is there where the event has it: subject, times, channel and caller."""
    assert provenance("r", BARE, None) == {"rule": "r", "event": EVENT, "key": None}
    dated = replace(BARE, time="2026-03-01T10:00:00Z", subject="/x", via="webhook")
    assert provenance("r", dated, "k") == {
        "rule": "r",
        "event": {**EVENT, "time": "2026-03-01T10:00:00Z", "subject": "/x"},
        "key": "k",
        "via": "webhook",
    }
    ahead = replace(dated, time="2999-01-01T00:00:00Z", arrived="2026-03-01T10:00:00Z")
    assert provenance("r", ahead, None)["event"] == {
        **EVENT,
        "time": "2026-03-01T10:00:00Z",
        "stated_time": "2999-01-01T00:00:00Z",
        "subject": "/x",
    }
    called = provenance("r", stamped(BARE, {"entry": "shop"}), None)
    assert called == {"rule": "r", "event": EVENT, "key": None, "caller": {"entry": "shop"}}


def test_a_direct_run_has_the_form_of_an_event() -> None:
    """Its type shows that there is no event, and its caller is named."""
    assert provenance_of_direct_run(CALLED) == {
        "rule": "call",
        "event": {
            "id": "k-1",
            "source": CALLED.source,
            "type": "Updraft.RunRequested",
            "time": "2026-11-01T12:00:00Z",
            "subject": "/dags/smoke_tests",
        },
        "key": None,
        "via": "call",
        "caller": dict(CALLED.caller),
    }


def test_a_conf_is_sent_whole_up_to_the_last_byte() -> None:
    """One byte more, and its largest members stay behind, with their names and the address of the whole."""
    room = MAX_CONF_BYTES - size_of({"a": 1, "b": "", "c": "x" * 99, "_updraft": {}})
    fits: JsonObject = {"a": 1, "b": "x" * room, "c": "x" * 99, "_updraft": {}}
    assert claim_check(fits, "https://u") == (fits, None)
    large: JsonObject = {**fits, "a": 10}
    sent, whole = claim_check(large, "https://u")
    assert whole == large
    assert sent == {
        "a": 10,
        "c": "x" * 99,
        "_updraft": {"by_reference": {"url": "https://u", "members": ["b"]}},
    }
