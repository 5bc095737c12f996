"""Text of a file that a person wrote: UTF-8, with or without a byte order mark."""

from typing import Final

from shared.errors import UnusableValue

_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_NULLS: Final = 4


def file_text(content: bytes) -> str:
    """Return the text of a file.

    Raises:
        UnusableValue: It is not UTF-8; says in which encoding it seems to be, where, and the remedy.
    """
    remedy = "save it as UTF-8"
    if content.startswith(_UTF_16) or content[:64].count(0) >= _NULLS:
        raise UnusableValue(
            f"the file is UTF-16, not UTF-8; {remedy} (in PowerShell: `Set-Content -Encoding utf8`)"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise UnusableValue(
            f"the file is not UTF-8: line {line} has the byte 0x{content[error.start]:02X} at its byte "
            f"{column}; {remedy}"
        ) from error
