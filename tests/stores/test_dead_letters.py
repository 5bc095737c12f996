import base64
from dataclasses import replace
from typing import Any

from shared.event import Unreadable
from shared.stores.dead_letters import RAW_LIMIT
from shared.stores.work_items import WindowClose
from tests.support.dead_letters import letter
from tests.support.delivery import event, run_request
from tests.support.direct_runs import CALLED


def test_the_form_is_event_grids() -> None:
    """A dead letter is the CloudEvent, Event Grid's five attributes, and the member `updraft`."""
    expected: dict[str, object] = {
        **event().to_cloud_event(),
        "deadletterreason": "BadRequest",
        "deliveryattempts": 3,
        "lastdeliveryoutcome": "Airflow refuses the run (HTTP 400): no",
        "publishtime": "2026-11-01T12:00:00.000Z",
        "lastdeliveryattempttime": "2026-11-01T12:01:30.000Z",
        "updraft": {
            "format": 1,
            "rule": "smoke",
            "connection": "analytics",
            "dag": "smoke_tests",
            "dag_run_id": run_request().dag_run_id,
            "code": "BadRequest",
            "status": 400,
            "reason": "Airflow refuses the run (HTTP 400): no",
            "attempts": 3,
            "first_seen": "2026-11-01T12:00:00.000Z",
            "kind": "event",
            "schema": "cloudevents",
            "via": "unknown",
        },
    }
    assert letter().to_document() == expected


def test_an_unreadable_body_is_kept_whole() -> None:
    """The dead letter of an unreadable body has the error, and its name depends on its content."""
    broken = Unreadable(error="not JSON", raw='{"id": 1,')
    known = letter(subject=broken, rule="", request=None, status=None, code="Unreadable", reason="not JSON")
    document: Any = known.to_document()
    assert document["unreadable"] == {"error": "not JSON", "via": "unknown", "text": '{"id": 1,'}
    assert document["updraft"]["kind"] == "unreadable"
    assert "type" not in document
    assert document["lastdeliveryoutcome"] == "not JSON"
    assert known.name.startswith("unreadable/")
    assert replace(known, subject=replace(broken, error="other words")).name == known.name
    assert replace(known, subject=replace(broken, id="from a header")).name != known.name


def test_what_could_be_read_of_a_body_is_named() -> None:
    """If a body has an id, a type or a source, the dead letter has them."""
    body = unreadable(Unreadable("no time", "{}", id="e", type="t", source="/s"))
    assert (body["id"], body["type"], body["source"]) == ("e", "t", "/s")


def test_a_body_that_is_no_text_goes_in_base64() -> None:
    """Text that UTF-8 cannot encode is stored as base64; a very long text is cut."""
    body = unreadable(Unreadable("bad", "a\ud800"))
    assert base64.b64decode(str(body["base64"])) == "a\ud800".encode(errors="surrogatepass")
    assert "text" not in body
    assert len(str(unreadable(Unreadable("bad", "x" * (RAW_LIMIT + 1)))["text"])) == RAW_LIMIT


def test_a_direct_run_is_no_event() -> None:
    """The dead letter of a direct run has its caller, DAG and conf."""
    document: Any = letter(subject=CALLED, rule="call").to_document()
    assert document["updraft"]["kind"] == "direct-run"
    assert document["run"]["caller"] == CALLED.caller
    assert (document["run"]["dag_id"], document["run"]["conf"]) == ("smoke_tests", {"site": "shop"})
    assert not {"specversion", "type", "source", "data"} & document.keys()
    assert letter(subject=CALLED, rule="call").name.startswith("call/2026/11/01/")


def test_a_windows_close_is_no_event() -> None:
    """The dead letter of a window has the rule, the window and the key; its name has no date."""
    closing = WindowClose("burst", "0123456789abcdef" * 2, "north")
    document: Any = letter(subject=closing, rule="burst").to_document()
    assert document["updraft"]["kind"] == "window-close"
    assert (document["rule"], document["window"]) == ("burst", {"id": closing.id, "key": "north"})
    assert not {"specversion", "type", "source", "data"} & document.keys()
    assert letter(subject=closing, rule="burst").name.startswith("burst/undated/")


def unreadable(subject: Unreadable) -> dict[str, object]:
    """Return the members of a body's dead letter."""
    document: Any = letter(subject=subject).to_document()
    body: dict[str, object] = document["unreadable"]
    return body
