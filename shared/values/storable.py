"""What a template may hand to Airflow: JSON values that its database keeps, within bounds.

Airflow 3.3 refuses NUL characters, lone surrogates and NaN ("Value rejected by database"), and fails on
deep nesting; so they are dealt with here, before anything is sent.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from shared.errors import TemplateError
from shared.json_types import Json

MAX_DEPTH: Final = 100
"""Levels of lists and objects in a value; Airflow's serialiser fails at about 255."""

MAX_TEXT: Final = 65_536
"""Characters that one template may write."""

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands where a NUL or a lone surrogate stood."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Return `text` with every NUL and lone surrogate replaced by U+FFFD, as Airflow's database needs it."""
    return _UNSTORABLE.sub(REPLACEMENT, text)


def to_json(value: object, *, depth: int = MAX_DEPTH) -> Json:
    """Return `value` as JSON that Airflow can store.

    Args:
        value: What a template's expression gave.
        depth: Levels of nesting that are still allowed.

    Raises:
        TemplateError: It is not a JSON value (NaN, infinity, a key that is not text), or nested too deeply.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TemplateError(f"gives {value}, which JSON and Airflow cannot hold; use `default` or a test")
        return value
    if isinstance(value, datetime):
        return time_text(value)
    if depth <= 0:
        raise TemplateError(
            f"gives a value nested more than {MAX_DEPTH} levels deep, which Airflow cannot hold"
        )
    if isinstance(value, Mapping):
        return {_key(name): to_json(member, depth=depth - 1) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(member, depth=depth - 1) for member in value]
    raise TemplateError(f"gives a {type(value).__name__}, which is not a JSON value")


def _key(name: object) -> str:
    if not isinstance(name, str):
        raise TemplateError(f"gives an object with the key {name!r}; JSON's keys are text")
    return clean_text(name)


def to_text(value: object) -> str:
    """Return `value` as it stands within text: text as it is, everything else as JSON writes it.

    Raises:
        TemplateError: It is not a JSON value.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return time_text(value)
    return json.dumps(to_json(value), ensure_ascii=False, separators=(",", ":"))


def time_text(moment: datetime) -> str:
    """Return a time as RFC 3339 in UTC, as in `2026-03-01T12:30:00.5Z`'s `2026-03-01T12:30:00.500000Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time; fractions beyond microseconds are cut off.

    Args:
        text: A date and time with an offset, as in `2026-03-01T12:30:00.1234567Z`.

    Raises:
        TemplateError: It is no such time, or has no offset.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise TemplateError(f"`{text[:60]}` is not an RFC 3339 time with an offset, as in 2026-03-01T12:30:00Z")
