"""CloudEvents: versions, extensions, data in Base64, and binary mode."""

import base64
import json
from typing import Final

import pytest

from shared.errors import EventError
from shared.event import Event, Unreadable, read_cloud_event, read_events
from shared.values.json_text import Json, JsonObject

CLOUD: Final[JsonObject] = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
HEADERS: Final = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}


def binary(body: str | bytes, **headers: str) -> Event | Unreadable:
    """Read a body in binary mode."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    (event,) = read_events(body, headers={**HEADERS, **named})
    return event


@pytest.mark.parametrize("version", ["1.1", "0.9", "0.2", "", None, 1.0, ["1.0"]])
def test_an_unknown_version_is_refused_by_name(version: Json) -> None:
    """An unknown version is refused."""
    with pytest.raises(EventError, match="specversion"):
        read_cloud_event({**CLOUD, "specversion": version})


def test_azures_own_spellings_are_read() -> None:
    """`specVersion` and `operationId` of published samples are read; other illegal names are not."""
    event = read_cloud_event(
        {"specVersion": "1.0", "id": "1", "source": "/s", "type": "t", "operationId": "x", "title": "y"}
    )
    assert event.extensions == {"operationid": "x", "title": "y"}
    assert read_cloud_event(event.to_cloud_event()) == event


@pytest.mark.parametrize("name", ["MyExtension", "my.extension", "my_extension", "my-extension", "ID", ""])
def test_an_illegal_name_costs_the_extension_and_not_the_event(name: str) -> None:
    """Names are lower-case letters and digits (core specification, naming conventions)."""
    event = read_cloud_event({**CLOUD, name: "x"})
    assert event.extensions == {}
    (note,) = event.notes
    assert note.startswith(f'"{name}" is left out')


@pytest.mark.parametrize("value", [1.5, {"a": 1}, ["a"], "x" * 8193])
def test_an_extension_is_a_string_a_boolean_or_an_integer(value: Json) -> None:
    """An extension of a type that the JSON format does not allow is left out."""
    event = read_cloud_event({**CLOUD, "colour": value})
    assert event.extensions == {}
    (note,) = event.notes
    assert note.startswith("colour is left out")


@pytest.mark.parametrize("name", ["subject", "colour"])
def test_a_control_character_costs_itself(name: str) -> None:
    """U+FFFD replaces characters that CloudEvents forbids, so that rules can match the rest."""
    event = read_cloud_event({**CLOUD, name: "a\nb"})
    assert event.to_cloud_event()[name] == "a\ufffdb"
    assert event.notes == (f'{name}: \ufffd replaces each control character: "a\\nb"',)


def test_a_null_extension_is_noted() -> None:
    """Null counts as absent, and a note has the reason."""
    assert read_cloud_event({**CLOUD, "colour": None}).notes == ("colour is null: it counts as absent",)


def test_notes_are_bounded() -> None:
    """Thousands of unusable members make only a few notes."""
    event = read_cloud_event({**CLOUD, **{f"x-{number}": 1 for number in range(5_000)}})
    assert len(event.notes) == 11
    assert event.notes[-1] == "and 4990 more"


@pytest.mark.parametrize("value", [5, True, {"a": 1}, ["x"], "x" * 8193])
@pytest.mark.parametrize("name", ["subject", "time", "datacontenttype", "dataschema"])
def test_an_optional_attribute_never_costs_the_event(name: str, value: Json) -> None:
    """An event with an unusable optional attribute is read without it, with a note."""
    event = read_cloud_event({**CLOUD, name: value, "data": {"n": 1}})
    assert event == read_cloud_event({**CLOUD, "data": {"n": 1}})
    (note,) = event.notes
    assert note.startswith(f"{name} is left out")


def test_null_means_that_an_attribute_is_absent() -> None:
    """Null counts as absent, as in the JSON format."""
    event = read_cloud_event({**CLOUD, "subject": None, "colour": None, "time": None, "data": None})
    assert event == read_cloud_event(CLOUD)


@pytest.mark.parametrize("name", ["dataschema", "datacontenttype"])
def test_an_empty_attribute_counts_as_absent(name: str) -> None:
    """These attributes must not be empty."""
    event = read_cloud_event({**CLOUD, name: ""})
    assert event == read_cloud_event(CLOUD)
    assert event.notes == (f"{name} is empty: it counts as absent",)


@pytest.mark.parametrize(
    ("content_type", "content", "data", "is_base64"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}, False),
        ("application/problem+json; charset=utf-8", b"[1]", [1], False),
        ("text/plain", "grün".encode(), "grün", False),
        ("image/svg+xml", b"<svg/>", "<svg/>", False),
        ("text/plain", b"\xff", "/w==", True),
        ("application/octet-stream", b"{}", "e30=", True),
        (None, b"{}", "e30=", True),
    ],
)
def test_data_in_base64_is_opened_where_its_type_says_what_it_is(
    content_type: str | None,
    content: bytes,
    data: Json,
    is_base64: Json,
) -> None:
    """JSON and text can be filtered on; other data is carried as Base64."""
    encoded = base64.b64encode(content).decode()
    event = read_cloud_event({**CLOUD, "datacontenttype": content_type, "data_base64": encoded})
    assert (event.data, event.data_is_base64) == (data, is_base64)
    assert read_cloud_event(event.to_cloud_event()) == event


@pytest.mark.parametrize(
    "members",
    [
        {"data_base64": 5},
        {"data_base64": "e30=", "data": {}},
        {"data_base64": "not base64!", "datacontenttype": "text/plain"},
        {"data_base64": "/w==", "datacontenttype": "application/json"},
        {"data_base64": "ew==", "datacontenttype": "application/json"},
    ],
)
def test_unusable_data_is_refused(members: JsonObject) -> None:
    """Data that is present twice, or does not match its description, is refused."""
    with pytest.raises(EventError, match=r"data|JSON"):
        read_cloud_event({**CLOUD, **members})


@pytest.mark.parametrize(
    "version",
    [{"specversion": "0.3"}, {"cloudEventsVersion": "0.1"}, {"specversion": 1.0}, {"specversion": None}],
)
def test_other_versions_are_refused(version: JsonObject) -> None:
    """Event Grid delivers only 1.0; the error for another version has its number."""
    with pytest.raises(EventError, match=r"send CloudEvents 1\.0"):
        read_cloud_event({"id": "1", "source": "/s", "type": "t", **version})


def test_binary_mode_takes_attributes_from_headers() -> None:
    """Headers in any letter case, percent-decoded, are the attributes; the body is the data."""
    event = binary('{"a": 1}', Content_Type="application/json", CE_Subject="a%20%E2%82%AC", ce_colour="red")
    assert isinstance(event, Event)
    assert (event.subject, event.extensions, event.data) == ("a €", {"colour": "red"}, {"a": 1})


@pytest.mark.parametrize(
    ("content_type", "body", "data", "is_base64"),
    [
        ("", b"\xff", "/w==", True),
        ("application/json", b"", None, False),
        ("text/plain", b"hello", "hello", False),
        ("application/avro", b"hello", "aGVsbG8=", True),
    ],
)
def test_a_binary_body_is_read_by_its_type(
    content_type: str, body: bytes, data: Json, is_base64: Json
) -> None:
    """The content type decides whether the body is JSON, text or neither."""
    event = binary(body, **({"content-type": content_type} if content_type else {}))
    assert isinstance(event, Event)
    assert (event.data, event.data_is_base64) == (data, is_base64)


@pytest.mark.parametrize(("body", "data"), [('{"a": 1}', {"a": 1}), ("hello", "hello")])
def test_a_binary_body_without_a_type_is_json_if_it_can_be(body: str, data: Json) -> None:
    """JSON is read without a content type, as in the specification's example."""
    event = binary(body)
    assert isinstance(event, Event)
    assert event.data == data


