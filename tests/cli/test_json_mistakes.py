"""Why a file is not JSON, in plain words."""

import pytest

from cli.json_mistakes import of_file
from shared.errors import EventError
from shared.values.json_text import parse


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("connections:\n  main:", "a value is missing (line 1, column 1)"),
        ('{"a": 1\n"b": 2}', "a `,` or a closing bracket is missing (line 2, column 1)"),
        ('{"a": [1,\n2\n', "a `,` or a closing bracket is missing (at the end)"),
        ('{"a" 1}', "a `:` is missing (line 1, column 6)"),
        ("{a: 1}", "a name in double quotes is missing (line 1, column 2)"),
        ("[1,]", "there is a `,` before the closing bracket (line 1, column 3)"),
        ("{} {}", "more text follows the value (line 1, column 4)"),
        ('{"a', "a string has no closing quote (line 1, column 2)"),
        ('"a\nb"', "a string has a line break or another control character (line 1, column 3)"),
        (r'"\x"', r"Invalid \escape"),
    ],
)
def test_the_place_is_in_the_file(text: str, says: str) -> None:
    """The message has no word of Python's decoder where there is a plainer one, and speaks of no body."""
    with pytest.raises(EventError) as raised:
        parse(text)
    assert of_file(str(raised.value), text).startswith(f"not JSON: {says}")


def test_a_line_has_its_number_already() -> None:
    """Of a line, only the column is named, because the caller names the line."""
    error = "the body is not JSON: Extra data at line 1 column 4"
    assert of_file(error, "{} {}", one_line=True) == "not JSON: more text follows the value (column 4)"


def test_other_errors_stay_as_they_are() -> None:
    """Only the words about JSON, and about an empty body, are changed."""
    assert of_file("id is missing", "{}") == "id is missing"
    assert of_file("the body is empty", "") == "the file is empty"
