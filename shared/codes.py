"""Every code that this app gives: one word for programs, with a row in docs/codes.md for people.

mypy lets no other code into an outcome, a dead letter or a refusal. `tests/docs/test_codes.py` compares the
page with this module in both directions.

`TimeToLiveExceeded` and `MaxDeliveryAttemptsExceeded` are Event Grid's words
(https://learn.microsoft.com/azure/event-grid/manage-event-delivery), `invalid_token` is one of RFC 6750, and
`temporarily_unavailable` one of RFC 6749.
"""

from typing import Final, Literal, get_args

AnswerCode = Literal[
    "AirflowNotFound",
    "AirflowUnavailable",
    "Answered",
    "BadRequest",
    "Blocked",
    "Conflict",
    "ConnectionFailed",
    "ConnectionLost",
    "DagNotFound",
    "DagRunNotFound",
    "Forbidden",
    "InvalidRunRequest",
    "NotJson",
    "Redirect",
    "Started",
    "Unauthorized",
    "UnexpectedConflict",
    "UnexpectedResponse",
    "UnknownStatus",
    "UnsupportedVersion",
]
"""What Airflow answered: the names of the rows of the failure table."""

Code = Literal[
    AnswerCode,
    "BadSignature",
    "CircuitOpen",
    "CredentialUnavailable",
    "DagPaused",
    "DeadlineExceeded",
    "LogicalDateTaken",
    "MaxDeliveryAttemptsExceeded",
    "NoCapacity",
    "OrderUnknown",
    "PermissionRevoked",
    "RuleChanged",
    "RunFound",
    "RunIdTaken",
    "SignatureUnverified",
    "Superseded",
    "TemplateError",
    "TimeToLiveExceeded",
    "Unreadable",
]
"""Why a delivery ended as it did: in the log, in a dead letter and in the answer to a caller."""

HttpCode = Literal[
    "already_reported",
    "bad_body",
    "bad_dag_id",
    "bad_event",
    "bad_idempotency_key",
    "bad_signature",
    "conf_not_allowed",
    "internal_error",
    "invalid_token",
    "keys_unavailable",
    "no_token",
    "not_allowed",
    "not_configured",
    "rate_exceeded",
    "run_rejected",
    "temporarily_unavailable",
    "token_expired",
    "token_not_yet_valid",
    "too_large",
    "too_many_events",
    "unknown_hook",
    "unknown_origin",
    "unsupported_content_encoding",
    "unsupported_media_type",
    "wrong_audience",
    "wrong_run",
]
"""Why a call was refused: the member `code` of a problem document (RFC 9457)."""

HELP: Final = "docs/codes.md#"
"""With a code behind it, the place that explains the code."""

CODES: Final[frozenset[str]] = frozenset(get_args(Code))
"""Every `Code`: a dead letter that Event Grid wrote may have another."""
