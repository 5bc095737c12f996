"""What an answer of Airflow means: the failure table, as data.

The first row that applies wins. `docs/delivery.md` shows the same rows, and a test keeps the two in step;
`shared/delivery/relay.py` does what a row's class stands for. The answers are those of a live Airflow 3.3.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.airflow.response import AirflowResponse

_INVALID_TOKEN: Final = re.compile(
    r"(invalid|expired)\b.*\btoken|token\b.*\b(invalid|expired)", re.IGNORECASE
)


class AnswerClass(StrEnum):
    """What the relay has to do about an answer."""

    STARTED = "started"
    """The run exists, and this request made it."""
    CONFLICT = "conflict"
    """A run with this id, or with this logical date, exists already."""
    AMBIGUOUS = "ambiguous"
    """The run may or may not exist."""
    TRANSIENT = "transient"
    """Nothing happened; later it may."""
    STALE_TOKEN = "stale token"  # noqa: S105 - a class of answers, not a password
    """A new token was refused as well: the client renews once by itself."""
    DENIED = "denied"
    """A person has to mend something; the event can wait for that."""
    MISSING_DAG = "missing DAG"
    """There is no such DAG, now."""
    REJECTED = "rejected"
    """Airflow will never take this."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of the table.

    Attributes:
        name: What logs and dead letters call it.
        when: What Airflow, or the way there, answers.
        answer_class: What the relay has to do about it.
        happens: What becomes of the event.
        sentence: What a person is told; Airflow's own words follow it.
        applies: Whether an answer belongs to this row.
    """

    name: str
    when: str
    answer_class: AnswerClass
    happens: str
    sentence: str
    applies: Callable[[AirflowResponse], bool]


def _ok(answer: AirflowResponse) -> bool:
    return answer.status is not None and 200 <= answer.status < 300  # noqa: PLR2004 - RFC 9110 section 15.3


def _is(*statuses: int) -> Callable[[AirflowResponse], bool]:
    return lambda answer: answer.status in statuses


def is_stale_token(answer: AirflowResponse) -> bool:
    """Tell whether Airflow refused the token itself, so that a new one may do.

    Airflow 3 answers 401 to a missing or an expired token, 403 `Invalid JWT token` to any other that it
    cannot use, and 403 `Forbidden` to a good one that may not.
    """
    return answer.status == 401 or (  # noqa: PLR2004
        answer.status == 403 and _INVALID_TOKEN.search(answer.message) is not None  # noqa: PLR2004
    )


_PARKED_LONG: Final = "parked with a long delay, and an error is logged: a person must act"
_LOOKED_UP: Final = (
    "looked up by its id: ours is started, somebody else's rejected; absent, it is tried again, then parked"
)

FAILURE_TABLE: Final[tuple[TableRow, ...]] = (
    TableRow(
        "Unsendable",
        "nothing: the request cannot be put into JSON",
        AnswerClass.REJECTED,
        "dead letter at once",
        "the run cannot be asked for",
        lambda answer: bool(answer.invalid),
    ),
    TableRow(
        "NoConnection",
        "nothing: no connection, DNS, TLS or connect time-out",
        AnswerClass.TRANSIENT,
        "a few tries within the budget, then parked",
        "Airflow cannot be reached",
        lambda answer: not answer.sent,
    ),
    TableRow(
        "BrokenOff",
        "a read time-out, a reset or half an answer",
        AnswerClass.AMBIGUOUS,
        _LOOKED_UP,
        "the connection broke before the whole answer came",
        lambda answer: bool(answer.error) or answer.status is None,
    ),
    TableRow(
        "OtherRun",
        "2xx with JSON that does not name our run",
        AnswerClass.DENIED,
        _PARKED_LONG,
        "something that is not the Airflow we know answered for another run: check the connection's url",
        lambda answer: _ok(answer) and answer.body is not None and answer.other_run,
    ),
    TableRow(
        "Started",
        "2xx with JSON",
        AnswerClass.STARTED,
        "started; a paused DAG's run waits in Airflow until it is unpaused",
        "Airflow has a new run",
        lambda answer: _ok(answer) and answer.body is not None,
    ),
    TableRow(
        "NotJson",
        "2xx that is not JSON",
        AnswerClass.DENIED,
        _PARKED_LONG,
        "a login page or a proxy answered instead of Airflow: check the connection's url and auth",
        _ok,
    ),
    TableRow(
        "Redirect",
        "3xx",
        AnswerClass.DENIED,
        _PARKED_LONG + "; never followed",
        "a login page or a proxy stands in the way: check the connection's url and auth",
        lambda answer: answer.status is not None and 300 <= answer.status < 400,  # noqa: PLR2004
    ),
    TableRow(
        "Conflict",
        "409",
        AnswerClass.CONFLICT,
        "duplicate where `logical_date` is null, as then it can only be our run id; else looked up by its "
        "id: ours is a duplicate, and where there is none another run holds that date: rejected",
        "Airflow has such a run already",
        _is(409),
    ),
    TableRow(
        "StaleToken",
        "401, or 403 that calls the token invalid",
        AnswerClass.STALE_TOKEN,
        "a new token, once; again: " + _PARKED_LONG,
        "Airflow refuses our token, and a new one as well: check the connection's auth",
        is_stale_token,
    ),
    TableRow(
        "Forbidden",
        "403 otherwise, 407",
        AnswerClass.DENIED,
        _PARKED_LONG,
        "Airflow knows us and does not let us: grant can_create and can_read on DAG Runs, and can_edit on "
        "the DAG",
        _is(403, 407),
    ),
    TableRow(
        "MissingDag",
        "404",
        AnswerClass.MISSING_DAG,
        "parked, tried again slowly for a grace period (a DAG file that a bad deploy broke answers the "
        "same), then rejected",
        "Airflow has no such DAG",
        _is(404),
    ),
    TableRow(
        "Busy",
        "408, 425, 429 or 5xx",
        AnswerClass.AMBIGUOUS,
        _LOOKED_UP + ", never sooner than `Retry-After`",
        "Airflow, or a proxy before it, is out of order or overloaded",
        lambda answer: answer.status in {408, 425, 429} or (answer.status or 0) >= 500,  # noqa: PLR2004
    ),
    TableRow(
        "Refused",
        "400, 405, 413, 422 and every other 4xx",
        AnswerClass.REJECTED,
        "dead letter at once, with Airflow's own words",
        "Airflow refuses the run",
        lambda answer: answer.status is not None and 400 <= answer.status < 500,  # noqa: PLR2004
    ),
    TableRow(
        "Unknown",
        "anything else",
        AnswerClass.AMBIGUOUS,
        _LOOKED_UP,
        "an answer that HTTP does not know",
        lambda _: True,
    ),
)


def classify(answer: AirflowResponse) -> TableRow:
    """Return the row that an answer belongs to."""
    return next(row for row in FAILURE_TABLE if row.applies(answer))


def explain(row: TableRow, answer: AirflowResponse) -> str:
    """Return why, for a person: the row's sentence, the status, and Airflow's own words."""
    status = f"HTTP {answer.status}" if answer.status is not None else ""
    place = f"to {answer.location}" if answer.location else ""
    facts = " ".join(part for part in (status, place) if part)
    message = answer.invalid or answer.error or answer.message
    return row.sentence + (f" ({facts})" if facts else "") + (f": {message}" if message else "")
