"""Weak, blank and misspelt secrets: the error names the setting, never the value; no sender is accepted."""

import hashlib
import hmac
import json

import pytest
import requests

from local.stand_ins.key_vault import LocalKeyVault
from shared.callbacks.tokens import ReverseTokens
from shared.callers.shared_secrets import SHORTEST
from shared.runs.ref import RunRef
from shared.settings import CALLBACK_KEY_SECRET
from shared.values.hook_settings import GITHUB_SECRET
from tests.support.callback_keys import NEW, OLD, URL, Vault
from tests.support.http_app import Caller

WEAK = {
    "one character": "x",
    "zero": "0",
    "short": "a-short-secret",
    "one too short": "k" * (SHORTEST - 1),
    "a short second value": f"{NEW} short",
    "three values": f"{NEW} {OLD} {'z' * 43}",
    "a phrase": "several words that are long enough as a whole and none of them is",
    "an invisible character": f"{NEW[:20]}\u200b{NEW[20:]}",
}
BODY = json.dumps(
    {"zen": "x", "hook": {}, "hook_id": 1, "repository": {"url": "https://api.github.com/repos/a/b"}}
).encode()
REPORT = {"run": {"dag_id": "greet", "dag_run_id": "greet__1__a"}, "state": "success"}
BLANK = ["", " ", "\n", "\t \r\n", "\u00a0"]


def delivered(caller: Caller, secret: str) -> requests.Response:
    """Deliver a ping that is signed with a secret."""
    digest = hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()
    return caller.post(
        "hooks/github", None, BODY, X_GitHub_Event="ping", X_Hub_Signature_256=f"sha256={digest}"
    )


def test_a_weak_github_secret_lets_nobody_in(
    caller: Caller, vault: LocalKeyVault, caplog: pytest.LogCaptureFixture
) -> None:
    """A delivery signed with the weak secret is not handled; the log names the setting and the fix."""
    vault.set("github-secret", WEAK["short"])
    answer = delivered(caller, WEAK["short"])
    assert answer.status_code == 503  # this host has no queue to keep it in until the secret is corrected
    assert not caller.stub.runs
    told = [record.getMessage() for record in caplog.records if GITHUB_SECRET in record.getMessage()]
    assert told
    assert "openssl rand -base64 48" in told[0]


@pytest.mark.parametrize("name", WEAK)
def test_no_run_is_given_a_token_under_a_weak_key(name: str) -> None:
    """The error names the setting and no part of the value."""
    tokens = ReverseTokens(Vault(WEAK[name]), secret="key", audience=URL)
    with pytest.raises(Exception, match=CALLBACK_KEY_SECRET) as caught:
        tokens.issue(RunRef("stub", "greet", "greet__1__a"), lifetime=60)
    parts = [part for part in WEAK[name].split() if len(part) > 5]
    assert not any(part in str(caught.value) for part in parts)


@pytest.mark.parametrize("value", BLANK)
def test_a_blank_secret_is_not_a_secret(caller: Caller, vault: LocalKeyVault, value: str) -> None:
    """Neither a signature nor a token under the empty key is good."""
    for secret in ("github-secret", "updraft-callback-key"):
        LocalKeyVault.set(vault, secret, value)  # the watch would find a blank everywhere
    for key in ("", value, value.strip()):
        assert delivered(caller, key).status_code == 503
    assert not caller.stub.runs


def test_a_line_end_is_not_part_of_a_secret(caller: Caller, vault: LocalKeyVault) -> None:
    """A secret from a file may end with a line end, which the sender's value does not have."""
    vault.set("github-secret", f"{NEW}\r\n")
    assert delivered(caller, NEW).status_code == 202


def test_both_values_are_good_while_a_secret_rotates(caller: Caller, vault: LocalKeyVault) -> None:
    """`<new> <old>` accepts each of the two, in either order, but not both together or an empty one."""
    vault.set("github-secret", f"{NEW}  {OLD}\n")
    assert delivered(caller, OLD).status_code == 202
    assert delivered(caller, NEW).status_code == 202
    assert delivered(caller, f"{NEW}  {OLD}").status_code == 403
    assert delivered(caller, "").status_code == 503


def test_no_secret_is_told(caller: Caller, vault: LocalKeyVault) -> None:
    """No answer and no log line holds an unusable secret: this test's watch checks it."""
    for value in WEAK.values():
        caller.watch.secrets |= {part for part in value.split() if len(part) > 12}
        for name in ("github-secret", "updraft-callback-key"):
            LocalKeyVault.set(vault, name, value)  # a value of one character is found everywhere
        assert delivered(caller, value).status_code in {403, 503}
        assert caller.post("outcomes", "x.y.z", REPORT).status_code == 401