def test_a_header_is_never_the_data() -> None:
    """The data of binary mode is the body, and Content-Type has its type."""
    event = binary("{}", **{"ce-data": "x", "ce-datacontenttype": "text/plain"})
    assert isinstance(event, Event)
    assert (event.data, event.datacontenttype) == ({}, None)


def test_a_stray_header_makes_no_event() -> None:
    """Only a request with the required attributes is in binary mode."""
    (event,) = read_events(json.dumps(CLOUD), headers={"ce-trace": "1"})
    assert isinstance(event, Event)
    assert event.extensions == {}


def test_a_bad_binary_event_is_refused_and_kept() -> None:
    """Bad headers or a bad body are an Unreadable with the readable part of the identity."""
    refusal = binary("{", **{"content-type": "application/json"})
    assert isinstance(refusal, Unreadable)
    assert (refusal.raw, refusal.id, refusal.source) == ("{", "1", "/s")
    missing = binary("{}", ce_type="")
    assert isinstance(missing, Unreadable)
    assert "type is empty" in missing.error


def test_structured_mode_wins_over_stray_headers() -> None:
    """A body that claims to be a CloudEvent is read as one, with any headers of a proxy."""
    (event,) = read_events(
        json.dumps({**CLOUD, "id": "body"}),
        headers={**HEADERS, "Content-Type": "application/cloudevents+json; charset=utf-8"},
    )
    assert isinstance(event, Event)
    assert event.id == "body"
