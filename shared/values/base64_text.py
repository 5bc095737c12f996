"""Opens Base64 that holds text, as IoT Hub sends telemetry whose content type nobody set."""

import base64
import binascii
from typing import Final

from shared.errors import UnusableValue

_BLANKS: Final = str.maketrans("", "", " \t\r\n")
_USUAL: Final = str.maketrans("-_", "+/")


def text_from_base64(text: str) -> str:
    """Return the text that a Base64 text stands for.

    Both of RFC 4648's alphabets are read, with or without line breaks and the `=` at the end.

    Args:
        text: The Base64; what it makes is shorter, so that its length bounds the work.

    Raises:
        UnusableValue: It is not Base64, or what it holds is not text in UTF-8.
    """
    plain = text.translate(_BLANKS).translate(_USUAL).rstrip("=")
    try:
        content = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):  # ValueError: characters beyond ASCII
        raise UnusableValue("the text is not Base64") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableValue("what the Base64 holds is not text in UTF-8") from None
