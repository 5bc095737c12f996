"""The text of a file that a person wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UnusableValue
from shared.values.text_files import file_text


@given(st.text().filter(lambda text: not text.startswith("\ufeff") and "\x00" not in text))
def test_utf_8_is_read_with_and_without_a_mark(text: str) -> None:
    """A byte order mark at the beginning is not a part of the text."""
    content = text.encode()
    assert file_text(content) == text
    assert file_text(b"\xef\xbb\xbf" + content) == text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_named(encoding: str) -> None:
    """With the remedy for the tool that writes it most."""
    with pytest.raises(UnusableValue, match=r"the file is UTF-16, not UTF-8; save it as UTF-8"):
        file_text("rules: []\n".encode(encoding))


def test_another_encoding_is_named_with_its_place() -> None:
    """Line and byte, both from 1."""
    with pytest.raises(UnusableValue, match=r"line 2 has the byte 0xE4 at its byte 3; save it as UTF-8"):
        file_text("a\nb ä\n".encode("latin-1"))
