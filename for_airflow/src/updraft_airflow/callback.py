"""Reports to Updraft how a run ended; uses no classes of Airflow.

The conf of a run that has to report has `conf["_updraft"]["callback"]` = `{"url": …, "token": …}`. The token
is the run token, which only allows this report; without one, an Entra token of this Airflow's identity is
sent. Both are sent only to the URLs that the operator lists: a caller that may start a run chooses its conf,
and this process may reach other addresses than the caller.

docs/airflow-side.md describes the format.
"""

import json
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from updraft_airflow.addresses import refusal
from updraft_airflow.wire import Answer, WireError, checked_url, send

LONGEST_DETAIL = 1000
"""The most characters of `detail`."""

_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750 section 2.1
_TAKEN = range(200, 300)
_REFUSED = frozenset({400, 401, 403, 409, 413, 415, 422})
"""Statuses with which Updraft refuses a report permanently; 429 and 5xx are transient."""
_CODE = re.compile(r"[a-z][a-z_]{0,60}")


class CallbackError(Exception):
    """The report was not accepted. The message never holds a token.

    Attributes:
        permanent: True if another try cannot succeed.
    """

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Callback:
    """The address and token for a run's report.

    Attributes:
        url: https, or http to a loopback host.
        token: The run token; None for an Entra token of this Airflow.
    """

    url: str
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended.

    Attributes:
        dag_id: The DAG.
        dag_run_id: Its run.
        state: Airflow's state of the run.
        started_at: With a time zone; None if the run never started.
        ended_at: With a time zone.
        detail: A few words for people.
    """

    dag_id: str
    dag_run_id: str
    state: Literal["success", "failed"]
    started_at: datetime | None
    ended_at: datetime | None
    detail: str | None = None

    def body(self) -> bytes:
        """Return the request's body."""
        document: dict[str, Any] = {
            "run": {"dag_id": self.dag_id, "dag_run_id": self.dag_run_id},
            "state": self.state,
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
        }
        if self.detail:
            document["detail"] = self.detail[:LONGEST_DETAIL]
        return json.dumps(document).encode()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try.

    Attributes:
        attempts: The most requests.
        timeout: Seconds for each request.
        first_delay: The most seconds before the second request; each further delay is twice as long.
        longest_delay: The most seconds between two requests, also with a longer `Retry-After`. Updraft asks
            for at most a minute, while it may not read its keys again.
    """

    attempts: int = 4
    timeout: float = 10.0
    first_delay: float = 1.0
    longest_delay: float = 60.0


def read_callback(conf: Mapping[str, Any] | None) -> Callback | None:
    """Find the callback in a run's conf.

    Returns:
        None if the run does not report.

    Raises:
        CallbackError: It cannot be used.
    """
    if conf is None:
        return None
    if not isinstance(conf, Mapping):
        raise CallbackError("the run's conf is not an object", permanent=True)
    updraft = conf.get("_updraft")
    callback = updraft.get("callback") if isinstance(updraft, Mapping) else None
    if callback is None:
        return None
    url = callback.get("url") if isinstance(callback, Mapping) else None
    if not isinstance(url, str):
        raise CallbackError("conf's _updraft.callback has no url", permanent=True)
    token = callback.get("token")
    if token is not None and not (isinstance(token, str) and _TOKEN.fullmatch(token)):
        raise CallbackError("conf's _updraft.callback.token is not a bearer token", permanent=True)
    try:
        return Callback(checked_url(url, what="_updraft.callback.url"), token)
    except WireError as exc:
        raise CallbackError(str(exc), permanent=True) from None


def send_report(
    callback: Callback,
    report: RunReport,
    *,
    allowed: Sequence[str],
    own_token: Callable[[], str] | None = None,
    patience: Patience = Patience(),
) -> None:
    """Send the report until it is accepted; Updraft accepts a repeated report.

    Args:
        callback: The address and the token.
        report: The report.
        allowed: URL prefixes that may be called; without any, nothing is sent.
        own_token: Returns an Entra token of this Airflow's identity, for a callback without a token.
        patience: How long to try.

    Raises:
        CallbackError: It was not accepted.
    """
    try:
        refused = refusal(callback.url, allowed, option="callback_urls")
    except WireError as exc:
        raise CallbackError(str(exc), permanent=True) from None
    if refused is not None:
        raise CallbackError(refused, permanent=True)
    token = callback.token
    if token is None:
        if own_token is None:
            raise CallbackError(
                "the callback has no token: set [updraft] callback_scope to report with Airflow's own"
                " identity",
                permanent=True,
            )
        token = own_token()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    body = report.body()
    for attempt in range(1, patience.attempts + 1):
        wish = 0.0
        try:
            answer = send("POST", callback.url, headers=headers, body=body, timeout=patience.timeout)
            failure = _failure(answer, report)
            wish = answer.retry_after or 0.0
        except WireError as exc:
            failure = str(exc)
        if failure is None:
            return
        if attempt < patience.attempts:
            backoff = random.uniform(0, patience.first_delay * 2 ** (attempt - 1))  # noqa: S311 - full jitter
            time.sleep(min(patience.longest_delay, max(backoff, wish)))
    raise CallbackError(f"after {patience.attempts} attempt(s): {failure}", permanent=False)


def entra_token(scope: str) -> str:
    """Return a token of this process's identity.

    Args:
        scope: The scope, as in "api://updraft/.default".

    Raises:
        CallbackError: azure-identity is not installed, or returns no token.
    """
    try:
        from azure.core.exceptions import ClientAuthenticationError
        from azure.identity import DefaultAzureCredential
    except ImportError:
        raise CallbackError(
            "Airflow's own identity needs azure-identity: pip install azure-identity",
            permanent=True,
        ) from None
    try:
        with DefaultAzureCredential() as credential:
            token: str = credential.get_token(scope).token
    except ClientAuthenticationError as exc:
        first_line = str(exc).partition("\n")[0]
        raise CallbackError(f"no Entra token for {scope}: {first_line[:300]}", permanent=False) from None
    return token


def _failure(answer: Answer, report: RunReport) -> str | None:
    """Return the transient problem of a response; None if the report was accepted.

    Updraft answers 200 or 201 with the run and its state, and refuses with a problem document (RFC 9457) that
    has a `code`. Any other response comes from a login page, a proxy, or a function app that is starting or
    stopped, and is transient.

    Raises:
        CallbackError: Updraft refuses the report permanently.
    """
    body = _object(answer.body)
    if answer.status in _TAKEN and _is_receipt(body, report):
        return None
    if answer.status in _REFUSED and _is_refusal(body, answer.status):
        hint = {
            401: ": the token is not accepted",
            403: ": the token does not allow it",
            409: ": this run has reported another end before",
        }.get(answer.status, "")
        raise CallbackError(f"the callback answered {answer.status} {body['code']}{hint}", permanent=True)
    if 300 <= answer.status < 400:
        raise CallbackError(
            f"the callback answered {answer.status}: redirects are not followed", permanent=True
        )
    foreign = answer.status in _TAKEN or answer.status in _REFUSED
    hint = ", and the response is not Updraft's: a login page or a proxy may have answered" if foreign else ""
    return f"the callback answered {answer.status}{hint}"


def _is_receipt(body: Mapping[str, Any], report: RunReport) -> bool:
    """Return whether a response has the reported run and state."""
    run = {"dag_id": report.dag_id, "dag_run_id": report.dag_run_id}
    return body.get("run") == run and body.get("state") == report.state


def _is_refusal(body: Mapping[str, Any], status: int) -> bool:
    """Return whether a response is a problem document of Updraft."""
    code = body.get("code")
    return body.get("status") == status and isinstance(code, str) and _CODE.fullmatch(code) is not None


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
