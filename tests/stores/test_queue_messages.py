"""The text and the size of queue messages."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.event.queue_bodies import open_queue_body
from shared.stores.queue_messages import message_size, queue_text


@given(st.text(st.characters(codec=None)) | st.binary())
def test_any_body_becomes_text_that_xml_carries(body: str | bytes) -> None:
    """A message has no control characters except tab and line feed, and no half surrogate pairs."""
    text = queue_text(body)
    text.encode()
    assert not {*text} & {*map(chr, range(32))} - {"\t", "\n"}
    content = body if isinstance(body, bytes) else body.encode(errors="backslashreplace")
    assert text in (content.decode(errors="replace"), base64.b64encode(content).decode())


@given(st.dictionaries(st.text(), st.text()))
def test_json_comes_back(document: dict[str, str]) -> None:
    """JSON with any characters is read unchanged, encoded or not."""
    text = str(document).replace("'", '"')
    opened = open_queue_body(queue_text(text)).content
    assert opened == text.encode(errors="backslashreplace").decode()


@pytest.mark.parametrize(
    ("text", "size"), [("", 0), ("abc", 3), ("ü", 2), ("😀", 4), ("a&b<c>", 3 + 5 + 4 + 4)]
)
def test_the_size_is_that_in_xml(text: str, size: int) -> None:
    """The size of a message counts UTF-8 bytes and escaped markup."""
    assert message_size(text) == size
