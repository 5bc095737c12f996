"""Unauthenticated clients cannot fill the log: each kind of refusal has one line a minute, and a count."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

import shared.app
from local.stand_ins.airflow_stub import AirflowStub
from local.stand_ins.identity_endpoint import IdentityEndpoint
from local.stand_ins.key_vault import LocalKeyVault
from tests.support.endpoints import Watch
from tests.support.functions_host import running_host
from tests.support.http_app import (
    AGENT,
    PIPELINE,
    QUEUE_FUNCTIONS,
    RULES,
    STRANGER,
    Caller,
    unsigned,
)
from tests.support.log_lines import said, throttled
from tests.support.paths import ROOT

type Attack = Callable[[Caller], requests.Response]

MANY = 25
"""Requests of a flood; a log without a bound would have as many lines."""


def reverse(caller: Caller) -> str:
    """Return a forged run token."""
    return unsigned(
        {"alg": "HS256", "typ": "updraft-outcome+jwt", "kid": "0" * 16}, {"sub": "a/b/c"}, b"x" * 32
    )


def unknown_key(caller: Caller) -> str:
    """Return a forged token with a key of the tenant."""
    return unsigned({"alg": "RS256", "typ": "JWT", "kid": "unknown"}, {"iss": "x"}, b"x" * 256)


FIRST_UNKNOWN = frozenset({401, 503})
"""The first ones are refused after a read of the keys; then the answer is "try again" for a minute."""

FLOODS: dict[str, tuple[int | frozenset[int], Attack]] = {
    "preflight of a strange origin": (
        403,
        lambda caller: caller.post("events", method="OPTIONS", WebHook_Request_Origin="evil.example"),
    ),
    "preflight without an origin": (403, lambda caller: caller.post("events", method="OPTIONS")),
    "no token for runs": (401, lambda caller: caller.post("dags/a/runs", None, {})),
    "no token for events": (401, lambda caller: caller.post("events", None, {})),
    "no token for outcomes": (401, lambda caller: caller.post("outcomes", None, {})),
    "no token's form": (401, lambda caller: caller.post("events", "x", {})),
    "an unknown key": (FIRST_UNKNOWN, lambda caller: caller.post("events", unknown_key(caller), {})),
    "a forged run's token": (FIRST_UNKNOWN, lambda caller: caller.post("outcomes", reverse(caller), {})),
    "an unknown identity of the tenant": (
        403,
        lambda caller: caller.post("events", caller.token(STRANGER), {}),
    ),
    "another identity's DAG": (403, lambda caller: caller.start("other", caller.token(PIPELINE), {})),
    "a caller's bad bodies": (400, lambda caller: caller.post("events", caller.token(AGENT), b"{")),
    "a caller's bad DAG": (400, lambda caller: caller.start("a%20b", caller.token(PIPELINE), {})),
    "a caller's large bodies": (
        413,
        lambda caller: caller.post("events", caller.token(AGENT), b"x" * 1_100_000),
    ),
    "a caller's media type": (
        415,
        lambda caller: caller.post("events", caller.token(AGENT), b"{}", Content_Type="text/plain"),
    ),
    "hooks with a bad signature": (403, lambda caller: caller.post("hooks/github", None, {})),
    "hooks of another type": (415, lambda caller: caller.post("hooks/kudu", None, b"{}", Content_Type="a/b")),
    "large hooks": (413, lambda caller: caller.post("hooks/kudu", None, b"x" * 1_100_000)),
}


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the log of the app, without its host's."""
    return [
        said(record)
        for record in caplog.records
        if record.name.startswith(("updraft", "shared"))
        and record.levelno >= logging.INFO
        and record.module != "limiter"  # the keeper of an earlier test's app may still complain
    ]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of the log's windows, which the test moves."""
    time = [0.0]
    throttled(monkeypatch, lambda: time[0])
    return time


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_is_one_line_and_a_count(
    caller: Caller, flood: str, caplog: pytest.LogCaptureFixture, now: list[float]
) -> None:
    """A repeated refusal is one line; the next line after a minute has the count."""
    expected, attack = FLOODS[flood]
    statuses = expected if isinstance(expected, frozenset) else frozenset({expected})
    caplog.clear()
    assert {attack(caller).status_code for _ in range(MANY)} == statuses
    refusals = [line for line in lines(caplog) if "was refused" in line]
    assert len(refusals) == len(statuses), refusals
    assert len(lines(caplog)) <= 2  # an unknown key is asked for once
    now[0] = 61.0
    attack(caller)
    (left_out,) = (int(line.split()[0]) for line in lines(caplog) if " more log lines " in line)
    assert left_out >= MANY - 1 - 2 * (len(statuses) - 1)


def test_another_flood_hides_none(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """Kinds are apart: a flood of refusals of one kind leaves the line of another one in the log."""
    for _ in range(MANY):
        caller.post("events", None, {})
    caplog.clear()
    caller.post("dags/a/runs", None, {})
    caller.post("events", caller.token(STRANGER), {})
    caller.post("hooks/github", None, {})
    assert len(lines(caplog)) == 3


@pytest.fixture
def broken(
    stub: AirflowStub,
    identity: IdentityEndpoint,
    vault: LocalKeyVault,
    watch: Watch,
    settings: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Caller]:
    """The app in a host, without the settings that the test names."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("connections: [" if request.param == "rules" else RULES, encoding="utf-8")
    changed = {
        "tenant": {"UPDRAFT_TENANT_ID": ""},
        "authority": {"UPDRAFT_AUTHORITY": "http://127.0.0.1:1"},
        "vault": {},
        "rules": {},
    }[request.param]
    if request.param == "vault":
        vault.deny("ForbiddenByRbac")
    shared.app.start_anew()
    for name, value in {
        **settings,
        "UPDRAFT_KEY_VAULT_URI": vault.url,
        "UPDRAFT_RULES": str(rules),
        **{f"AzureWebJobs.{function}.Disabled": "true" for function in QUEUE_FUNCTIONS},
        **changed,
    }.items():
        monkeypatch.setenv(name, value)
    with running_host(ROOT) as host:
        yield Caller(host, stub, identity, watch)
    shared.app.start_anew()


@pytest.mark.parametrize(
    ("broken", "path", "token"),
    [
        ("tenant", "events", "x.y.z"),
        ("tenant", "dags/a/runs", "x.y.z"),
        ("tenant", "outcomes", "x.y.z"),
        ("authority", "events", "unknown key"),
        ("authority", "outcomes", "unknown key"),
        ("vault", "outcomes", "run"),
        ("vault", "hooks/github", None),
        ("rules", "events", "good"),
    ],
    indirect=["broken"],
)
def test_a_fault_of_the_app_is_not_an_open_door_to_its_log(
    broken: Caller, path: str, token: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """While callers are not set up, or keys cannot be had, a flood of anybody is one line of its answer."""
    made = {"unknown key": unknown_key(broken), "run": reverse(broken), "good": broken.token(AGENT)}
    sent = made.get(token, token) if token else None
    signature = f"sha256={'0' * 64}"
    caplog.clear()
    statuses = {broken.post(path, sent, {}, X_Hub_Signature_256=signature).status_code for _ in range(MANY)}
    assert statuses == {503}
    assert len([line for line in lines(caplog) if "a call" in line]) == 1
    assert len(lines(caplog)) <= 3, lines(caplog)
