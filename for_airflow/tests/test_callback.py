"""Reporting an outcome: what is sent where, what is tried again, and what never leaves."""

import json
import sys
import time
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receiver import Receiver

from updraft_airflow.callback import (
    LONGEST_DETAIL,
    Callback,
    CallbackError,
    Patience,
    RunReport,
    entra_token,
    read_callback,
)
from updraft_airflow.callback import send_report as report_to
from updraft_airflow.notifier import IN_THE_PROCESSOR

TOKEN = "made-up.reverse.token"
QUICK = Patience(attempts=3, timeout=2.0, first_delay=0.001, longest_delay=0.01)
REPORT = RunReport(
    dag_id="smoke_tests",
    dag_run_id="rule__1",
    state="failed",
    started_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
    ended_at=datetime(2026, 1, 2, tzinfo=timezone.utc),
    detail="failed tasks: a",
)


def report(callback: Callback, run_report: RunReport, **options: Any) -> None:
    """Report to a listed address, unless the test lists others."""
    report_to(callback, run_report, **{"allowed": [callback.url], **options})


def test_the_outcome_is_sent_in_the_documented_form(receiver: Receiver) -> None:
    """One POST with the run's own token and the body of the documentation."""
    report(Callback(receiver.url, TOKEN), REPORT, patience=QUICK)
    [(headers, body)] = receiver.taken
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Content-Type"] == "application/json"
    assert body == {
        "run": {"dag_id": "smoke_tests", "dag_run_id": "rule__1"},
        "state": "failed",
        "started_at": "2026-01-01T00:00:00+00:00",
        "ended_at": "2026-01-02T00:00:00+00:00",
        "detail": "failed tasks: a",
    }


def test_a_run_that_never_started_has_no_start(receiver: Receiver) -> None:
    """The member is null, and detail is left out or cut."""
    short = json.loads(RunReport("d", "r", "failed", None, None).body())
    assert short["started_at"] is None
    assert "detail" not in short
    long = json.loads(RunReport("d", "r", "failed", None, None, "x" * 5000).body())
    assert len(long["detail"]) == LONGEST_DETAIL


