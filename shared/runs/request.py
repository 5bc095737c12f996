"""What Airflow is asked to start: the end of deciding and the beginning of acting."""

from dataclasses import dataclass, field
from typing import Final, Literal

from shared.values.json_text import JsonObject

MAX_AGE: Final = 86_400.0
"""Seconds after which a delivery that still waits is given up, where its rule says nothing else."""


@dataclass(frozen=True, slots=True)
class CallbackTerms:
    """How a run is to report back how it ended.

    Attributes:
        lifetime: Seconds for which its token is good.
        token: Whether it gets one; else it reports with an identity of its own.
    """

    lifetime: int
    token: bool = True


@dataclass(frozen=True, slots=True)
class Latest:
    """Which runs a newer event may have started already.

    Attributes:
        prefix: The beginning of the ids of all runs of the key.
        time: When this event happened, RFC 3339 in UTC.
    """

    prefix: str
    time: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What a rule says about when its runs may be started, and how long that is tried.

    Attributes:
        max_age: Seconds after the event was first seen at which a delivery that still waits is given up.
        when_paused: What to do while the DAG is paused.
        latest: Which runs supersede this one; None where none do.
    """

    max_age: float = MAX_AGE
    when_paused: Literal["start", "hold", "reject"] = "start"
    latest: Latest | None = None


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One DAG run to start, whichever API version the Airflow speaks.

    Attributes:
        rule: The name of the rule that asks for it.
        connection: The name of the connection in rules.yaml.
        dag_id: The DAG to run.
        dag_run_id: Computed from the rule and the event's identity alone (`shared/runs/ids.py`).
        conf: The run's conf, with the event's identity under the reserved key `_updraft`.
        note: Says in words, in Airflow's own UI, why the run exists; at most 1,000 characters.
        logical_date: RFC 3339, or None for a run without one.
        run_after: RFC 3339, or None to start at once.
        callback: How the run reports back, or None where it does not. The token itself is never in a
            request: it is put into the conf while that is sent (`shared/callbacks/attach.py`).
        terms: When it may be started, and how long that is tried.
        whole_conf: What the conf would be, where a window's is too large; it is kept where the conf says.
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
