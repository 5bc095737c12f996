"""Decodes Base64 of text; IoT Hub sends telemetry without a content type so."""

import base64
import binascii
from typing import Final

from shared.errors import UnusableValue

_BLANKS: Final = str.maketrans("", "", " \t\r\n")
_USUAL: Final = str.maketrans("-_", "+/")


def text_from_base64(text: str) -> str:
    """Return the decoded text.

    It accepts both alphabets of RFC 4648, with or without line breaks and the `=` at the end.

    Args:
        text: The Base64; the result is shorter, so its length limits the work.

    Raises:
        UnusableValue: It is not Base64, or the decoded bytes are not text in UTF-8.
    """
    plain = text.translate(_BLANKS).translate(_USUAL).rstrip("=")
    try:
        content = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):  # ValueError: characters beyond ASCII
        raise UnusableValue("the text is not Base64") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableValue("the decoded Base64 is not text in UTF-8") from None
