"""The run id: computed only from the rule and the event's identity, so that each delivery has the same id.

`<rule>__<readable>__<hash>`: the readable part can be searched for in Airflow's UI, and the hash separates
ids with the same readable part. The time is not part of it, because it may differ between two deliveries of
one event. Golden tests pin the result: a change of this file would start every run of Airflow again.

Airflow's rules for a run id (its `[scheduler] allowed_run_id_pattern` and `models/dagrun.py`): at most 250
characters of `A-Z a-z 0-9 _ . ~ : + -`, no `..`, none of the prefixes that it reserves.
"""

import hashlib
import re
from typing import Final

MAX_RUN_ID: Final = 250
"""The most characters of a run id in Airflow's database."""

MAX_RULE_NAME: Final = 63
"""The most characters of a rule's name; the run id then stays under `MAX_RUN_ID`."""

MAX_READABLE: Final = 100
"""The most characters of the readable part."""

MAX_KEY: Final = 60
"""The most characters of the key in the readable part; the key's hash follows."""

HASH_LENGTH: Final = 24
"""Hexadecimal digits of SHA-256 in the run id: 96 bits."""

RESERVED_RULE_NAMES: Final = frozenset({"scheduled", "backfill"})
"""Rule names with which a run id would begin with a prefix that Airflow reserves.

The other reserved prefixes (`asset_triggered__`, `operator_triggered__`, …) hold an underscore, which the
name of a rule cannot hold.
"""

CALL: Final = "call"
"""The name, in place of a rule's, of runs that a caller asks for by the DAG's name."""

_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_.~:+-]+")
_NOT_IN_A_PREFIX = re.compile(r"[^A-Za-z0-9.-]+")
_REPEATED = re.compile(r"([._])\1+")


def run_id_for_event(rule: str, source: str, event_id: str) -> str:
    """Return the run id of a rule for an event, identified by its source and id.

    Args:
        rule: The rule's name, valid by the model of rules.yaml.
        source: The event's source.
        event_id: The event's id, unique within the source (CloudEvents 1.0, "id").
    """
    return _run_id(rule, event_id, ("event", rule, source, event_id))


def run_id_for_key(rule: str, key: str) -> str:
    """Return the run id of a rule for all events with the same key, the rendered `dedupe_by`."""
    return _run_id(rule, key, ("key", rule, key))


def keyed(run_id: str, rule: str, key: str) -> str:
    """Return a run id whose readable part is the `latest_by` key, so that Airflow can search for it.

    Args:
        run_id: The id by the event's identity; the result has its hash.
        rule: The rule's name.
        key: The rendered `latest_by`.
    """
    return run_id_prefix(rule, key) + run_id.rpartition("__")[2]


def run_id_prefix(rule: str, key: str) -> str:
    """Return the beginning of all run ids of a rule and a `latest_by` key, and of no others.

    It has no characters with a meaning in Airflow's search (`~`, `|`, `%`).
    """
    plain = _REPEATED.sub(r"\1", _NOT_IN_A_PREFIX.sub("-", key[: 4 * MAX_READABLE]))
    readable = plain[:MAX_KEY].strip("-.") or "key"
    return f"{rule}__{readable}-{_digest(('latest', rule, key))}__"


def run_id_for_window(rule: str, key: str, window: str) -> str:
    """Return the run id of a rule for the events of one window of a key."""
    return _run_id(rule, key, ("window", rule, window))


def _run_id(rule: str, readable: str, identity: tuple[str, ...]) -> str:
    return f"{rule}__{_readable(readable)}__{_digest(identity)}"


def _readable(text: str) -> str:
    """Return `text` in ASCII, with `-` for all characters that Airflow does not allow.

    Two underscores are only between the parts of the run id.
    """
    plain = _REPEATED.sub(r"\1", _NOT_ALLOWED.sub("-", text[: 4 * MAX_READABLE]))
    return plain[:MAX_READABLE].strip("-._") or "event"


def _digest(parts: tuple[str, ...]) -> str:
    """Hash the parts, each after its length, so that different lists of parts are different texts."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(encoded))
        digest.update(encoded)
    return digest.hexdigest()[:HASH_LENGTH]
