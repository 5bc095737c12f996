"""The filters of templates; each limits the size of its result.

The first argument is the value on the left of `|`. A TemplateError is written for the rule's author.
`environment.py` counts the results. docs/rules.md has an example of each filter.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from shared.errors import TemplateError, UnusableValue
from shared.rules.templates.scope import MISSING, member, missing_message
from shared.values.base64_text import text_from_base64
from shared.values.json_text import Json
from shared.values.reserved_keys import without_reserved_keys
from shared.values.storable import MAX_TEXT, to_text
from shared.values.times import parse_time

MAX_SLUG: Final = 63
MAX_NUMBER_TEXT: Final = 400
_TIME_DIRECTIVES: Final = re.compile(r"(?:%[YmdHMSfjyBbAaupIZz%]|[^%])*")


def lower(value: object) -> str:
    """Return the text in lower case, as in `{{ type | lower }}`."""
    return to_text(value).lower()


def upper(value: object) -> str:
    """Return the text in upper case, as in `{{ type | upper }}`."""
    return to_text(value).upper()


def trim(value: object, characters: str | None = None) -> str:
    """Return the text without white space, or without these characters, at both ends."""
    return to_text(value).strip(characters)


def replace(value: object, old: str, new: str) -> str:
    """Return the text with every `old` replaced by `new`."""
    text = to_text(value)
    if not old:
        raise TemplateError("`replace` needs a text to replace")
    if len(text) + text.count(old) * max(0, len(new) - len(old)) > MAX_TEXT:
        raise TemplateError(f"`replace` makes more than {MAX_TEXT:,} characters")
    return text.replace(old, new)


def split(value: object, separator: str) -> list[str]:
    """Return the parts of a text between separators."""
    if not separator:
        raise TemplateError("`split` needs a separator")
    return to_text(value).split(separator)


def join(value: object, separator: str = "") -> str:
    """Return the members of a list as one text, with a separator between them."""
    parts: list[str] = []
    length = 0
    for item in _list(value, "join"):
        parts.append(to_text(item))
        length += len(parts[-1]) + len(separator)
        if length > MAX_TEXT + len(separator):
            raise TemplateError(f"`join` makes more than {MAX_TEXT:,} characters")
    return separator.join(parts)


def first(value: object) -> object:
    """Return the first member of a list, as in `{{ data.tags | first }}`."""
    return _nth(value, 0, "first")


def last(value: object) -> object:
    """Return the last member of a list, as in `{{ subject | path_parts | last }}`."""
    return _nth(value, -1, "last")


def length(value: object) -> int:
    """Return the number of members or characters, as in `{{ data.tags | length }}`."""
    if isinstance(value, (str, list, tuple, Mapping)):
        return len(value)
    raise TemplateError(f"`length` needs a list, an object or text, not {_kind(value)}")


def pluck(value: object, attribute: str) -> list[object]:
    """Return one member of each object of a list, as in `{{ data.files | map(attribute='url') }}`."""
    found: list[object] = []
    for item in _list(value, "map"):
        current: object = item
        for name in attribute.split("."):
            inner = member(current, name)
            if inner is MISSING:
                raise TemplateError(missing_message(current, name))
            current = inner
        found.append(current)
    return found


def integer(value: object) -> int:
    """Return a whole number; refuses any other value, as in `{{ data.size | int }}`."""
    if isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= MAX_NUMBER_TEXT):
        try:
            return int(value)
        except (ValueError, OverflowError):
            pass
    raise TemplateError(f"`int` needs a number, not {_shown(value)}")


def number(value: object) -> float:
    """Return a number with a fraction; refuses any other value, as in `{{ data.ratio | float }}`."""
    if isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= MAX_NUMBER_TEXT):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise TemplateError(f"`float` needs a number, not {_shown(value)}")


def string(value: object) -> str:
    """Return a text unchanged, and any other value as JSON, as in `{{ data.build | string }}`."""
    return to_text(value)


def from_base64(value: object) -> str:
    """Return the text that Base64 encodes, as in `{{ (data.body | from_base64 | from_json).speed }}`."""
    if not isinstance(value, str):
        raise TemplateError(f"`from_base64` needs text, not {_kind(value)}")
    try:
        return text_from_base64(value)
    except UnusableValue as error:
        raise TemplateError(f"`from_base64`: {error}") from error


def from_json(value: object) -> Json:
    """Return the value of a JSON text, as in `{{ (data.payload | from_json).name }}`."""
    if not isinstance(value, str):
        raise TemplateError(f"`from_json` needs text, not {_kind(value)}")
    try:
        parsed: Json = json.loads(value, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise TemplateError("`from_json`: the text is not JSON") from error
    return parsed


def slug(value: object) -> str:
    """Return only lower-case letters, digits and `-`, at most 63, as in `{{ app.site | slug }}`."""
    return re.sub(r"[^a-z0-9]+", "-", to_text(value).lower())[:MAX_SLUG].strip("-")


def digest(value: object, length: int = 16) -> str:  # noqa: A002, RUF100 - the keyword that templates write
    """Return the first 16, or `length`, digits of the text's SHA-256, as in `{{ source | hash }}`."""
    return hashlib.sha256(to_text(value).encode("utf-8", "surrogatepass")).hexdigest()[: max(1, length)]