@pytest.mark.parametrize("status", [0, 404, 405, 408, 410, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(receiver: Receiver, status: int) -> None:
    """The same body goes out again until it is taken; Retry-After is capped."""
    receiver.answers = [status, status]
    report(Callback(receiver.url, TOKEN), REPORT, patience=QUICK)
    assert len(receiver.taken) == 3
    assert receiver.taken[0][1] == receiver.taken[2][1]


def test_a_sender_comes_again_when_updraft_asks_it_to(receiver: Receiver) -> None:
    """While Updraft may not read its keys again it says when to come, and no request is sent before."""
    receiver.answers = [503]
    receiver.retry_after = "1"
    began = time.monotonic()
    report(Callback(receiver.url, TOKEN), REPORT, patience=Patience(first_delay=0.001))
    assert len(receiver.taken) == 2
    assert time.monotonic() - began >= 1.0


def test_the_senders_outlast_updrafts_longest_wish() -> None:
    """A task's sender may wait out the minute of Entra's keys, a notifier the 10 s of a run's own key."""
    task = Patience()
    assert task.longest_delay >= 60
    assert IN_THE_PROCESSOR.longest_delay >= 10
    # what ends the DAG processor is 50 s
    assert 2 * IN_THE_PROCESSOR.longest_delay + 3 * IN_THE_PROCESSOR.timeout < 50


def test_it_gives_up_after_the_last_attempt(receiver: Receiver) -> None:
    """Bounded, with the last failure in the error, and worth a retry of the task."""
    receiver.answers = [503] * 9
    with pytest.raises(CallbackError, match=r"after 3 attempt\(s\): .*503") as failed:
        report(Callback(receiver.url, TOKEN), REPORT, patience=QUICK)
    assert not failed.value.permanent
    assert len(receiver.taken) == 3


PAGE = b"<html><title>Web App - Unavailable</title></html>"
FOREIGN = {
    "a login page": PAGE,
    "empty": b"",
    "text": b"ok",
    "array": b"[]",
    "object": b'{"status": "ok"}',
    "a gateway's error": b'{"statusCode": 403, "message": "no"}',
    "a problem without a code": b'{"type": "about:blank", "title": "Forbidden", "status": 403}',
    "an echo": REPORT.body()[:-1],
    "another run's": b'{"run": {"dag_id": "smoke_tests", "dag_run_id": "other"}, "state": "failed"}',
    "another state": b'{"run": {"dag_id": "smoke_tests", "dag_run_id": "rule__1"}, "state": "success"}',
    "deep": b"[" * 100_000,
    "not UTF-8": b"\xff\xfe",
}


@pytest.mark.parametrize("status", [200, 201, 202, 204, 401, 403, 404, 409, 422])
@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_only_updraft_speaks_for_updraft(receiver: Receiver, name: str, status: int) -> None:
    """A login page takes no report, and a stopped app refuses none: the report is sent until it is taken."""
    body = b"" if status == 204 else FOREIGN[name]
    receiver.answers = [(status, body), (status, body)]
    report(Callback(receiver.url, TOKEN), REPORT, patience=QUICK)
    assert len(receiver.taken) == 3
    receiver.answers = [(status, body)] * 9
    with pytest.raises(CallbackError, match=str(status)) as failed:
        report(Callback(receiver.url, TOKEN), REPORT, patience=QUICK)
    assert not failed.value.permanent
    assert "<html>" not in str(failed.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 409, 413, 422])
def test_a_refusal_is_final(receiver: Receiver, status: int) -> None:
    """No second request, no redirect followed, and the token is not in the error."""
    receiver.answers = [status]
    with pytest.raises(CallbackError, match=str(status)) as failed:
        report(Callback(receiver.url, TOKEN), REPORT, patience=QUICK)
    assert failed.value.permanent
    assert TOKEN not in str(failed.value)
    assert len(receiver.taken) == 1


def test_a_dead_end_is_named_without_the_token() -> None:
    """No connection: the host and the cause, nothing more."""
    with pytest.raises(CallbackError, match=r"127\.0\.0\.1:9 .*URLError") as failed:
        report(Callback("http://127.0.0.1:9/x", TOKEN), REPORT, patience=QUICK)
    assert TOKEN not in str(failed.value)


@pytest.mark.parametrize(
    "conf", [None, {}, {"_updraft": None}, {"_updraft": {}}, {"_updraft": "x"}, {"x": 1}]
)
def test_a_run_without_a_callback_asks_for_nothing(conf: Any) -> None:
    """Runs that were started otherwise are left alone."""
    assert read_callback(conf) is None


@pytest.mark.parametrize(
    "callback",
    [
        "https://x.example",
        {},
        {"url": 7},
        {"url": "http://updraft.example/api"},
        {"url": "file:///etc/passwd"},
        {"url": "https://user:hunter2@updraft.example/"},
        {"url": "https://"},
        {"url": "https://[::1"},
        {"url": "https://updraft.example:99999/"},
        {"url": "https://updraft.example/\r\nX: y"},
        {"url": "https://updraft.example/a b"},
        {"url": "https://updraft.example/", "token": 7},
        {"url": "https://updraft.example/", "token": ""},
        {"url": "https://updraft.example/", "token": "a\r\nX-Evil: 1"},
        {"url": "https://updraft.example/", "token": "tökén"},
    ],
)
def test_a_callback_that_cannot_be_used_is_refused(callback: Any) -> None:
    """Before anything is sent, and without repeating the token."""
    with pytest.raises(CallbackError) as failed:
        read_callback({"_updraft": {"callback": callback}})
    assert failed.value.permanent
    assert "Evil" not in str(failed.value)
    assert "hunter2" not in str(failed.value)


def test_a_callback_keeps_its_token_out_of_its_repr() -> None:
    """It may end up in a traceback."""
    found = read_callback({"_updraft": {"callback": {"url": "https://updraft.example/", "token": TOKEN}}})
    assert found == Callback("https://updraft.example/", TOKEN)
    assert TOKEN not in repr(found)


@pytest.mark.parametrize("conf", ["text", 7, ["_updraft"], b"bytes"])
def test_a_conf_that_is_no_object_is_told(conf: Any) -> None:
    """The error is one of this package's own, and final."""
    with pytest.raises(CallbackError, match="not an object") as failed:
        read_callback(conf)
    assert failed.value.permanent


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_any_conf_is_read_without_a_crash(callback: Any) -> None:
    """No report is sent to an address that only the conf names."""
    try:
        read_callback({"_updraft": {"callback": callback}})
    except CallbackError:
        return


@pytest.mark.parametrize(
    ("url", "prefix", "allowed"),
    [
        ("https://updraft.example/api/outcomes", "https://updraft.example/api/", True),
        ("https://updraft.example/api/outcomes", "https://updraft.example/api/outcomes", True),
        ("https://updraft.example/api/outcomes?x=1", "https://updraft.example/api/outcomes", True),
        ("https://UPDRAFT.example:443/api", "https://updraft.example", True),
        ("https://updraft.example.evil/api/outcomes", "https://updraft.example", False),
        ("https://updraft.example:444/api", "https://updraft.example", False),
        ("http://127.0.0.1/api", "https://127.0.0.1/api", False),
        ("https://updraft.example/apix", "https://updraft.example/api", False),
        ("https://updraft.example/api/../admin", "https://updraft.example/api/", False),
        ("https://updraft.example/api/%2e%2e/admin", "https://updraft.example/api/", False),
        ("https://updraft.example/api/..%2fadmin", "https://updraft.example/api/", False),
        ("https://updraft.example/api\\..\\admin", "https://updraft.example/api", False),
        ("https://updraft.example/api", "nonsense", False),
    ],
)
def test_only_allowed_urls_see_airflows_own_token(url: str, prefix: str, allowed: bool) -> None:  # noqa: FBT001
    """Whole hosts and whole path segments are compared; anywhere else no token is even asked for."""
    asked: list[bool] = []

    def own_token() -> str:
        asked.append(True)
        raise CallbackError("enough", permanent=True)

    with pytest.raises(CallbackError):
        report(Callback(url), REPORT, allowed=[prefix], own_token=own_token, patience=QUICK)
    assert asked == ([True] if allowed else [])


def test_airflows_own_token_is_sent_where_it_is_allowed(receiver: Receiver) -> None:
    """A callback without a run token is reported with Airflow's own identity."""
    report(Callback(receiver.url), REPORT, allowed=[receiver.url], own_token=lambda: "own", patience=QUICK)
    assert receiver.taken[0][0]["Authorization"] == "Bearer own"


def test_without_a_scope_airflows_own_token_is_not_sent(receiver: Receiver) -> None:
    """It takes both settings before Airflow's identity speaks to anybody."""
    with pytest.raises(CallbackError, match="callback_scope"):
        report(Callback(receiver.url), REPORT, patience=QUICK)
    assert receiver.taken == []


def test_the_token_is_that_of_the_managed_identity(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As App Service, and everything that looks like it, hands it out."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    monkeypatch.setenv("IDENTITY_ENDPOINT", receiver.url)
    monkeypatch.setenv("IDENTITY_HEADER", "made-up")
    assert entra_token("api://updraft/.default") == "made-up-entra-token"


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(CallbackError, match="pip install azure-identity") as failed:
        entra_token("api://updraft/.default")
    assert failed.value.permanent


def test_an_identity_that_gives_no_token_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the scope."""
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "WorkloadIdentityCredential")
    with pytest.raises(CallbackError, match="api://updraft") as failed:
        entra_token("api://updraft/.default")
    assert not failed.value.permanent
