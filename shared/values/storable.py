"""Makes values that Airflow's database accepts: text, depth and size.

Airflow 3.3 refuses NUL characters, lone surrogates and NaN ("Value rejected by database"), and fails on
deep nesting. So they are replaced or refused here, before anything is sent.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from shared.errors import UnusableValue
from shared.values.json_text import Json
from shared.values.times import time_text

MAX_DEPTH: Final = 100
"""Levels of lists and objects in a value; Airflow's serialiser fails at about 255."""

MAX_TEXT: Final = 65_536
"""The most characters that one template may write."""

MAX_CONF_BYTES: Final = 49_152
"""Bytes of a run's conf as JSON; Airflow copies it into its audit log, and MySQL refuses 64 KB."""

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
"""Replaces a NUL or a lone surrogate."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Return `text` with every NUL and lone surrogate replaced by U+FFFD, as Airflow's database requires."""
    return _UNSTORABLE.sub(REPLACEMENT, text)


def to_json(value: object, *, depth: int = MAX_DEPTH) -> Json:
    """Return `value` as JSON that Airflow can store.

    Args:
        value: The result of a template's expression.
        depth: Levels of nesting that are still allowed.

    Raises:
        UnusableValue: It is not a JSON value (NaN, infinity, a key that is not text), or nested too deeply.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UnusableValue(f"gives {value}, which JSON and Airflow cannot hold; use `default` or a test")
        return value
    if isinstance(value, datetime):
        return time_text(value)
    if depth <= 0:
        raise UnusableValue(
            f"gives a value nested more than {MAX_DEPTH} levels deep, which Airflow cannot hold"
        )
    if isinstance(value, Mapping):
        return {_key(name): to_json(member, depth=depth - 1) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(member, depth=depth - 1) for member in value]
    raise UnusableValue(f"gives a {type(value).__name__}, which is not a JSON value")


def _key(name: object) -> str:
    if not isinstance(name, str):
        raise UnusableValue(f"gives an object with the key {name!r}; JSON's keys are text")
    return clean_text(name)


def to_text(value: object) -> str:
    """Return `value` as text: text as it is, everything else as JSON.

    Raises:
        UnusableValue: It is not a JSON value.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return time_text(value)
    return json.dumps(to_json(value), ensure_ascii=False, separators=(",", ":"))


def size_of(conf: Json) -> int:
    """Return the bytes of a value as JSON."""
    return len(json.dumps(conf, separators=(",", ":"), ensure_ascii=False).encode())


def check_size(conf: Json) -> None:
    """Check that a conf is not too large for Airflow.

    Raises:
        UnusableValue: It is; the message has the size.
    """
    size = size_of(conf)
    if size > MAX_CONF_BYTES:
        raise UnusableValue(
            f"conf is {size:,} bytes as JSON, more than {MAX_CONF_BYTES:,}; pass what is large by reference, "
            "as in its URL"
        )
