"""The answers to errors about callers: one complete table."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator

import pytest

import shared.callbacks
import shared.callers
import shared.http_api
from shared.callbacks.tokens import InvalidRunToken, RunTokenExpired
from shared.callers.errors import (
    CallerRefused,
    ConfNotAllowed,
    InvalidToken,
    NotAllowed,
    RateExceeded,
    TokenExpired,
    TokenNotYetValid,
    TokenRefused,
    TooManyEvents,
    UnknownKey,
    WrongAudience,
)
from shared.errors import KeysUnavailable, UpdraftError
from shared.http_api.refusals import ROWS, answered, refusal_of
from shared.web import Reply
from tests.support.paths import ROOT

NOT_THE_TENANTS = "the token is not accepted: this app's tenant did not sign it for this app"
NOT_A_RUNS = "the token is not accepted: this app did not give it to a run"
LATER = "tokens and signatures cannot be verified just now; try again"
TABLE = (
    (InvalidToken("why"), 401, "invalid_token", NOT_THE_TENANTS, None),
    (UnknownKey("why"), 401, "invalid_token", NOT_THE_TENANTS, None),
    (TokenExpired("why"), 401, "token_expired", "the token has expired; get a new one", None),
    (
        TokenNotYetValid("why"),
        401,
        "token_not_yet_valid",
        "the token is not valid yet; check the clocks",
        None,
    ),
    (
        WrongAudience("why"),
        401,
        "wrong_audience",
        "the token is for another audience; ask for one for this app",
        None,
    ),
    (InvalidRunToken("why"), 401, "invalid_token", NOT_A_RUNS, None),
    (RunTokenExpired("why"), 401, "token_expired", "the run's token has expired", None),
    (NotAllowed("it may not"), 403, "not_allowed", "it may not", None),
    (ConfNotAllowed("not `a`"), 403, "conf_not_allowed", "not `a`", None),
    (TooManyEvents("at most 3"), 413, "too_many_events", "at most 3", None),
    (RateExceeded("3/m", 19.2), 429, "rate_exceeded", "more than 3/m calls; wait 20 s", "20"),
    (KeysUnavailable("why", retry_after=9.1), 503, "keys_unavailable", LATER, "10"),
)
ABSTRACT = {CallerRefused, TokenRefused}
"""Base classes that are never raised."""


def modules(*packages: object) -> Iterator[object]:
    """Yield the modules of packages, imported."""
    for package in packages:
        path, name = (getattr(package, member) for member in ("__path__", "__name__"))
        for found in pkgutil.iter_modules(path, f"{name}."):
            yield importlib.import_module(found.name)


@pytest.mark.parametrize(("error", "status", "code", "detail", "wait"), TABLE)
def test_each_reason_has_its_answer(
    error: CallerRefused | KeysUnavailable, status: int, code: str, detail: str, wait: str | None
) -> None:
    """Status, code, detail and headers are as in the table; the error's own message is only for the log."""
    answer = refusal_of(error)
    reply = answer.reply()
    assert (reply.status, reply.body["code"], reply.body["detail"]) == (status, code, detail)
    challenge = f'Bearer realm="updraft", error="invalid_token", error_description="{detail}"'
    headers = {"WWW-Authenticate": challenge if status == 401 else None, "Retry-After": wait}
    assert reply.headers == {name: value for name, value in headers.items() if value is not None}
    assert answer.inside == ("(why)" if str(error) == "why" else "")
    assert "why" not in str(reply)


def test_every_error_of_callers_and_callbacks_has_an_answer() -> None:
    """Each error class of these packages is in the table, and each row has an error."""
    defined = {
        value
        for module in modules(shared.callers, shared.callbacks)
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, UpdraftError)
        and value.__module__.startswith(("shared.callers.", "shared.callbacks."))
    }
    tried = {type(error) for error, *_ in TABLE}
    assert defined - ABSTRACT | {KeysUnavailable} == tried
    assert ROWS.keys() <= tried


def test_every_row_is_given() -> None:
    """The code raises each error of the table."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "shared").rglob("*.py")]
    made = {name for source in sources for name in re.findall(r"(?:raise|return) (\w+)\(", source)}
    assert {kind.__name__ for kind in ROWS} - made == set()


def test_who_decides_knows_nothing_of_http() -> None:
    """No module of callers and callbacks uses the request, the reply or the refusal."""
    assert [
        module
        for module in modules(shared.callers, shared.callbacks)
        if any(getattr(value, "__module__", "") == "shared.web" for value in vars(module).values())
    ] == []


def test_every_endpoint_answers_from_the_table() -> None:
    """Each method of an endpoint that returns a reply has the decorator, so a refusal is never a 500."""
    endpoints = {
        value
        for module in modules(shared.http_api)
        for name, value in vars(module).items()
        if name.endswith("Endpoint")
    }
    methods = [
        method
        for endpoint in endpoints
        for name, method in inspect.getmembers(endpoint, inspect.isfunction)
        if not name.startswith("_") and inspect.signature(method).return_annotation in {Reply, "Reply"}
    ]
    assert len(methods) >= len(endpoints) >= 5
    made_by_answered = answered(lambda: Reply(200, {})).__code__
    assert [method.__qualname__ for method in methods if method.__code__ is not made_by_answered] == []
