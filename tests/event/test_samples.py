"""Every sample is read or refused, by its name."""

import json
from typing import Final

import pytest
import yaml

from shared.event import Event, Unreadable, read_cloud_event, read_events
from shared.event.app_facts import app_facts
from shared.rules.filters import FilterError, compile_filter
from tests.support.paths import SAMPLES
from tests.support.samples import event_samples, headers_and_body, is_invalid, read_sample, sample_names

INVALID: Final = [name for name in event_samples() if is_invalid(name)]
VALID: Final = [name for name in event_samples() if not is_invalid(name)]
SCHEMAS: Final = {".eventgrid.": "event-grid", ".cloudevents.": "cloudevents"}


@pytest.mark.parametrize("name", VALID)
def test_a_valid_sample_is_read_and_survives_being_stored(name: str) -> None:
    """A sample without "invalid" in its name is read, and is the same after parking."""
    for event in read_sample(name):
        assert isinstance(event, Event), event
        stored = json.loads(json.dumps(event.to_cloud_event(), allow_nan=False))
        again = read_cloud_event(stored)
        assert again.to_cloud_event() == event.to_cloud_event()
        assert app_facts(again) == app_facts(event)


@pytest.mark.parametrize("name", sample_names("cloudevents/unusable/*.json"))
def test_an_unusable_attribute_costs_the_event_that_attribute(name: str) -> None:
    """The event is read without the attribute, and a note names it."""
    (event,) = read_sample(name)
    assert isinstance(event, Event)
    assert len(event.notes) == 1
    assert event.to_cloud_event().keys() == {"specversion", "id", "source", "type"}


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_sample_is_refused(name: str) -> None:
    """An invalid sample gives a clear error and keeps its text."""
    refused = [event for event in read_sample(name) if isinstance(event, Unreadable)]
    assert refused
    for each in refused:
        assert each.error
        assert each.raw in headers_and_body(name)[1].decode("utf-8-sig")


@pytest.mark.parametrize(("part", "schema"), SCHEMAS.items())
def test_a_name_says_the_schema(part: str, schema: str) -> None:
    """The schema of a sample is the one in its name."""
    for name in VALID:
        if part in name:
            assert {event.schema for event in read_sample(name) if isinstance(event, Event)} == {schema}, name


@pytest.mark.parametrize("name", [name for name in VALID if ".binary." in name])
def test_a_binary_mode_sample_is_read(name: str) -> None:
    """A CloudEvent in HTTP headers is read in any letter case."""
    (event,) = read_sample(name)
    assert isinstance(event, Event)
    assert event.id
    assert event.data_is_base64 == (b"body_base64" in (SAMPLES / name).read_bytes())


@pytest.mark.parametrize("attribute", ["id", "type"])
def test_an_invalid_binary_mode_sample_is_refused(attribute: str) -> None:
    """Headers without a required attribute are refused, and the error names it."""
    (event,) = read_sample(f"cloudevents/binary/missing_{attribute}.binary.invalid.json")
    assert isinstance(event, Unreadable)
    assert event.error.startswith(f"{attribute} is missing")


@pytest.mark.parametrize("name", sample_names("cloudevents/twins/*.json"))
def test_a_binary_mode_twin_is_the_structured_event(name: str) -> None:
    """An event is the same in binary mode as in structured mode."""
    (structured,) = read_sample(name)
    (binary,) = read_sample(name.replace(".json", ".binary.http"))
    assert isinstance(structured, Event)
    assert isinstance(binary, Event)
    assert (binary.id, binary.data, binary.time) == (structured.id, structured.data, structured.time)
    assert binary.extensions == {name: str(value) for name, value in structured.extensions.items()}


def test_one_event_may_arrive_in_four_requests() -> None:
    """The event is the same in both modes, with and without a charset in the content type."""
    requests = [name for name in sample_names("cloudevents/http/*.http") if not is_invalid(name)]
    assert len(requests) == 4
    events = [event for name in requests for event in read_sample(name) if isinstance(event, Event)]
    assert len({(event.id, event.source, event.type, event.time) for event in events}) == 1
    assert [event.data for event in events] == [{"says": "All is well"}] * 4


@pytest.mark.parametrize("name", sample_names("cloudevents/yaml/*.yaml"))
def test_a_conformance_document_is_read(name: str) -> None:
    """Events as the conformance suite writes them in YAML, in any alphabet, are read in both modes."""
    for document in yaml.load_all((SAMPLES / name).read_text(), Loader=yaml.BaseLoader):
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


@pytest.mark.parametrize("name", event_samples("appservice/*"))
def test_an_app_service_sample_tells_of_its_app(name: str) -> None:
    """Every App Service event yields the app's name, slot, action and resource id."""
    for event in read_sample(name):
        assert isinstance(event, Event)
        facts = app_facts(event)
        assert facts is not None
        assert facts.site == "shop"
        assert facts.slot == "production"
        assert facts.action is not None
        assert facts.resource_id == event.source


@pytest.mark.parametrize("name", sample_names("filters/*.json"))
def test_a_documented_form_of_filter_compiles(name: str) -> None:
    """A filter compiles in every form that Event Grid's documentation shows; an event is not a filter."""
    spec = json.loads((SAMPLES / name).read_text())
    if is_invalid(name):
        with pytest.raises(FilterError):
            compile_filter(spec)
    else:
        assert compile_filter(spec)


@pytest.mark.parametrize(
    ("name", "quirk"),
    [
        ("alerts/classic_metric_alert.invalid.json", b"\xef\xbb\xbf{"),
        ("kudu/success_without_host.json", b"\xef\xbb\xbf{\r\n"),
        ("cloudevents/http/request.http", b"\r\n\r\n{"),
        ("appservice/slot_swap_failed.cloudevents.json", b'"specVersion"'),
        ("appservice/app_updated_restarted.eventgrid.json", b'"dataVersion": "1\'"'),
        ("appservice/exact_numbers.eventgrid.json", b"0.10000000000000000001"),
        ("machinelearning/dataset_drift_detected.eventgrid.json", b"0.31415926535897931"),
        ("keyvault/secret_new_version_created.cloudevents.json", b'"ObjectName "'),
    ],
)
def test_a_quirk_is_still_there(name: str, quirk: bytes) -> None:
    """No formatter and no setting of git has changed the bytes of a sample."""
    assert quirk in (SAMPLES / name).read_bytes()


def test_every_sample_is_of_a_form_that_is_read() -> None:
    """A test reads each file of the folder."""
    read = {*event_samples(), *sample_names("filters/*.json"), *sample_names("cloudevents/yaml/*.yaml")}
    assert set(sample_names("**/*")) - read == {"README.md"}
