import gzip
import hashlib
import hmac
import json

import pytest

from local.stand_ins.airflow_stub import AirflowStub
from shared.callers import Rates
from shared.callers.shared_secrets import REREAD_PAUSE
from shared.delivery.unverified_hooks import MOST
from shared.errors import SecretUnavailable, SettingsError
from shared.http_api.webhooks import WebhooksEndpoint
from shared.rules import load_rules
from shared.stores.work_items import UnverifiedHook
from shared.web import CallRefused, Request
from tests.support.callback_keys import Vault
from tests.support.delivery import DAG, Delivering
from tests.support.paths import SAMPLES

SECRET = "made-up-secret-" + "g" * 32
NEWER = "made-up-newer-secret-" + "h" * 32
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
    return Vault(SECRET)


@pytest.fixture
def hooks(delivering: Delivering, vault: Vault) -> WebhooksEndpoint:
    """Webhooks with a relay to the stub."""
    intake = delivering.intake(load_rules(RULES, file="rules.yaml", settings={}))
    return WebhooksEndpoint(
        intake=intake, secrets=vault, github_secret=lambda: "github", rates=Rates(), rate="5/h"
    )


def posted(body: object, secret: str = "", **headers: str) -> Request:
    """Return a delivery of a sender, signed if there is a secret."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    known = {"content-type": "application/json", **{name.replace("_", "-"): v for name, v in headers.items()}}
    if secret:
        known["x-hub-signature-256"] = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return Request(known, raw)


def test_a_hook_is_an_event_like_any_other(hooks: WebhooksEndpoint, stub: AirflowStub) -> None:
    """A deployment starts its run once, also if Kudu sends it several times."""
    assert hooks.receive(posted(KUDU), "kudu").body == {"outcomes": {"started": 1}}
    assert hooks.receive(posted(KUDU), "kudu").body == {"outcomes": {"duplicate": 1}}
    assert len(stub.runs) == 1


def test_github_is_taken_with_its_signature_alone(hooks: WebhooksEndpoint, stub: AirflowStub) -> None:
    """The header has the type of event, and the signature is verified."""
    good = posted(GITHUB, SECRET, x_github_event="workflow_run")
    assert hooks.receive(good, "github").body == {"outcomes": {"started": 1}}
    with pytest.raises(CallRefused) as caught:
        hooks.receive(posted(GITHUB, x_github_event="workflow_run"), "github")
    assert caught.value.status == 403


def test_a_new_secret_is_found(hooks: WebhooksEndpoint, vault: Vault) -> None:
    """A signature with a new secret is valid."""
    vault.value = f"{NEWER} {SECRET}"
    assert hooks.receive(posted(GITHUB, NEWER, x_github_event="workflow_run"), "github").status == 202
    assert hooks.receive(posted(GITHUB, SECRET, x_github_event="workflow_run"), "github").status == 202
    assert vault.reads == 1


def test_a_wrong_signature_is_refused_once_the_secret_was_read_for_it(
    hooks: WebhooksEndpoint, vault: Vault, delivering: Delivering
) -> None:
    """Until the secret can be read again, a delivery with a wrong signature is parked."""
    with pytest.raises(CallRefused) as caught:
        hooks.receive(posted(GITHUB, "wrong"), "github")
    assert caught.value.status == 403
    for _ in range(3):
        answer = hooks.receive(posted(GITHUB, "wrong", x_github_event="workflow_run"), "github")
        assert (answer.status, answer.body) == (202, {"outcomes": {"parked": 1}})
    assert vault.reads == 1
    waiting, delay = delivering.parking.kept[0]
    hook = waiting.work
    assert isinstance(hook, UnverifiedHook)
    assert (hook.hook, hook.headers) == ("github", {"x-github-event": "workflow_run"})
    assert json.loads(hook.body) == GITHUB
    assert 0 < delay <= REREAD_PAUSE


@pytest.mark.parametrize("signature", ["", "sha256=", "sha256=" + "0" * 63, "sha1=" + "0" * 40, "0" * 64])
def test_what_is_not_a_signature_costs_no_read(
    hooks: WebhooksEndpoint, vault: Vault, delivering: Delivering, signature: str
) -> None:
    """A malformed signature is refused at once, and the delivery is never parked."""
    for _ in range(2):
        with pytest.raises(CallRefused) as caught:
            hooks.receive(posted(GITHUB, x_hub_signature_256=signature), "github")
        assert caught.value.status == 403
    assert vault.reads == 0
    assert not delivering.parking.kept


def test_without_the_secret_a_delivery_is_kept(
    hooks: WebhooksEndpoint, vault: Vault, delivering: Delivering
) -> None:
    """If the vault does not answer, the delivery is parked, because GitHub does not send it again."""
    vault.error = SecretUnavailable("the vault is away")
    answer = hooks.receive(posted(GITHUB, SECRET), "github")
    assert (answer.status, answer.body) == (202, {"outcomes": {"parked": 1}})
    assert len(delivering.parking.kept) == 1


def test_unverified_deliveries_are_bounded(hooks: WebhooksEndpoint, vault: Vault) -> None:
    """Beyond the limit of unverified deliveries the answer is 503."""
    vault.error = SecretUnavailable("the vault is away")
    for _ in range(MOST):
        assert hooks.receive(posted(GITHUB, "wrong"), "github").status == 202
    with pytest.raises(CallRefused) as caught:
        hooks.receive(posted(GITHUB, SECRET), "github")
    assert (caught.value.status, caught.value.code) == (503, "keys_unavailable")


def test_without_a_secrets_name_github_is_not_let_in(delivering: Delivering, vault: Vault) -> None:
    """Without the setting each delivery is refused, and the answer names the setting."""

    def missing() -> str:
        raise SettingsError("it is missing")

    intake = delivering.intake(load_rules(RULES, file="rules.yaml", settings={}))
    with pytest.raises(CallRefused) as caught:
        WebhooksEndpoint(intake=intake, secrets=vault, github_secret=missing, rates=Rates()).receive(
            posted(GITHUB, SECRET), "github"
        )
    refused = caught.value
    assert (refused.status, refused.code, refused.inside) == (503, "not_configured", "it is missing")
    assert "UPDRAFT_GITHUB_SECRET" in refused.detail


def test_what_cannot_be_read_is_kept(hooks: WebhooksEndpoint, delivering: Delivering) -> None:
    """An unreadable delivery becomes a dead letter."""
    assert hooks.receive(posted({"what": "ever"}), "kudu").body == {"outcomes": {"rejected": 1}}
    assert len(delivering.letters.kept) == 1


@pytest.mark.parametrize("sample", ["ping.json", "ping_with_empty_request.json", "ping_without_id.json"])
def test_a_ping_is_unmatched_and_no_error(
    hooks: WebhooksEndpoint, delivering: Delivering, sample: str
) -> None:
    """A test delivery of the portal gets an answer, and has no dead letter."""
    body = (SAMPLES / "acr" / sample).read_bytes()
    assert hooks.receive(posted(body), "acr").body == {"outcomes": {"unmatched": 1}}
    assert delivering.letters.kept == {}


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "GZIP", "identity, gzip", " x "])
def test_a_compressed_hook_is_refused_with_the_reason(
    hooks: WebhooksEndpoint, delivering: Delivering, coding: str
) -> None:
    """An array is refused with the fault, and has no dead letter."""
    with pytest.raises(CallRefused) as caught:
        hooks.receive(posted(gzip.compress(json.dumps(KUDU).encode()), content_encoding=coding), "kudu")
    assert (caught.value.status, caught.value.code) == (415, "unsupported_content_encoding")
    assert caught.value.reply().headers == {"Accept-Encoding": "identity"}
    assert delivering.letters.kept == {}


@pytest.mark.parametrize("coding", ["", "identity", "Identity", " identity , "])
def test_a_body_that_says_that_it_is_not_compressed_is_read(hooks: WebhooksEndpoint, coding: str) -> None:
    """The content encoding `identity` is allowed (RFC 9110 section 12.5.3)."""
    assert hooks.receive(posted(KUDU, content_encoding=coding), "kudu").status == 202


def test_each_kind_has_a_rate_of_its_own(
    hooks: WebhooksEndpoint, delivering: Delivering, stub: AirflowStub
) -> None:
    """Beyond the rate the answer is 429 with the time to wait, and other kinds are not affected."""
    for _ in range(5):
        assert hooks.receive(posted({"what": "ever"}), "kudu").status == 202
    with pytest.raises(CallRefused) as caught:
        hooks.receive(posted(KUDU), "kudu")
    assert caught.value.status == 429
    assert 0 < int(caught.value.headers["Retry-After"]) <= 720
    assert len(delivering.letters.kept) == 1
    assert stub.runs == {}
    assert hooks.receive(posted(GITHUB, SECRET), "github").status == 202


def test_nobody_without_the_secret_uses_up_githubs_rate(hooks: WebhooksEndpoint) -> None:
    """Deliveries with a wrong signature do not use the rate."""
    with pytest.raises(CallRefused) as caught:
        hooks.receive(posted(GITHUB, "wrong"), "github")
    assert caught.value.status == 403
    for _ in range(20):
        assert hooks.receive(posted(GITHUB, "wrong"), "github").body == {"outcomes": {"parked": 1}}
    assert hooks.receive(posted(GITHUB, SECRET), "github").status == 202
