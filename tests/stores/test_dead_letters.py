import base64
from dataclasses import replace

from shared.event import Unreadable
from shared.stores.dead_letters import RAW_LIMIT
from tests.support.dead_letters import letter
from tests.support.delivery import event, run_request


def test_the_form_is_event_grids() -> None:
    """A letter is the CloudEvent, Event Grid's five attributes, and a member of ours."""
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
            "schema": "cloudevents",
            "via": "unknown",
        },
    }
    assert letter().to_document() == expected


def test_an_unreadable_body_is_kept_whole() -> None:
    """A body that is no event becomes the payload of one that says so, named by its content."""
    broken = Unreadable(error="not JSON", raw='{"id": 1,')
    known = letter(subject=broken, rule="", request=None, status=None, code="Unreadable", reason="not JSON")
    document = known.to_document()
    assert document["type"] == "Updraft.Unreadable"
    assert document["data"] == '{"id": 1,'
    assert document["lastdeliveryoutcome"] == "not JSON"
    assert known.name.startswith("unreadable/")
    assert replace(known, subject=replace(broken, error="other words")).name == known.name
    assert replace(known, subject=replace(broken, id="from a header")).name != known.name


def test_what_could_be_read_of_a_body_is_named() -> None:
    """Id, type and source of a body that is half an event are the letter's own."""
    document = letter(subject=Unreadable("no time", "{}", id="e", type="t", source="/s")).to_document()
    assert (document["id"], document["type"], document["source"]) == ("e", "t", "/s")


def test_a_body_that_is_no_text_goes_in_base64() -> None:
    """Text that UTF-8 cannot hold is kept in base64; what is endless is cut."""
    document = letter(subject=Unreadable("bad", "a\ud800")).to_document()
    assert base64.b64decode(str(document["data_base64"])) == "a\ud800".encode(errors="surrogatepass")
    assert "data" not in document
    long = letter(subject=Unreadable("bad", "x" * (RAW_LIMIT + 1))).to_document()
    assert len(str(long["data"])) == RAW_LIMIT
