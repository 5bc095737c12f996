"""Keys that Airflow reserves for its serialised objects; Airflow 3.4 and newer refuse them in a run's conf.

Airflow 3.4 answers 422 if any object of the conf, at any depth, has one of them
(`check_conf_reserved_keys` in `airflow/api_fastapi/core_api/datamodels/common.py`, read in 3.4.0b2). Events
can have them: older JSON serialisers of .NET write `__type`. They are refused before anything is sent, for
every version of Airflow, so that an upgrade of Airflow does not lose events.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from shared.errors import UnusableValue

RESERVED_KEYS: Final = frozenset(
    {
        *("__classname__", "__version__", "__data__", "__id__", "__cache__"),
        *("__type", "__source", "__var"),
    }
)
"""`FORBIDDEN_XCOM_KEYS` of Airflow's `airflow/_shared/serialization`."""

MAX_MEMBERS: Final = 65_536
"""The most members of lists and objects that `without_reserved` copies."""

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_PATH: Final = 400


def check_reserved_keys(conf: object, *, remedy: str) -> None:
    """Check a conf for keys that Airflow 3.4 and newer refuse.

    Args:
        conf: The conf, or a part of it.
        remedy: The fix, for the message.

    Raises:
        UnusableValue: It has one; the message has the path of the first one.
    """
    for path in _reserved_paths(conf, "conf"):
        key = path.rpartition(".")[2]
        shown = path if len(path) <= _LONGEST_PATH else f"…{path[-_LONGEST_PATH:]}"
        raise UnusableValue(f"{shown}: Airflow 3.4 and newer refuse the key `{key}` in a conf; {remedy}")


def without_reserved_keys(value: object) -> object:
    """Return a copy of a value without the reserved keys, at any depth, and their values.

    Raises:
        UnusableValue: It has more than `MAX_MEMBERS` members.
    """
    left = MAX_MEMBERS

    def copied(part: object) -> object:
        nonlocal left
        if not isinstance(part, (Mapping, list, tuple)):
            return part
        left -= len(part)
        if left < 0:
            raise UnusableValue(f"`without_reserved` takes at most {MAX_MEMBERS:,} members")
        if isinstance(part, Mapping):
            return {name: copied(inner) for name, inner in part.items() if name not in RESERVED_KEYS}
        return [copied(inner) for inner in part]

    return copied(value)


def _reserved_paths(value: object, path: str) -> Iterator[str]:
    """Yield the paths of the reserved keys; an object's keys before its members' keys."""
    if isinstance(value, Mapping):
        for name in sorted(RESERVED_KEYS & value.keys()):
            yield f"{path}.{name}"
        for name, inner in value.items():
            step = f".{name}" if _PLAIN.fullmatch(name) else f"[{name[:80]!r}]"
            yield from _reserved_paths(inner, path + step)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _reserved_paths(inner, f"{path}[{index}]")
