"""Every published sample is read or refused as its index says; left out where the samples are not there."""

import base64
import json
import os
from pathlib import Path
from typing import Final

import pytest
import yaml

from shared.event import Event, Unreadable, read_cloud_event, read_events
from shared.event.app_facts import app_facts
from shared.rules.filters import FilterError, compile_filter
from tests.support.paths import ROOT

SAMPLES: Final = Path(os.environ.get("UPDRAFT_EVENT_SAMPLES", ROOT.parent / "shared" / "events"))
KINDS: Final = {"kudu": "kudu", "github": "github", "ado": "azure-devops", "acr": "acr"}
NOT_EVENTS: Final = {
    "alerts/azure_classic_alert_1.json": "a classic alert has no envelope",
    "alerts/azure_classic_alert_webtest.json": "a classic alert has no envelope",
    "cloudevents/conformance/format_json_invalid_batches.json": "the suite's own file",
    "validation/subscription_validation_response.json": "an answer, not an event",
    "cloudevents/spec/http_batch_response.http": "a message with places left out",
    "cloudevents/spec/http_structured_request.http": "a message with places left out",
}


def _files(pattern: str) -> list[str]:
    return sorted(path.relative_to(SAMPLES).as_posix() for path in SAMPLES.glob(pattern))


def _is_invalid(name: str) -> bool:
    return ".invalid." in name or "/invalid/" in name


JSON_FILES: Final = [
    name for name in _files("**/*.json") if not name.startswith("filters/") and ".binary" not in name
]
APP_SERVICE: Final = [name for name in _files("appservice/**/*.json") if not _is_invalid(name)]

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the published samples are not here")


def _read(name: str) -> list[Event | Unreadable]:
    kind = KINDS[Path(name).name.split("_")[0]] if name.startswith("deploy/") else None
    return read_events((SAMPLES / name).read_bytes(), kind=kind)


@pytest.mark.parametrize(
    "name", [name for name in JSON_FILES if not _is_invalid(name) and name not in NOT_EVENTS]
)
def test_a_valid_sample_is_read_and_survives_being_stored(name: str) -> None:
    """A sample that its index calls valid is read, and reads the same after parking."""
    events = _read(name)
    assert [event for event in events if isinstance(event, Unreadable)] == []
    for event in events:
        assert isinstance(event, Event)
        stored = json.loads(json.dumps(event.to_cloud_event(), allow_nan=False))
        again = read_cloud_event(stored)
        assert again.to_cloud_event() == event.to_cloud_event()
        assert app_facts(again) == app_facts(event)


@pytest.mark.parametrize("name", [name for name in JSON_FILES if _is_invalid(name)])
def test_an_invalid_sample_is_refused(name: str) -> None:
    """A sample that is broken, or meant to be refused, gives a clear error and keeps its text."""
    refused = [event for event in _read(name) if isinstance(event, Unreadable)]
    assert refused
    for each in refused:
        assert each.error
        assert each.raw in (SAMPLES / name).read_text(encoding="utf-8-sig")


@pytest.mark.parametrize("name", NOT_EVENTS)
def test_what_is_no_event_is_refused(name: str) -> None:
    """A published body that is no event at all is refused."""
    assert isinstance(_read(name)[0], Unreadable)


@pytest.mark.parametrize("name", [name for name in _files("**/*.binary*.json") if not _is_invalid(name)])
def test_a_binary_mode_sample_is_read(name: str) -> None:
    """A CloudEvent in HTTP headers is read, whatever the headers' letter case."""
    sample = json.loads((SAMPLES / name).read_text())
    body = base64.b64decode(sample["body_base64"]) if "body_base64" in sample else sample["body"]
    (event,) = read_events(body, headers=sample["headers"])
    assert isinstance(event, Event)
    assert event.id
    assert event.data_is_base64 == ("body_base64" in sample)


@pytest.mark.parametrize("name", [name for name in _files("**/*.binary*.json") if _is_invalid(name)])
def test_an_invalid_binary_mode_sample_is_refused(name: str) -> None:
    """Headers without a required attribute are refused, and the error names it."""
    (event,) = read_events("", headers=json.loads((SAMPLES / name).read_text()))
    assert isinstance(event, Unreadable)
    assert Path(name).name.split(".")[0].removeprefix("missing_") in event.error


@pytest.mark.parametrize("name", _files("cloudevents/spec/*.binary.http"))
def test_a_binary_mode_twin_is_the_structured_event(name: str) -> None:
    """The specification's binary examples say the same as their structured twins."""
    head, _, body = (SAMPLES / name).read_text().strip().partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines())
    (event,) = read_events(body, headers=headers)
    assert isinstance(event, Event)
    twin = SAMPLES / name.replace(".binary.http", ".json")
    if twin.exists():
        (structured,) = read_events(twin.read_bytes())
        assert isinstance(structured, Event)
        assert (event.id, event.data, event.time) == (structured.id, structured.data, structured.time)


@pytest.mark.parametrize("name", _files("cloudevents/conformance/*.yaml"))
def test_a_conformance_document_is_read(name: str) -> None:
    """The conformance suite's YAML events, in any alphabet, are read in both modes."""
    for document in yaml.load_all((SAMPLES / name).read_text(), Loader=yaml.BaseLoader):
        if document is None:
            continue
        attributes = dict(document["ContextAttributes"])
        attributes |= attributes.pop("Extensions", {})
        attributes = {name: value.strip() for name, value in attributes.items()}
        headers = {f"ce-{name}": value for name, value in attributes.items() if name != "datacontenttype"}
        headers["content-type"] = attributes.get("datacontenttype", "application/json")
        (binary,) = read_events(document["Data"], headers=headers)
        (structured,) = read_events(json.dumps({**attributes, "data": document["Data"]}))
        assert isinstance(binary, Event)
        assert isinstance(structured, Event)
        assert (binary.id, binary.type, binary.source) == (structured.id, structured.type, structured.source)


@pytest.mark.parametrize("name", APP_SERVICE)
def test_an_app_service_sample_tells_of_its_app(name: str) -> None:
    """Every published App Service event yields the app's name, slot, action and resource id."""
    for event in _read(name):
        assert isinstance(event, Event)
        facts = app_facts(event)
        assert facts is not None
        assert facts.site == "{site-name}"
        assert facts.slot == "production"
        assert facts.action is not None
        assert facts.resource_id == event.source


@pytest.mark.parametrize("name", _files("filters/eventgrid/*.json"))
def test_a_published_filter_compiles(name: str) -> None:
    """Every filter of Event Grid's documentation compiles as it was pasted."""
    spec = json.loads((SAMPLES / name).read_text())
    if "event" in Path(name).stem:
        with pytest.raises(FilterError):
            compile_filter(spec)
    else:
        assert compile_filter(spec)
