"""Any body is read as events and Unreadables, and never raises."""

import json
from dataclasses import replace
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.event import KINDS, Event, Unreadable, read_cloud_event, read_events
from shared.event.app_facts import app_facts
from shared.values.json_text import Json
from tests.support.paths import SAMPLES
from tests.support.samples import event_samples

PATIENT: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine must not fail the test."""

BODIES: Final = [
    (SAMPLES / name).read_text(encoding="utf-8-sig") for name in event_samples() if name.endswith(".json")
]
NAMES: Final = st.sampled_from(
    [
        *("id", "source", "topic", "type", "eventType", "specversion"),
        *("time", "eventTime", "data", "subject"),
        *("data_base64", "datacontenttype", "extension", "siteName", "repository", "action", "target"),
        *("event", "deployment_status", "resource", "publisherId"),
        *("cloudEventsVersion", "deadletterProperties"),
    ]
)
WORDS: Final = st.sampled_from(["1.0", "0.3", "2026-01-31T09:30:00Z", "application/json", "e30=", "/x", ""])
VALUES: Final[st.SearchStrategy[Json]] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(), inner, max_size=8),
    max_leaves=25,
)
KIND: Final = st.sampled_from([None, *KINDS])
HEADERS: Final = st.none() | st.dictionaries(
    st.sampled_from(
        ["Content-Type", "ce-id", "ce-type", "CE-Source", "ce-specversion", "ce-x", "X-GitHub-Event"]
    ),
    WORDS | st.text(),
)


def check(body: str | bytes, kind: str | None, headers: dict[str, str] | None = None) -> None:
    """Read a body and use the result in every way."""
    for event in read_events(body, kind=kind, headers=headers):
        if isinstance(event, Unreadable):
            assert event.error
            event.raw.encode()
            continue
        assert isinstance(event, Event)
        assert event.id
        assert event.source
        assert event.type
        app_facts(event)
        text = json.dumps(event.to_cloud_event(), allow_nan=False)
        again = read_cloud_event(json.loads(text))
        assert again == replace(event, schema="cloudevents", via="unknown", data=again.data)
        assert again.to_cloud_event() == event.to_cloud_event()


@PATIENT
@given(VALUES, KIND, HEADERS)
def test_any_json_is_read_or_refused(
    document: Json, kind: str | None, headers: dict[str, str] | None
) -> None:
    """Any JSON, as any kind and with any headers."""
    check(json.dumps(document), kind, headers)


@PATIENT
@given(st.text(st.characters(codec=None)) | st.binary(), KIND, HEADERS)
def test_any_text_is_read_or_refused(
    body: str | bytes, kind: str | None, headers: dict[str, str] | None
) -> None:
    """Any text or bytes at all."""
    check(body, kind, headers)


@PATIENT
@given(st.sampled_from(BODIES), KIND, st.data())
def test_a_damaged_event_is_read_or_refused(body: str, kind: str | None, data: st.DataObject) -> None:
    """A sample with a piece cut out and another put in."""
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 40)))
    piece = data.draw(
        st.text(max_size=5) | st.sampled_from(['"', "[", "]", "{", "}", "\\", "\\ud800", "1e999", "NaN"])
    )
    damaged = body[:start] + piece + body[end:]
    check(damaged, kind)
    events = read_events(f"[{body}, {damaged}]", kind=kind)
    assert len(events) >= 1
