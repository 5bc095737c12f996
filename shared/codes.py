"""All codes of this app; docs/codes.md explains each.

mypy accepts no other code in an outcome, a dead letter or a refusal. `tests/docs/test_codes.py` compares the
page with this module in both directions.

`TimeToLiveExceeded` and `MaxDeliveryAttemptsExceeded` are Event Grid's codes
(https://learn.microsoft.com/azure/event-grid/manage-event-delivery), `invalid_token` is a code of RFC 6750,
and `temporarily_unavailable` of RFC 6749.
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
"""Codes of Airflow's answers: the names of the rows of the failure table."""

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
"""Codes of outcomes: in the log, in dead letters and in answers to callers."""

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
"""Codes of refused calls: the member `code` of a problem document (RFC 9457)."""

HELP: Final = "docs/codes.md#"
"""The prefix of the link to a code."""

CODES: Final[frozenset[str]] = frozenset(get_args(Code))
"""All values of `Code`; a dead letter of Event Grid may have another code."""
