"""Answers about a failure have the rule and a code; only the log has the reason, which quotes rules.yaml."""

import os
from pathlib import Path

import pytest

import shared.app
from local.servers.azurite import Azurite
from local.stand_ins.loopback_server import Request
from shared.azure.storage_account import Storage
from tests.support.http_app import AGENT, RULES, Caller

OPENED: dict[str, object] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shops/1",
    "type": "Shop.Opened",
    "data": {"door": 1, "text": "x" * 60_000},
}
GREET = '    start: {dag: greet, conf: {door: "{{ data.door }}"}}\n'
FAILING: dict[str, tuple[str, str, str]] = {
    "a member that is not there": (GREET.replace("data.door", "data.vault_number"), "TemplateError", "vault"),
    "a member of a number": (
        GREET.replace("data.door", "data.door.secret_offset"),
        "TemplateError",
        "secret_offset",
    ),
    "an identity that is empty": (
        f"{GREET}    dedupe_by: \"{{{{ data.customer_number | default('') }}}}\"\n",
        "TemplateError",
        "customer_number",
    ),
    "an order without a time": (
        f'{GREET}    latest_by: "{{{{ data.door }}}}"\n',
        "TemplateError",
        "latest_by",
    ),
    "a conf that is too large": (
        GREET.replace("data.door", "data.text * 9"),
        "TemplateError",
        "data.text * 9",
    ),
}
"""A rule that fails: its lines, the code in the answer, and the text that is only in the log."""


@pytest.fixture
def settings(settings: dict[str, str], azurite: Azurite, storage: Storage) -> dict[str, str]:
    """The settings of the HTTP API, with a Storage account."""
    return settings | azurite.environment()


@pytest.mark.parametrize("failing", FAILING)
def test_a_callers_answer_quotes_no_template(
    caller: Caller, failing: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer names the rule and a code; the log has the operator's text."""
    lines, code, words = FAILING[failing]
    rules = RULES.replace(GREET, lines, 1)
    assert rules != RULES
    Path(os.environ["UPDRAFT_RULES"]).write_text(rules, encoding="utf-8")
    shared.app.start_anew()
    answer = caller.post("events", caller.token(AGENT), OPENED)
    assert answer.status_code == 202
    ((run,),) = (each["runs"] for each in answer.json()["events"])
    assert run == {"rule": "greet", "rejected": code}
    assert words not in answer.text
    assert words in caplog.text


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
@pytest.mark.parametrize("words", ["internal-host.contoso", 'File "/opt/airflow/dags/x.py"', "param `n`"])
def test_an_answer_quotes_no_airflow(caller: Caller, status: int, words: str) -> None:
    """Neither the caller of a run nor the sender of an event reads Airflow's message."""
    caller.stub.inject(status, {"detail": words}, times=20, when=_starts)
    run = caller.start(Idempotency_Key="k-1")
    event = caller.post("events", caller.token(AGENT), OPENED)
    for answer in (run, event):
        assert words not in answer.text
        assert words not in str(answer.headers)
        assert answer.status_code < 500


def _starts(request: Request) -> bool:
    return request.method == "POST"
