"""The request for a DAG run: the result of deciding and the input of delivery."""

from dataclasses import dataclass, field
from typing import Final, Literal

from shared.values.json_text import JsonObject

MAX_AGE: Final = 86_400.0
"""Seconds after which a waiting delivery is rejected, unless its rule has `max_age`."""


@dataclass(frozen=True, slots=True)
class CallbackTerms:
    """How a run reports its end.

    Attributes:
        lifetime: Seconds for which its token is valid.
        token: Whether it gets a token; otherwise it reports with its own identity.
    """

    lifetime: int
    token: bool = True


@dataclass(frozen=True, slots=True)
class Latest:
    """The runs that a newer event may have started already.

    Attributes:
        prefix: The beginning of the ids of all runs of the key.
        time: When this event happened, RFC 3339 in UTC.
    """

    prefix: str
    time: str


@dataclass(frozen=True, slots=True)
class Terms:
    """The conditions of a rule for starting its runs.

    Attributes:
        max_age: Seconds after the event was first seen until a waiting delivery is rejected.
        when_paused: What to do while the DAG is paused.
        latest: The runs that may supersede this one; None if none can.
    """

    max_age: float = MAX_AGE
    when_paused: Literal["start", "hold", "reject"] = "start"
    latest: Latest | None = None


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One DAG run to start, for any version of Airflow's API.

    Attributes:
        rule: The name of its rule.
        connection: The name of the connection in rules.yaml.
        dag_id: The DAG to run.
        dag_run_id: Computed from the rule and the event's identity (`shared/runs/ids.py`).
        conf: The run's conf, with the event's identity under the reserved key `_updraft`.
        note: Why the run exists, for Airflow's UI; at most 1,000 characters.
        logical_date: RFC 3339, or None for a run without one.
        run_after: RFC 3339, or None to start at once.
        callback: How the run reports back, or None if it does not. The token is never in a request: it is
            added to the conf just before sending (`shared/callbacks/attach.py`).
        terms: When it may be started, and how long that is tried.
        whole_conf: The whole conf of a window, if it is too large; it is stored at the address in the conf.
    """

    rule: str
    connection: str
    dag_id: str
    dag_run_id: str
    conf: JsonObject
    note: str | None = None
    logical_date: str | None = None
    run_after: str | None = None
    callback: CallbackTerms | None = None
    terms: Terms = field(default_factory=Terms)
    whole_conf: JsonObject | None = None
