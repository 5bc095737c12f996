"""Base64 of text, decoded for templates and filters."""

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import TemplateError, UnusableValue
from shared.event import Event
from shared.rules.filters import Fields, compile_filter, parse_key
from shared.rules.templates import compile_template
from shared.values.base64_text import text_from_base64
from shared.values.json_text import Json, JsonObject
from tests.support.samples import read_sample


def encoded(text: str) -> str:
    """Return a text in standard Base64."""
    return base64.b64encode(text.encode()).decode()


@given(st.text(), st.booleans(), st.booleans(), st.booleans())
def test_every_spelling_of_base64_is_opened(text: str, url: bool, padded: bool, wrapped: bool) -> None:  # noqa: FBT001 - drawn
    """Both alphabets, with and without padding and line breaks, are decoded."""
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    written = encode(text.encode()).decode()
    written = written if padded else written.rstrip("=")
    written = "\r\n".join(written[at : at + 4] for at in range(0, len(written), 4)) if wrapped else written
    assert text_from_base64(written) == text.removeprefix("\ufeff")


@pytest.mark.parametrize("text", ["%%%", "a", "e30=e30=", "/w==", "e30\u00e9", "e3\x000"])
def test_what_holds_no_text_is_refused(text: str) -> None:
    """Text that is not Base64, and bytes that are not text, are errors."""
    with pytest.raises(UnusableValue):
        text_from_base64(text)
    with pytest.raises(TemplateError, match="from_base64"):
        compile_template("{{ data | from_base64 }}").render({"data": text})


def test_a_template_looks_into_telemetry() -> None:
    """The form of IoT Hub: the body is JSON in Base64 if the device set no content type."""
    (event,) = read_sample("iot/telemetry_in_base64.eventgrid.json")
    assert isinstance(event, Event)
    template = compile_template("{{ (data.body | from_base64 | from_json).light.lumen }}")
    assert template.render({"data": event.data}) == 480


def test_a_filter_looks_into_telemetry() -> None:
    """The same in a key, and as plain text."""
    (event,) = read_sample("iot/telemetry_in_base64.eventgrid.json")
    assert isinstance(event, Event)
    fields = Fields(event)
    lumen = "(data.body | from_base64).light.lumen"
    assert holds(fields, {"operatorType": "NumberGreaterThan", "key": lumen, "value": 479})
    assert not holds(fields, {"operatorType": "NumberGreaterThan", "key": lumen, "value": 480})
    lit = "(data.body|from_base64).light.lit"
    assert holds(fields, {"operatorType": "BoolEquals", "key": lit, "value": True})
    text = "data.body | from_base64"
    assert holds(fields, {"operatorType": "StringContains", "key": text, "values": ["tide"]})
    gone: JsonObject = {"operatorType": "IsNullOrUndefined", "key": "(data.body | from_base64).gone"}
    assert holds(fields, gone)


def holds(fields: Fields, spec: JsonObject) -> bool:
    """Return whether a filter matches."""
    return compile_filter(spec).holds(fields)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (5, "the value is not Base64 of text"),
        (["e30="], "the value is not Base64 of text"),
        ("%%", "the value is not Base64 of text"),
        ("/w==", "the value is not Base64 of text"),
        (encoded("tide"), "the text in the Base64 is not JSON"),
        (encoded("{"), "the text in the Base64 is not JSON"),
        (encoded("[" * 200_000), "the text in the Base64 is not JSON"),
        (encoded('{"other": 1}'), None),
        (encoded("[1]"), None),
        (None, None),
    ],
)
def test_what_cannot_be_opened_is_missing_and_explained(body: Json, why: str | None) -> None:
    """A comparison fails as for every missing key, and the explanation has the reason."""
    fields = Fields(Event(id="1", source="/s", type="t", data={"body": body}))
    spec: JsonObject = {"operatorType": "StringIn", "key": "(data.body | from_base64).a", "values": ["x"]}
    failure = compile_filter(spec).failure(fields)
    said = f" ({why})" if why else ""
    assert failure == f"{spec['key']} StringIn [x]: {spec['key']} is missing{said}"


@pytest.mark.parametrize(
    "key",
    [
        "app.site | from_base64",
        "subject | from_base64",
        "data.body | upper",
        "data.body | from_json",
        "((data.a | from_base64) | from_base64).b",
        "(data.body | from_base64)b",
        "(data.body | from_base64).",
        "| from_base64",
    ],
)
def test_another_use_of_a_filter_in_a_key_is_a_mistake(key: str) -> None:
    """A text that looks like a template is not the name of a member."""
    with pytest.raises(ValueError, match=r"from_base64|no key"):
        parse_key(key)


def test_a_name_with_a_bar_stands_in_quotes() -> None:
    """Members may have any name."""
    assert parse_key('data."a | from_base64"').path == ("a | from_base64",)


def test_a_text_is_opened_once_for_all_rules() -> None:
    """A megabyte is decoded once for any number of conditions."""
    body = encoded('{"a": [' + ",".join(["1"] * 300_000) + '], "b": 1}')
    one: Json = {"operatorType": "NumberIn", "key": "(data.body | from_base64).b", "values": [1]}
    event = Event(id="1", source="/s", type="t", data={"body": body})
    took = {}
    for number in (1, 300):
        condition, fields = compile_filter([one] * number), Fields(event)
        started = time.perf_counter()
        assert condition.holds(fields)
        took[number] = time.perf_counter() - started
    assert took[300] < 30 * took[1]
