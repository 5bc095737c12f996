"""The failure table as data: the meaning of each response of Airflow.

The first row that applies counts. `docs/delivery.md` has the same rows, and a test compares the two;
`shared/delivery/relay.py` acts on a row's class. `shared/airflow/shapes.py` has the forms of Airflow's
responses; a response in another form is an infrastructure response, and never an outcome.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.airflow import shapes
from shared.airflow.response import AirflowResponse
from shared.codes import AnswerCode
from shared.visible_text import visible

_INVALID_TOKEN: Final = re.compile(
    r"(invalid|expired)(\b|_).*token|token(\b|_).*\b(invalid|expired)", re.IGNORECASE
)
_UNREADABLE_TOKEN: Final = re.compile(
    rf"^(?!.*csrf)(?:.*signature|.*(?:{_INVALID_TOKEN.pattern}))", re.IGNORECASE
)


class AnswerClass(StrEnum):
    """What the relay has to do after a response."""

    STARTED = "started"
    """The run exists, and this request made it."""
    ANSWERED = "answered"
    """A question about a run, a DAG or a list of runs was answered."""
    CONFLICT = "conflict"
    """A run with this id, or with this logical date, exists already."""
    AMBIGUOUS = "ambiguous"
    """The run may or may not exist."""
    TRANSIENT = "transient"
    """Nothing happened; a later try may succeed."""
    UNAUTHORIZED = "unauthorized"
    """A new token was refused too: the client renews it once."""
    DENIED = "denied"
    """Operator action is needed; the event can wait for it."""
    DAG_NOT_FOUND = "DAG not found"
    """Airflow does not have the DAG now."""
    DAG_RUN_NOT_FOUND = "DAG run not found"
    """Airflow does not have the run now."""
    REJECTED = "rejected"
    """Airflow will never accept the request."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of the table.

    Attributes:
        name: Its code in logs and dead letters.
        when: The response of Airflow or of the network.
        answer_class: What the relay has to do.
        happens: The result for the event.
        sentence: The message for a person; Airflow's message follows it.
        applies: Returns whether a response belongs to this row.
    """

    name: AnswerCode
    when: str
    answer_class: AnswerClass
    happens: str
    sentence: str
    applies: Callable[[AirflowResponse], bool]


def _ok(answer: AirflowResponse) -> bool:
    return answer.status is not None and 200 <= answer.status < 300


def _is(*statuses: int) -> Callable[[AirflowResponse], bool]:
    return lambda answer: answer.status in statuses


def is_unauthorized(answer: AirflowResponse) -> bool:
    """Return whether the token was refused, so that a new one may succeed.

    Airflow 3 answers 401 to a missing or an expired token, 403 `Invalid JWT token` to any other unusable
    token, and 403 `Forbidden` to a valid token without the permission. A proxy before Airflow may answer 400
    or 422 (flask-jwt-extended: `{"msg": "Signature verification failed"}`), which is not Airflow's form. The
    message decides only whether a new token is tried.
    """
    match answer.status:
        case 401:
            return True
        case 403:
            return _INVALID_TOKEN.search(answer.message) is not None
        case 400 | 422 if answer.body is not None or answer.text:
            return not shapes.is_error(answer) and _UNREADABLE_TOKEN.search(answer.message) is not None
    return False


_PARKED_LONG: Final = "parked with a long delay, and an error is logged: operator action needed"
_LOOKED_UP: Final = "the run is looked up: started if it exists, otherwise tried again, then parked"
_BUSY: Final = frozenset({408, 421, 423, 425, 429, 460, 499})
"""Transient statuses below 500; load balancers send 460 and 499 if the client closed the connection."""

FAILURE_TABLE: Final[tuple[TableRow, ...]] = (
    TableRow(
        "InvalidRunRequest",
        "nothing: the request is not valid for a DAG run",
        AnswerClass.REJECTED,
        "dead letter at once",
        "the run request is not valid",
        lambda answer: bool(answer.invalid),
    ),
    TableRow(
        "UnsupportedVersion",
        "an Airflow older than 2.9, or with another API than `api` in rules.yaml",
        AnswerClass.DENIED,
        _PARKED_LONG,
        "this app does not support this Airflow's version",
        lambda answer: bool(answer.mismatch),
    ),
    TableRow(
        "ConnectionFailed",
        "nothing: no DNS answer, no connection within the time-out, or a TLS error",
        AnswerClass.TRANSIENT,
        "a few tries within the budget, then parked",
        "Airflow cannot be reached",
        lambda answer: not answer.sent,
    ),
    TableRow(
        "ConnectionLost",
        "a read time-out, a reset or an incomplete answer",
        AnswerClass.AMBIGUOUS,
        _LOOKED_UP,
        "the connection broke before the whole response arrived",
        lambda answer: bool(answer.error) or answer.status is None,
    ),
    TableRow(
        "Started",
        "2xx with a DAG run: our `dag_run_id` and `dag_id`, and a `state`",
        AnswerClass.STARTED,
        "started; a paused DAG's run waits in Airflow until it is unpaused",
        "Airflow has a new run",
        lambda answer: answer.question.what == "start" and shapes.answers(answer),
    ),
    TableRow(
        "Answered",
        "2xx to a look-up, with the requested run, DAG, list or version",
        AnswerClass.ANSWERED,
        "the delivery continues",
        "Airflow has answered",
        lambda answer: answer.question.what != "start" and shapes.answers(answer),
    ),
    TableRow(
        "UnexpectedResponse",
        "2xx with other JSON, such as an echo of the request",
        AnswerClass.DENIED,
        _PARKED_LONG,
        "the response is not Airflow's: check the connection's url",
        lambda answer: _ok(answer) and answer.body is not None,
    ),
    TableRow(
        "NotJson",
        "2xx that is not a JSON object",
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
        "a login page or a proxy redirects the request: check the connection's url and auth",
        lambda answer: answer.status is not None and 300 <= answer.status < 400,
    ),
    TableRow(
        "Conflict",
        "409 in Airflow's form",
        AnswerClass.CONFLICT,
        "duplicate if it quotes our run id; otherwise the run is looked up: duplicate if it exists, rejected "
        "if not (logical date taken)",
        "Airflow has such a run already",
        shapes.is_conflict,
    ),
    TableRow(
        "UnexpectedConflict",
        "any other 409",
        AnswerClass.CONFLICT,
        "the run is looked up: duplicate if it exists; otherwise tried again, then parked with a long delay "
        "and an error: operator action needed",
        "the 409 is not Airflow's: check the connection's url",
        _is(409),
    ),
    TableRow(
        "Unauthorized",
        "401; or 403 about an invalid token; or a proxy's 400 or 422 about an invalid token",
        AnswerClass.UNAUTHORIZED,
        "one try with a new token, then " + _PARKED_LONG,
        "Airflow refuses this app's token, and a new one too: check the connection's auth",
        is_unauthorized,
    ),
    TableRow(
        "Forbidden",
        "403 in Airflow's form",
        AnswerClass.DENIED,
        _PARKED_LONG,
        "Airflow accepted the login, but this identity may not start runs of the DAG: grant can_create and "
        "can_read on DAG Runs, and can_edit on the DAG (`airflow entra-role --role ROLE --dag DAG`)",
        shapes.is_forbidden,
    ),
    TableRow(
        "DagRunNotFound",
        "404 in Airflow's form that names the run",
        AnswerClass.DAG_RUN_NOT_FOUND,
        "the run is requested again",
        "Airflow has no such run",
        shapes.is_dag_run_not_found,
    ),
    TableRow(
        "DagNotFound",
        "404 in Airflow's form that names the DAG, or 400 about import errors of its file; and Airflow gives "
        "its version",
        AnswerClass.DAG_NOT_FOUND,
        "parked, tried again slowly for a grace period, then rejected",
        "Airflow has no such DAG, or cannot import its file",
        lambda answer: (
            bool(answer.version) and (shapes.is_dag_not_found(answer) or shapes.is_import_errors(answer))
        ),
    ),
    TableRow(
        "AirflowUnavailable",
        "408, 421, 423, 425, 429, 460, 499 or 5xx",
        AnswerClass.AMBIGUOUS,
        _LOOKED_UP + ", never sooner than `Retry-After`",
        "Airflow, or a proxy before it, is down or overloaded",
        lambda answer: answer.status in _BUSY or (answer.status or 0) >= 500,
    ),
    TableRow(
        "BadRequest",
        "400 or 422 in Airflow's form, and Airflow gives its version",
        AnswerClass.REJECTED,
        "dead letter at once, with Airflow's message",
        "Airflow refuses the run",
        lambda answer: bool(answer.version) and shapes.is_refusal(answer),
    ),
    TableRow(
        "AirflowNotFound",
        "404, 405 or 410 in another form",
        AnswerClass.DENIED,
        _PARKED_LONG,
        "no Airflow answers at this address: check the connection's url, and the proxies before Airflow",
        _is(404, 405, 410),
    ),
    TableRow(
        "Blocked",
        "every other 4xx",
        AnswerClass.DENIED,
        _PARKED_LONG,
        "a proxy, a gateway or a firewall before Airflow refuses the request, or the app there is stopped: "
        "check it, and the connection's url",
        lambda answer: answer.status is not None and 400 <= answer.status < 500,
    ),
    TableRow(
        "UnknownStatus",
        "anything else",
        AnswerClass.AMBIGUOUS,
        _LOOKED_UP,
        "the status is unknown in HTTP",
        lambda _: True,
    ),
)


def classify(answer: AirflowResponse) -> TableRow:
    """Return the row that an answer belongs to."""
    return next(row for row in FAILURE_TABLE if row.applies(answer))


def needs_version(answer: AirflowResponse) -> bool:
    """Return whether a response needs Airflow's version to be classified.

    A refusal and a missing DAG count only from an Airflow that returns its version. Another response may come
    from an Airflow that was upgraded or rolled back and has the other API now.
    """
    if answer.status is None or answer.version:
        return False
    name = classify(answer).name
    if name in _ELSEWHERE:
        return answer.question.what != "start"
    return name == "AirflowNotFound" or (name == "Blocked" and answer.status in {400, 422})


def forgets_version(answer: AirflowResponse) -> bool:
    """Return whether the response to a request for a run may come from another server than Airflow.

    It is a login page or a redirect, so the next request asks for the version first, and this one ends.
    """
    return answer.question.what == "start" and classify(answer).name in _ELSEWHERE


_ELSEWHERE: Final = frozenset({"UnexpectedResponse", "NotJson", "Redirect"})


def explain(row: TableRow, answer: AirflowResponse) -> str:
    """Return the reason for a person: the row's sentence, the status, and Airflow's message."""
    status = f"HTTP {answer.status}" if answer.status is not None else ""
    place = f"to {answer.location}" if answer.location else ""
    facts = " ".join(part for part in (status, place) if part)
    message = answer.invalid or answer.mismatch or answer.error or answer.message
    return visible(row.sentence + (f" ({facts})" if facts else "") + (f": {message}" if message else ""))
