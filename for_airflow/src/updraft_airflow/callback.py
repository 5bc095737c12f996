"""Tells Updraft how a run ended: the wire format, and sending it. Knows nothing of Airflow's classes.

A run whose end is to be reported carries `conf["_updraft"]["callback"]` = `{"url": …, "token": …}`. The
token is the run's own reverse token, which can do nothing else; without one an Entra token of this Airflow's
identity is sent instead. Either goes only to the URLs that the operator lists: whoever may start a run
chooses its conf, and this process may reach what they cannot.
The format is described in docs/airflow-side.md.
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
"""Characters of `detail` that are sent."""

_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750 section 2.1
_TAKEN = range(200, 300)
_REFUSED = frozenset({400, 401, 403, 409, 413, 415, 422})
"""Statuses with which Updraft refuses a report for good; 429 and 5xx pass."""
_CODE = re.compile(r"[a-z][a-z_]{0,60}")


class CallbackError(Exception):
    """The report was not taken. Never holds a token.

    Attributes:
        permanent: True where trying again cannot help.
    """

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Callback:
    """Where a run's report is to be sent.

    Attributes:
        url: https, or http to a loopback host.
        token: The run's reverse token; None for an Entra token of our own.
    """

    url: str
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended.

    Attributes:
        dag_id: The DAG.
        dag_run_id: Its run.
        state: As Airflow decides it.
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
        """Write the request's body."""
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
        attempts: Requests at most.
        timeout: Seconds for each request.
        first_delay: Seconds before the second request at most; each further one twice as long.
        longest_delay: Seconds between two requests at most, whatever `Retry-After` asks for. Updraft asks for
            a minute at most, while it may not read its keys again.
    """

    attempts: int = 4
    timeout: float = 10.0
    first_delay: float = 1.0
    longest_delay: float = 60.0


def read_callback(conf: Mapping[str, Any] | None) -> Callback | None:
    """Find the callback in a run's conf.

    Returns:
        None if the run asks for no report.

    Raises:
        CallbackError: There is one, and it cannot be used.
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
    """Send the report until it is taken; sending it again is harmless.

    Args:
        callback: Where to.
        report: What to say.
        allowed: URL prefixes that may be called; with none of them nothing is sent.
        own_token: Gives an Entra token of this Airflow's identity, for a callback without a token.
        patience: How long to try.

    Raises:
        CallbackError: It was not taken.
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
    """Get a token of the identity that this process runs as.

    Args:
        scope: As in "api://updraft/.default".

    Raises:
        CallbackError: azure-identity is not installed, or gives no token.
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
    """Say what is wrong with an answer and worth another try; None if the report was taken.

    Only Updraft speaks for Updraft: it answers 200 or 201 with the run and its state, and refuses with a
    problem document (RFC 9457) that has a `code`. Whatever else comes is of a login page, a proxy, or a
    function app that is starting or stopped, and passes.

    Raises:
        CallbackError: Updraft refuses the report, for good.
    """
    body = _object(answer.body)
    if answer.status in _TAKEN and _is_receipt(body, report):
        return None
    if answer.status in _REFUSED and _is_refusal(body, answer.status):
        hint = {
            401: ": the token is not accepted",
            403: ": the token does not allow it",
            409: ": another end was reported for this run before",
        }.get(answer.status, "")
        raise CallbackError(f"the callback answered {answer.status} {body['code']}{hint}", permanent=True)
    if 300 <= answer.status < 400:
        raise CallbackError(
            f"the callback answered {answer.status}: redirects are not followed", permanent=True
        )
    foreign = answer.status in _TAKEN or answer.status in _REFUSED
    hint = ", and not as Updraft does: a login page or a proxy may be in the way" if foreign else ""
    return f"the callback answered {answer.status}{hint}"


def _is_receipt(body: Mapping[str, Any], report: RunReport) -> bool:
    """Tell whether an answer names the run and the state that were reported."""
    run = {"dag_id": report.dag_id, "dag_run_id": report.dag_run_id}
    return body.get("run") == run and body.get("state") == report.state


def _is_refusal(body: Mapping[str, Any], status: int) -> bool:
    """Tell whether an answer is a problem document of Updraft's."""
    code = body.get("code")
    return body.get("status") == status and isinstance(code, str) and _CODE.fullmatch(code) is not None


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
