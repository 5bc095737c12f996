"""The HTTP answer to each error about a caller: one table.

`shared/callers` and `shared/callbacks` do not use HTTP. The decorator `answered` of each endpoint converts
their errors to answers.

An unknown key may be a new key. Until the keys may be read again, the answer is 503 with `Retry-After` (RFC
9110 section 15.6.4), because a genuine sender would not try again after a 401. A forged token gets the same
answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Final

from shared.callbacks.tokens import InvalidRunToken, RunTokenExpired
from shared.callers.errors import (
    CallerRefused,
    ConfNotAllowed,
    InvalidToken,
    NotAllowed,
    RateExceeded,
    TokenExpired,
    TokenNotYetValid,
    TooManyEvents,
    WrongAudience,
)
from shared.codes import HttpCode
from shared.errors import KeysUnavailable, UpdraftError
from shared.web import CallRefused, Reply, unauthorized

_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Row:
    """The answer to one error.

    Attributes:
        status: The HTTP status. A 401 has the challenge of RFC 6750; an error with a wait has `Retry-After`.
        code: The code, for programs.
        detail: The text for the caller, if the error's own message is only for the log.
    """

    status: int
    code: HttpCode
    detail: str = ""


ROWS: Final[Mapping[type[UpdraftError], Row]] = {
    InvalidToken: Row(
        _UNAUTHORIZED,
        "invalid_token",
        "the token is not accepted: this app's tenant did not sign it for this app",
    ),
    TokenExpired: Row(_UNAUTHORIZED, "token_expired", "the token has expired; get a new one"),
    TokenNotYetValid: Row(
        _UNAUTHORIZED, "token_not_yet_valid", "the token is not valid yet; check the clocks"
    ),
    WrongAudience: Row(
        _UNAUTHORIZED, "wrong_audience", "the token is for another audience; ask for one for this app"
    ),
    InvalidRunToken: Row(
        _UNAUTHORIZED,
        "invalid_token",
        "the token is not accepted: this app did not give it to a run",
    ),
    RunTokenExpired: Row(_UNAUTHORIZED, "token_expired", "the run's token has expired"),
    NotAllowed: Row(403, "not_allowed"),
    ConfNotAllowed: Row(403, "conf_not_allowed"),
    TooManyEvents: Row(413, "too_many_events"),
    RateExceeded: Row(429, "rate_exceeded"),
    KeysUnavailable: Row(
        503, "keys_unavailable", "tokens and signatures cannot be verified just now; try again"
    ),
}
"""By the class of the error, or its nearest base class."""


def refusal_of(error: CallerRefused | KeysUnavailable) -> CallRefused:
    """Return the answer to an error."""
    row = next(ROWS[kind] for kind in type(error).__mro__ if kind in ROWS)
    detail, inside = (row.detail, f"({error})" if str(error) else "") if row.detail else (str(error), "")
    if row.status == _UNAUTHORIZED:
        return unauthorized(row.code, detail, inside=inside)
    wait = getattr(error, "retry_after", None)
    headers = {} if wait is None else {"Retry-After": str(wait)}
    return CallRefused(row.status, row.code, detail, headers=headers, inside=inside)


def answered[**Given](endpoint: Callable[Given, Reply]) -> Callable[Given, Reply]:
    """Make an endpoint raise `CallRefused` for each error about its caller."""

    @wraps(endpoint)
    def called(*args: Given.args, **kwargs: Given.kwargs) -> Reply:
        try:
            return endpoint(*args, **kwargs)
        except (CallerRefused, KeysUnavailable) as error:
            raise refusal_of(error) from error

    return called
