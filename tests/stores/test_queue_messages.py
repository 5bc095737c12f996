"""The text and the size of queue messages."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.event.queue_bodies import open_queue_body
from shared.stores.queue_messages import message_size, queue_text


@given(st.text(st.characters(codec=None)) | st.binary())
def test_any_body_becomes_text_that_xml_carries(body: str | bytes) -> None:
    """What is sent has no control characters but tab and line feed, and no half surrogate pairs."""
    text = queue_text(body)
    text.encode()
    assert not {*text} & {*map(chr, range(32))} - {"\t", "\n"}
    content = body if isinstance(body, bytes) else body.encode(errors="backslashreplace")
    assert text in (content.decode(errors="replace"), base64.b64encode(content).decode())


@given(st.dictionaries(st.text(), st.text()))
def test_json_comes_back(document: dict[str, str]) -> None:
    """JSON with any characters is read as it was, whether or not it had to be encoded."""
    text = str(document).replace("'", '"')
    opened = open_queue_body(queue_text(text)).content
    assert opened == text.encode(errors="backslashreplace").decode()


@pytest.mark.parametrize(
    ("text", "size"), [("", 0), ("abc", 3), ("ü", 2), ("😀", 4), ("a&b<c>", 3 + 5 + 4 + 4)]
)
def test_the_size_is_that_in_xml(text: str, size: int) -> None:
    """A message's size is counted in UTF-8, with what XML needs for its own marks."""
    assert message_size(text) == size
