import gzip
import hashlib
import hmac
import json

import pytest

from local.stand_ins.airflow_stub import AirflowStub
from shared.callers import Rates
from shared.errors import SecretUnavailable, SettingsError
from shared.http_api.webhooks import WebhooksEndpoint
from shared.rules import load_rules
from shared.web import CallRefused, Request
from tests.support.callback_keys import Vault
from tests.support.delivery import DAG, Delivering
from tests.support.paths import SAMPLES

RULES = f"""
connections:
  analytics: {{url: "http://127.0.0.1:8080", auth: {{kind: entra, scope: "api://airflow/.default"}}}}
rules:
  - name: deployed
    when: {{types: [Microsoft.Web.Kudu.PostDeployment, com.github.workflow_run.completed]}}
    start: {{dag: {DAG}, conf: {{site: "{{{{ app.site | default('none') }}}}"}}}}
"""
KUDU = {
    "id": "d1",
    "status": "success",
    "siteName": "shop",
    "hostName": "shop.scm.azurewebsites.net",
    "endTime": "2026-01-01T00:00:00Z",
}
GITHUB = {
    "action": "completed",
    "workflow_run": {"id": 7, "run_attempt": 1, "updated_at": "2026-01-01T00:00:00Z"},
    "repository": {"url": "https://api.github.com/repos/contoso/shop"},
}


@pytest.fixture
def vault() -> Vault:
    """A vault with GitHub's secret."""
    return Vault("made-up-secret")


@pytest.fixture
def hooks(delivering: Delivering, vault: Vault) -> WebhooksEndpoint:
    """Hooks that lead to the stub."""
    intake = delivering.intake(load_rules(RULES, file="rules.yaml", settings={}))
    return WebhooksEndpoint(
        intake=intake, secrets=vault, github_secret=lambda: "github", rates=Rates(), rate="5/h"
    )


def posted(body: object, secret: str = "", **headers: str) -> Request:
    """Return what a sender posts, signed where there is a secret."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    known = {"content-type": "application/json", **{name.replace("_", "-"): v for name, v in headers.items()}}
    if secret:
        known["x-hub-signature-256"] = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return Request(known, raw)


def test_a_hook_is_an_event_like_any_other(hooks: WebhooksEndpoint, stub: AirflowStub) -> None:
    """A deployment starts its run once, however often Kudu posts it."""
    assert hooks.receive(posted(KUDU), "kudu").body == {"outcomes": {"started": 1}}
    assert hooks.receive(posted(KUDU), "kudu").body == {"outcomes": {"duplicate": 1}}
    assert len(stub.runs) == 1


def test_github_is_taken_with_its_signature_alone(hooks: WebhooksEndpoint, stub: AirflowStub) -> None:
    """The header says which event it is, the signature that it is GitHub's."""
    good = posted(GITHUB, "made-up-secret", x_github_event="workflow_run")
    assert hooks.receive(good, "github").body == {"outcomes": {"started": 1}}
    with pytest.raises(CallRefused) as caught:
        hooks.receive(posted(GITHUB, x_github_event="workflow_run"), "github")
    assert caught.value.status == 403


def test_a_new_secret_is_found(hooks: WebhooksEndpoint, vault: Vault) -> None:
    """A signature under a secret that was set just now is good; wrong ones cause one read a minute."""
    vault.value = "a newer secret"
    request = posted(GITHUB, "a newer secret", x_github_event="workflow_run")
    assert hooks.receive(request, "github").status == 202
    for _ in range(5):
        with pytest.raises(CallRefused):
            hooks.receive(posted(GITHUB, "wrong"), "github")
    assert vault.reads == 1


def test_without_the_secret_it_cannot_be_told(hooks: WebhooksEndpoint, vault: Vault) -> None:
    """While the vault is away GitHub hears 503 and may send again by hand."""
    vault.error = SecretUnavailable("the vault is away")
    with pytest.raises(CallRefused) as caught:
        hooks.receive(posted(GITHUB, "made-up-secret"), "github")
    assert caught.value.status == 503


def test_without_a_secrets_name_github_is_not_let_in(delivering: Delivering, vault: Vault) -> None:
    """A missing setting never means that signatures do not matter."""

    def missing() -> str:
        raise SettingsError("UPDRAFT_GITHUB_SECRET is missing")

    intake = delivering.intake(load_rules(RULES, file="rules.yaml", settings={}))
    with pytest.raises(SettingsError):
        WebhooksEndpoint(intake=intake, secrets=vault, github_secret=missing, rates=Rates()).receive(
            posted(GITHUB), "github"
        )


def test_what_cannot_be_read_is_kept(hooks: WebhooksEndpoint, delivering: Delivering) -> None:
    """Nobody reads the answer to a hook, so a body without sense becomes a dead letter."""
    assert hooks.receive(posted({"what": "ever"}), "kudu").body == {"outcomes": {"rejected": 1}}
    assert len(delivering.letters.kept) == 1


@pytest.mark.parametrize("sample", ["ping.json", "ping_with_empty_request.json", "ping_without_id.json"])
def test_a_ping_is_unmatched_and_no_error(
    hooks: WebhooksEndpoint, delivering: Delivering, sample: str
) -> None:
    """Who presses "Ping" in the portal gets an answer, and nobody an alert."""
    body = (SAMPLES / "acr" / sample).read_bytes()
    assert hooks.receive(posted(body), "acr").body == {"outcomes": {"unmatched": 1}}
    assert delivering.letters.kept == {}


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "GZIP", "identity, gzip", " x "])
def test_a_compressed_hook_is_refused_with_the_reason(
    hooks: WebhooksEndpoint, delivering: Delivering, coding: str
) -> None:
    """The sender hears what to change, and no unreadable dead letter is kept."""
    with pytest.raises(CallRefused) as caught:
        hooks.receive(posted(gzip.compress(json.dumps(KUDU).encode()), content_encoding=coding), "kudu")
    assert (caught.value.status, caught.value.code) == (415, "content_encoding")
    assert caught.value.reply().headers == {"Accept-Encoding": "identity"}
    assert delivering.letters.kept == {}


@pytest.mark.parametrize("coding", ["", "identity", "Identity", " identity , "])
def test_a_body_that_says_that_it_is_not_compressed_is_read(hooks: WebhooksEndpoint, coding: str) -> None:
    """`identity` means as it is (RFC 9110 section 12.5.3)."""
    assert hooks.receive(posted(KUDU, content_encoding=coding), "kudu").status == 202


def test_each_kind_has_a_rate_of_its_own(
    hooks: WebhooksEndpoint, delivering: Delivering, stub: AirflowStub
) -> None:
    """Above it there is 429 with the time to wait, nothing is kept, and other kinds go on."""
    for _ in range(5):
        assert hooks.receive(posted({"what": "ever"}), "kudu").status == 202
    with pytest.raises(CallRefused) as caught:
        hooks.receive(posted(KUDU), "kudu")
    assert caught.value.status == 429
    assert 0 < int(caught.value.headers["Retry-After"]) <= 720
    assert len(delivering.letters.kept) == 1
    assert stub.runs == {}
    assert hooks.receive(posted(GITHUB, "made-up-secret"), "github").status == 202


def test_nobody_without_the_secret_uses_up_githubs_rate(hooks: WebhooksEndpoint) -> None:
    """Deliveries with a wrong signature take nothing from the rate: GitHub does not send its own again."""
    for _ in range(20):
        with pytest.raises(CallRefused) as caught:
            hooks.receive(posted(GITHUB, "wrong"), "github")
        assert caught.value.status == 403
    assert hooks.receive(posted(GITHUB, "made-up-secret"), "github").status == 202
