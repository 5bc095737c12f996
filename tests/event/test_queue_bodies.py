"""Bodies of queue messages: an event in any encoding is read, and any other body stays as it is."""

import base64
import codecs
import json
import textwrap
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.event import Event, Unreadable, read_events
from shared.event.queue_bodies import LARGEST, MAX_WRAPPINGS, open_queue_body, read_queue_body
from tests.event.test_fuzz import BODIES, PATIENT, VALUES

EVENT: Final = json.dumps(
    {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/shops/1",
        "type": "Shop.Opened",
        "data": {"name": "grüße > ? ~ 漢字 😀", "n": 0.1},
    },
    ensure_ascii=False,
)


def standard(content: bytes) -> str:
    """Return base64 as Event Grid writes it."""
    return base64.b64encode(content).decode()


def url_safe(content: bytes) -> str:
    """Return base64 in the other alphabet."""
    return base64.urlsafe_b64encode(content).decode()


def unpadded(content: bytes) -> str:
    """Return URL-safe base64 as JWTs have it."""
    return url_safe(content).rstrip("=")


def in_lines(content: bytes) -> str:
    """Return base64 as the command `base64` writes it."""
    return "\n".join(textwrap.wrap(standard(content), 76)) + "\n"


def in_mime_lines(content: bytes) -> str:
    """Return base64 as mail programs write it."""
    return base64.encodebytes(content).decode().replace("\n", "\r\n")


def printed(content: bytes) -> str:
    """Return base64 as Python prints bytes, which a program sends by mistake."""
    return str(base64.b64encode(content))


CHARSETS: Final[dict[str, Callable[[str], bytes]]] = {
    "UTF-8": str.encode,
    "UTF-8 with a mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "UTF-16 with a mark": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "UTF-16 LE": lambda text: text.encode("utf-16-le"),
    "UTF-16 BE": lambda text: text.encode("utf-16-be"),
    "UTF-16 BE with a mark": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "UTF-32 with a mark": lambda text: codecs.BOM_UTF32_LE + text.encode("utf-32-le"),
    "UTF-32 BE": lambda text: text.encode("utf-32-be"),
}


def base64_of(alphabet: Callable[[bytes], str], charset: str) -> Callable[[str], str]:
    """Return a function that encodes a text in a character set and then in base64."""
    return lambda text: alphabet(CHARSETS[charset](text))


ALPHABETS: Final = (standard, url_safe, unpadded, in_lines, in_mime_lines, printed)
WRAPPINGS: Final[dict[str, Callable[[str], str]]] = {
    **{
        f"{alphabet.__name__} of {charset}": base64_of(alphabet, charset)
        for charset in CHARSETS
        for alphabet in ALPHABETS
    },
    "JSON string": json.dumps,
}
BEFORE: Final = st.sampled_from(["", "\ufeff", " ", "\n", "\ufeff\r\n"])


def wrapped(text: str, *wrappings: str) -> str:
    """Return a text in these encodings, the innermost first."""
    for name in wrappings:
        text = WRAPPINGS[name](text)
    return text


@pytest.mark.parametrize("name", WRAPPINGS)
def test_each_wrapping_is_opened(name: str) -> None:
    """Either alphabet, padding or none, line breaks, any Unicode encoding and two encodings are read."""
    (event,) = read_events(EVENT)
    assert isinstance(event, Event)
    assert read_queue_body(EVENT) == [event]
    assert read_queue_body(wrapped(EVENT, name)) == [event]
    assert read_queue_body(wrapped(EVENT, name, name).encode()) == [event]


@PATIENT
@given(
    st.sampled_from(BODIES) | VALUES.map(lambda value: json.dumps([value])),
    st.lists(st.sampled_from(sorted(WRAPPINGS)), max_size=MAX_WRAPPINGS),
    BEFORE,
    BEFORE,
)
def test_wrappings_change_nothing(text: str, wrappings: list[str], inside: str, outside: str) -> None:
    """Reading gives the events of the inner text for any encoding up to the limit."""
    message = outside + wrapped(inside + text, *wrappings)
    assume(len(message) <= LARGEST)
    plain, opened = read_events(text), read_queue_body(message.encode())
    assert [type(member) for member in opened] == [type(member) for member in plain]
    for before, after in zip(plain, opened, strict=True):
        if isinstance(before, Unreadable) and isinstance(after, Unreadable):
            assert (before.id, before.raw.strip()) == (after.id, after.raw.strip())
            assert after.error.startswith(before.error)
        else:
            assert before == after


@PATIENT
@given(
    st.text(st.characters(codec=None))
    | st.binary()
    | st.binary().map(standard)
    | st.binary().map(lambda content: wrapped(standard(content), "standard of UTF-16 LE"))
    | st.text(st.characters(codec=None)).map(json.dumps)
)
def test_anything_gives_events_or_what_is_kept(body: str | bytes) -> None:
    """Any text or bytes, encoded or not, are read or stay as they are, and never raise."""
    for member in read_queue_body(body):
        if isinstance(member, Unreadable):
            assert member.error
            member.raw.encode()


@pytest.mark.parametrize(
    "body",
    [
        "null",
        "Test",
        "bird",
        "hello world",
        "",
        " ",
        '"text"',
        "5",
        "<a/>",
        standard(b"hello"),
        "AAAA",
        "//79/w==",
    ],
)
def test_what_holds_no_json_is_kept_as_it_arrived(body: str) -> None:
    """A word that is valid base64 stays as it is, so that its dead letter shows what was sent."""
    (member,) = read_queue_body(body)
    assert isinstance(member, Unreadable)
    assert member.raw == body


def test_an_error_names_what_was_opened() -> None:
    """The dead letter has the encodings of the text that it shows, or the value inside."""
    (member,) = read_queue_body(wrapped('{"id": 1', "standard of UTF-16 LE", "standard of UTF-8"))
    assert isinstance(member, Unreadable)
    assert member.raw == '{"id": 1'
    assert "decoded from base64, then base64, then UTF-16" in member.error
    (member,) = read_queue_body(standard(b"<order/>"))
    assert isinstance(member, Unreadable)
    assert 'decoded from base64 it is "<order/>"' in member.error


def test_the_work_is_bounded() -> None:
    """A body with more encodings than the limit, or larger than any message, is not decoded."""
    deep = wrapped(EVENT, *["standard of UTF-8"] * (MAX_WRAPPINGS + 1))
    (member,) = read_queue_body(deep)
    assert isinstance(member, Unreadable)
    assert member.raw == deep
    assert f"more than {MAX_WRAPPINGS} times" in member.error
    large = standard(b"[" + b" " * LARGEST + b"]")
    assert open_queue_body(large).content == large


def test_bytes_that_are_not_utf_8_leave_their_neighbours_alone() -> None:
    """In an array with one member of Latin-1 the others are read, with a byte order mark before it or not."""
    for mark in (b"", codecs.BOM_UTF8):
        body = standard(mark + b"[" + EVENT.encode() + ', {"id": "caf\u00e9"}]'.encode("latin-1"))
        event, member = read_queue_body(body)
        assert event == read_events(EVENT)[0]
        assert isinstance(member, Unreadable)
        assert "not UTF-8" in member.error
