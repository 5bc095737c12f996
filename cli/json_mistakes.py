"""Says in plain words why the text of a file is not JSON.

The app's messages speak of a body and have the words of Python's decoder (`shared/values/json_text.py`). The
reader of these messages looks at a file.
"""

import re
from typing import Final

_MESSAGE: Final = re.compile(
    r"the body is not JSON: (?P<words>.*?) at line (?P<line>\d+) column (?P<column>\d+)"
)
_WORDS: Final = {
    "Expecting value": "a value is missing",
    "Expecting ',' delimiter": "a `,` or a closing bracket is missing",
    "Expecting ':' delimiter": "a `:` is missing",
    "Expecting property name enclosed in double quotes": "a name in double quotes is missing",
    "Illegal trailing comma before end of object": "there is a `,` before the closing bracket",
    "Illegal trailing comma before end of array": "there is a `,` before the closing bracket",
    "Extra data": "more text follows the value",
    "Unterminated string starting at": "a string has no closing quote",
    "Invalid control character at": "a string has a line break or another control character",
}
"""By the decoder's words: what is wrong with the text."""


def of_file(error: str, text: str, *, one_line: bool = False) -> str:
    """Return an error of the app about a body as an error about a file; other errors stay as they are.

    Args:
        error: The app's message.
        text: The text that the app read.
        one_line: Whether the text is one line of the file, whose number the caller adds.
    """
    if error.startswith("the body is empty"):
        return error.replace("body", "file", 1)
    return _MESSAGE.sub(lambda found: _in_words(found, text, one_line=one_line), error)


def _in_words(found: re.Match[str], text: str, *, one_line: bool) -> str:
    line, column = int(found["line"]), int(found["column"])
    rest = "\n".join(text.split("\n")[line - 1 :])[column - 1 :]
    place = f"column {column}" if one_line else f"line {line}, column {column}"
    if not rest.strip():
        place = "at the end"
    return f"not JSON: {_WORDS.get(found['words'], found['words'])} ({place})"