def path_parts(value: object) -> list[str]:
    """Return the parts of a path, an ARM id or a URL's path, as in `{{ data.url | path_parts | last }}`."""
    text = to_text(value)
    if "://" in text[:20]:
        try:
            text = urlsplit(text).path
        except ValueError as error:
            raise TemplateError(f"`path_parts`: {_shown(value)} is not a URL") from error
    return [part for part in text.split("/") if part]


def without_reserved(value: object) -> object:
    """Return the value without the keys that Airflow 3.4 refuses, as in `{{ data | without_reserved }}`."""
    return without_reserved_keys(value)


def read_time(value: object) -> datetime:
    """Return a time in UTC, written as RFC 3339, as in `{{ (time | parse_time).hour }}`."""
    return value if isinstance(value, datetime) else parse_time(to_text(value))


def format_time(value: object, pattern: str) -> str:
    """Return a time in UTC as text, by a pattern of Python's `strftime`."""
    if not _TIME_DIRECTIVES.fullmatch(pattern):
        raise TemplateError(f"`format_time`: `{pattern[:60]}` is not a pattern; as in '%Y-%m-%dT%H:%M:%SZ'")
    time = read_time(value)
    # strftime of some C libraries writes the year 1 as `1`, not as `0001`
    return time.strftime(
        re.sub(r"%(.)", lambda each: f"{time.year:04}" if each[1] == "Y" else each[0], pattern)
    )


FILTERS: Final[Mapping[str, Callable[..., object]]] = {
    "first": first,
    "float": number,
    "format_time": format_time,
    "from_base64": from_base64,
    "from_json": from_json,
    "hash": digest,
    "int": integer,
    "join": join,
    "last": last,
    "length": length,
    "lower": lower,
    "map": pluck,
    "parse_time": read_time,
    "path_parts": path_parts,
    "replace": replace,
    "slug": slug,
    "split": split,
    "string": string,
    "tojson": lambda value: to_text([value])[1:-1],
    "trim": trim,
    "upper": upper,
    "without_reserved": without_reserved,
}
"""Every filter except `default` (and `d`), which the sandbox adds."""


def _list(value: object, name: str) -> list[object] | tuple[object, ...]:
    if isinstance(value, (list, tuple)):
        return value
    raise TemplateError(f"`{name}` needs a list, not {_kind(value)}")


def _nth(value: object, index: int, name: str) -> object:
    found = _list(value, name)
    if not found:
        raise TemplateError(f"`{name}`: the list is empty")
    return found[index]


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__


def _shown(value: object) -> str:
    return f"`{value[:60]}`" if isinstance(value, str) else _kind(value)


def _no_constant(name: str) -> Json:
    raise ValueError(name)
